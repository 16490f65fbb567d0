// SPDX-License-Identifier: Apache-2.0
/// file.ipp: the bodies of file.hpp.
#pragma once

#include "flashlm/storage/io/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <new>
#include <utility>

#include "flashlm/base/memory/aligned_buffer.hpp"

#if defined(__linux__)
#include <sys/vfs.h>
#endif

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_ONCE File File::open(const std::filesystem::path& path, FileMode mode) {
  File file;
  file.path_ = path;
  // O_NONBLOCK keeps the opening of a named pipe from waiting for a writer; regular files ignore
  // it.
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  do file.fd_ = ::open(path.c_str(), kFlags);
  while (file.fd_ < 0 && errno == EINTR);
  if (file.fd_ < 0) throw IoError("[file] cannot open", errno, path.string());
  struct stat status{};
  if (::fstat(file.fd_, &status) != 0) throw IoError("[file] cannot stat", errno, path.string());
  if (S_ISDIR(status.st_mode)) throw IoError("[file] cannot open", EISDIR, path.string());
  if (!S_ISREG(status.st_mode))
    throw FormatError(concat("[file] expected a regular file (", path.string(), ")"));
  file.size_ = static_cast<std::uint64_t>(status.st_size);
  if (mode == FileMode::direct) file.try_direct();
  return file;
}

FLASHLM_INLINE File& File::operator=(File&& other) noexcept {
  File(std::move(other)).swap(*this);
  return *this;
}

FLASHLM_INLINE File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

FLASHLM_INLINE Extent File::superset(Extent wanted) const noexcept {
  const Extent around = wanted.aligned(alignment_);
  return {around.offset, std::max(wanted.end(), std::min(around.end(), size_)) - around.offset};
}

FLASHLM_INLINE void File::read(std::uint64_t offset, std::span<std::byte> into) const {
  AlignedBuffer bounce;
  if (bounces(offset, into)) bounce = AlignedBuffer(std::max(kBounceBytes, alignment_));
  read(offset, into, bounce.bytes());
}

FLASHLM_INLINE void File::read(std::uint64_t offset, std::span<std::byte> into,
                               std::span<std::byte> bounce) const {
  if (!Extent{offset, into.size()}.inside(size_)) throw ended_early(offset, into.size(), size_);
  const std::size_t room = bounce.size() & ~(alignment_ - 1);
  while (!into.empty()) {
    const std::size_t skew = offset & (alignment_ - 1);
    const bool address_fits = (address(into) & (alignment_ - 1)) == skew;
    const std::size_t whole = into.size() & ~(alignment_ - 1);
    std::size_t n;
    if (skew == 0 && address_fits && whole > 0) {
      n = whole;
      read_aligned(offset, into.data(), n, n);
    } else {
      FLASHLM_ASSERT(room > 0);
      // With a fitting address only the ragged ends bounce, otherwise everything does.
      n = std::min(into.size(), (address_fits ? alignment_ : room) - skew);
      const std::size_t length = (skew + n + alignment_ - 1) & ~(alignment_ - 1);
      read_aligned(offset - skew, bounce.data(), length, skew + n);
      std::copy_n(bounce.data() + skew, n, into.data());
    }
    offset += n;
    into = into.subspan(n);
  }
}

FLASHLM_INLINE bool File::bounces(std::uint64_t offset,
                                  std::span<const std::byte> into) const noexcept {
  return ((offset | address(into) | into.size()) & (alignment_ - 1)) != 0;
}

FLASHLM_INLINE std::uintptr_t File::address(std::span<const std::byte> bytes) noexcept {
  return reinterpret_cast<std::uintptr_t>(bytes.data());
}

FLASHLM_ONCE FormatError File::ended_early(std::uint64_t offset, std::uint64_t wanted,
                                           std::uint64_t end) const {
  return FormatError(concat("[file] too short: expected ", wanted, " bytes at ", offset,
                            ", got an end at ", end, " (", path_.string(),
                            "). Was the copy cut short?"));
}

FLASHLM_INLINE void File::read_aligned(std::uint64_t offset, std::byte* into, std::size_t length,
                                       std::size_t needed) const {
  std::size_t done = 0;
  while (done < needed) {
    const ssize_t n = ::pread(fd_, into + done, std::min(length - done, kLargestRead),
                              static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw IoError("[file] cannot read", errno, path_.string());
    const std::size_t reached = done + static_cast<std::size_t>(n);
    // A direct read goes on at an aligned place only: what a short read left beyond it is read once
    // more.
    const std::size_t next = reached < needed ? reached & ~(alignment_ - 1) : reached;
    if (next == done) throw ended_early(offset, needed, offset + reached);
    done = next;
  }
}

FLASHLM_ONCE void File::try_direct() noexcept {
#if defined(O_DIRECT)
  const int flags = ::fcntl(fd_, F_GETFL);
  if (size_ == 0 || flags < 0 || in_memory() || ::fcntl(fd_, F_SETFL, flags | O_DIRECT) != 0)
    return;
  std::size_t candidates[] = {512, kPageBytes};
#if defined(STATX_DIOALIGN)
  struct statx status{};
  if (::statx(fd_, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0 &&
      (status.stx_mask & STATX_DIOALIGN) != 0) {
    candidates[0] = std::max(status.stx_dio_mem_align, status.stx_dio_offset_align);
  }
#endif
  for (const std::size_t unit : candidates) {
    if (!probe(unit)) continue;
    direct_ = true;
    alignment_ = unit;
    return;
  }
  ::fcntl(fd_, F_SETFL, flags);
#elif defined(F_NOCACHE)
  direct_ = size_ > 0 && ::fcntl(fd_, F_NOCACHE, 1) == 0;
  if (direct_) alignment_ = kPageBytes;
#endif
}

FLASHLM_ONCE bool File::in_memory() const noexcept {
#if defined(__linux__)
  constexpr auto kTmpfs = 0x01021994;  // statfs(2)
  struct statfs system{};
  return ::fstatfs(fd_, &system) == 0 && system.f_type == kTmpfs;
#else
  return false;
#endif
}

FLASHLM_ONCE bool File::probe(std::size_t unit) const noexcept {
  if (unit < 2 || unit > (std::size_t{1} << 20) || !std::has_single_bit(unit)) return false;
  try {
    AlignedBuffer buffer(2 * std::max(unit, kPageBytes));
    const std::uint64_t offset = size_ > unit ? unit : 0;
    ssize_t n;
    do n = ::pread(fd_, buffer.data() + unit, unit, static_cast<off_t>(offset));
    while (n < 0 && errno == EINTR);
    return n > 0;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

FLASHLM_INLINE void File::swap(File& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  std::swap(alignment_, other.alignment_);
  std::swap(direct_, other.direct_);
}

FLASHLM_ONCE std::string read_text(const std::filesystem::path& path, std::uint64_t limit) {
  const File file = File::open(path);
  if (file.size() > limit) {
    throw FormatError(concat("[file] too long: expected at most ", limit, " bytes, got ",
                             file.size(), " (", path.string(), ")"));
  }
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
