// SPDX-License-Identifier: Apache-2.0
/// bundle_stream.cpp: a stream keeps a pointer to its bundle file, so a temporary one is refused.
#include "flashlm/sparse/bundle_stream.hpp"

#include <cstddef>
#include <utility>
#include <vector>

void make(flashlm::storage::BundleFile& file, flashlm::storage::Reader& reader, const std::vector<std::size_t>& first) {
#ifdef MUST_NOT_COMPILE
  flashlm::sparse::BundleStream stream(std::move(file), reader, first, {2, 4096});
#else
  flashlm::sparse::BundleStream stream(file, reader, first, {2, 4096});
#endif
  stream.restart();
}
