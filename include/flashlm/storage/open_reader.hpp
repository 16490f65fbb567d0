// SPDX-License-Identifier: Apache-2.0
/// open_reader.hpp: a reader by its name.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/file.hpp"
#include "flashlm/storage/reader.hpp"
#include "flashlm/storage/threads_reader.hpp"
#include "flashlm/storage/uring_reader.hpp"

namespace flashlm::inline v0::storage {

namespace detail {

/// A ring, or instead of one of the usual size a small one where kernels before 5.12 count it as locked memory, of
/// which there is none.
inline std::unique_ptr<Reader> open_ring(const std::vector<File>& files, UringReaderOptions options) {
  try {
    return std::make_unique<UringReader>(files, options);
  } catch (const IoError& error) {
    if (error.code() != ENOMEM || options.capacity != UringReaderOptions().capacity) throw;
  }
  options.capacity = options.kSmallCapacity;
  return std::make_unique<UringReader>(files, options);
}

}  // namespace detail

/// The reader called `name` over `files`, which must outlive it; "auto" takes the best that this system allows.
///
/// "auto" is "uring" if all files are direct and one read by io_uring works, else "threads". `depth` is how many reads
/// are at the device at once; 0 leaves it to the reader. Throws ArgumentError for an unknown name or depth; IoError if
/// "uring" is asked for and is forbidden.
inline std::unique_ptr<Reader> open_reader(std::string_view name, const std::vector<File>& files,
                                           std::size_t depth = 0) {
  if (name != "auto" && name != "threads" && name != "uring") {
    throw ArgumentError(concat("[open_reader] name: expected auto, threads or uring, got '", name, "'"));
  }
  UringReaderOptions uring;
  ThreadsReaderOptions threads;
  if (depth > 0) {
    uring.capacity = depth;
    threads.n_threads = static_cast<int>(std::min<std::size_t>(depth, 1025));  // beyond 1024 it is refused
  }
  if (name == "uring") return detail::open_ring(files, uring);
  const bool direct = std::all_of(files.begin(), files.end(), [](const File& file) { return file.direct(); });
  if (name == "auto" && direct) {
    try {
      return detail::open_ring(files, uring);
    } catch (const IoError&) {
      // Forbidden here; threads read everywhere.
    }
  }
  return std::make_unique<ThreadsReader>(files, threads);
}

}  // namespace flashlm::inline v0::storage
