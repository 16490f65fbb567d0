// SPDX-License-Identifier: Apache-2.0
/// open_reader.ipp: the bodies of open_reader.hpp.
#pragma once

#include "flashlm/storage/readers/open_reader.hpp"

#include <algorithm>
#include <cerrno>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/readers/threads_reader.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

namespace detail {

FLASHLM_ONCE std::unique_ptr<Reader> open_ring(const std::vector<File>& files,
                                               UringReaderOptions options) {
  try {
    return std::make_unique<UringReader>(files, options);
  } catch (const IoError& error) {
    if (error.code() != ENOMEM || options.capacity != UringReaderOptions().capacity) throw;
  }
  options.capacity = options.kSmallCapacity;
  return std::make_unique<UringReader>(files, options);
}

}  // namespace detail

FLASHLM_ONCE std::unique_ptr<Reader> open_reader(std::string_view name,
                                                 const std::vector<File>& files,
                                                 std::size_t depth) {
  if (name != "auto" && name != "threads" && name != "uring") {
    throw ArgumentError(
        concat("[open_reader] name: expected auto, threads or uring, got '", name, "'"));
  }
  UringReaderOptions uring;
  ThreadsReaderOptions threads;
  if (depth > 0) {
    uring.capacity = depth;
    threads.n_threads =
        static_cast<int>(std::min<std::size_t>(depth, 1025));  // beyond 1024 it is refused
  }
  if (name == "uring") return detail::open_ring(files, uring);
  const bool direct =
      std::all_of(files.begin(), files.end(), [](const File& file) { return file.direct(); });
  if (name == "auto" && direct) {
    try {
      return detail::open_ring(files, uring);
    } catch (const IoError&) {
      // Forbidden here; threads read everywhere.
    }
  }
  return std::make_unique<ThreadsReader>(files, threads);
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
