// SPDX-License-Identifier: Apache-2.0
/// uring_reader.cpp: a reader refers to its files, so it refuses files that are about to vanish.
#include "flashlm/storage/readers/uring_reader.hpp"

#include <utility>
#include <vector>

using namespace flashlm;

void use(std::vector<storage::File>& files) {
#ifdef MUST_NOT_COMPILE
  const storage::UringReader reader(std::move(files));
#else
  const storage::UringReader reader(files);
#endif
}
