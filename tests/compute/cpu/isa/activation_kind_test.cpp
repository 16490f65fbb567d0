// SPDX-License-Identifier: Apache-2.0
#include "flashlm/compute/cpu/isa/activation_kind.hpp"

#include "support/catch.hpp"

namespace kernels = flashlm::kernels;
using kernels::Activation;

TEST_CASE("an activation has a name and is found by it") {
  for (const Activation activation :
       {Activation::silu, Activation::relu, Activation::relu2, Activation::fatrelu,
        Activation::gelu_erf, Activation::gelu_tanh, Activation::clamped_swiglu}) {
    CHECK(kernels::activation_of(kernels::name(activation)) == activation);
    CHECK(kernels::activation_names().find(kernels::name(activation)) != std::string::npos);
  }
  CHECK(kernels::name(Activation::relu2) == "relu2");
  CHECK_FALSE(kernels::activation_of("swish").has_value());
}

TEST_CASE("the family of ReLU makes zeros, the others do not") {
  CHECK(kernels::is_sparse(Activation::relu));
  CHECK(kernels::is_sparse(Activation::relu2));
  CHECK(kernels::is_sparse(Activation::fatrelu));
  CHECK_FALSE(kernels::is_sparse(Activation::silu));
  CHECK_FALSE(kernels::is_sparse(Activation::gelu_tanh));
  CHECK_FALSE(kernels::is_sparse(Activation::gelu_erf));
  CHECK_FALSE(kernels::is_sparse(Activation::clamped_swiglu));
}
