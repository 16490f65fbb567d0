// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/open_reader.hpp"

#include <vector>

#include "support/catch.hpp"

using namespace flashlm::storage;

TEST_CASE("auto opens a reader that works here") {
  const std::vector<File> files;
  CHECK(open_reader("auto", files)->name() == "threads");
  CHECK(open_reader("threads", files)->name() == "threads");
}

TEST_CASE("an unknown reader is an ArgumentError") {
  const std::vector<File> files;
  CHECK_THROWS_AS(open_reader("telepathy", files), flashlm::ArgumentError);
}
