// SPDX-License-Identifier: Apache-2.0
/// dispatch_test.cpp: which kernels run.
#include "flashlm/compute/cpu/isa/dispatch.hpp"

#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace kernels = flashlm::kernels;
using flashlm::Isa;

TEST_CASE("the portable kernels run on every processor") {
  REQUIRE(flashlm::supports(Isa::scalar));
  REQUIRE(kernels::table(Isa::scalar).isa == Isa::scalar);
}

TEST_CASE("every supported instruction set has its own kernels, several in one process") {
  for (Isa isa : support::isas()) {
    REQUIRE(kernels::table(isa).isa == isa);
    if (isa != Isa::scalar)
      REQUIRE(kernels::table(isa).matmul != kernels::table(Isa::scalar).matmul);
  }
}

TEST_CASE("the process uses the kernels of choose_isa") {
  REQUIRE(kernels::active().isa == flashlm::choose_isa());
  REQUIRE(&kernels::active() == &kernels::table(flashlm::choose_isa()));
}
