// SPDX-License-Identifier: Apache-2.0
#include "flashlm/compute/backend.hpp"

#include <type_traits>

#include "support/catch.hpp"

TEST_CASE("programs compute with the processor's kernels") {
  CHECK(std::is_same_v<flashlm::compute::Backend, flashlm::compute::Cpu>);
}
