// SPDX-License-Identifier: Apache-2.0
/// scratch_file.ipp: the bodies of scratch_file.hpp.
#pragma once

#include "flashlm/storage/io/scratch_file.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <span>
#include <system_error>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/base/units.hpp"
#include "flashlm/storage/io/beside_file.hpp"
#include "flashlm/storage/io/file_writer.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_ONCE ScratchFile::ScratchFile(const std::filesystem::path& folder, std::uint64_t bytes,
                                      double seconds, const std::function<void()>& between) {
  remove_abandoned(folder, kPrefix, kLetters);
  std::error_code problem;
  const std::uint64_t room = std::filesystem::space(folder, problem).available;
  if (problem)
    throw IoError("[scratch_file] cannot look at the folder", problem.value(), folder.string());
  if (room < bytes) {
    throw IoError(concat("[scratch_file] free space: expected ", format_bytes(bytes), ", got ",
                         format_bytes(room)),
                  ENOSPC, folder.string());
  }
  path_ = (folder / kPrefix).string() + "XXXXXX";
  fd_ = ::mkstemp(path_.data());
  if (fd_ < 0) throw IoError("[scratch_file] cannot create", errno, folder.string());
  try {
    if (!claim(fd_)) throw IoError("[scratch_file] cannot lock", EBUSY, path_);
    fill(bytes, now_seconds() + seconds, between);
  } catch (...) {
    remove();
    throw;
  }
}

FLASHLM_ONCE void ScratchFile::fill(std::uint64_t bytes, double until,
                                    const std::function<void()>& between) {
  // Random, and new in every piece: devices must not compress it.
  Random random(static_cast<std::uint64_t>(until * 1e9));
  std::vector<std::uint64_t> piece((std::size_t{16} << 20) / sizeof(std::uint64_t));
  for (std::uint64_t done = 0; done < bytes && (done < kLeastBytes || now_seconds() < until);) {
    between();
    for (std::uint64_t& word : piece) word = random.next();
    auto rest = std::as_bytes(std::span(piece));
    rest = rest.first(static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), bytes - done)));
    done += rest.size();
    while (!rest.empty()) {
      const ssize_t n = ::write(fd_, rest.data(), rest.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) throw IoError("[scratch_file] cannot write", n < 0 ? errno : ENOSPC, path_);
      rest = rest.subspan(static_cast<std::size_t>(n));
    }
    // Piece by piece: one sync at the end could take any time.
    if (FileWriter::sync(fd_) != 0) throw IoError("[scratch_file] cannot sync", errno, path_);
  }
}

FLASHLM_ONCE void ScratchFile::remove() noexcept {
  if (origin_.is_here()) ::unlink(path_.c_str());
  ::close(fd_);
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
