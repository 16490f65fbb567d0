// SPDX-License-Identifier: Apache-2.0
/// threads_reader.cpp: a reader refers to its files, so it refuses files that are about to vanish.
#include "flashlm/storage/readers/threads_reader.hpp"

#include <utility>
#include <vector>

using namespace flashlm;

void use(std::vector<storage::File>& files) {
#ifdef MUST_NOT_COMPILE
  const storage::ThreadsReader reader(std::move(files));
#else
  const storage::ThreadsReader reader(files);
#endif
}
