// SPDX-License-Identifier: Apache-2.0
/// open_reader.hpp: a reader by its name.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "flashlm/storage/io/file.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/storage/readers/uring_reader.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

namespace detail {

/// A ring, or instead of one of the usual size a small one where kernels before 5.12 count it as
/// locked memory, of which there is none.
std::unique_ptr<Reader> open_ring(const std::vector<File>& files, UringReaderOptions options);

}  // namespace detail

/// The reader called `name` over `files`, which must outlive it; "auto" takes the best that this
/// system allows.
///
/// "auto" is "uring" if all files are direct and one read by io_uring works, else "threads".
/// `depth` is how many reads are at the device at once; 0 leaves it to the reader. Throws
/// ArgumentError for an unknown name or depth; IoError if "uring" is asked for and is forbidden.
std::unique_ptr<Reader> open_reader(std::string_view name, const std::vector<File>& files,
                                    std::size_t depth = 0);

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/readers/open_reader.ipp"
#endif
