// SPDX-License-Identifier: Apache-2.0
/// cpu_test.cpp: the choice of an instruction set, and the variable that forces it.
#include "flashlm/compute/cpu/isa/cpu.hpp"

#include <cstdlib>
#include <optional>
#include <string>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using namespace flashlm;

namespace {

/// Sets FLASHLM_ISA, and puts it back in the end.
class ForcedIsa {
 public:
  explicit ForcedIsa(const char* value) {
    if (const char* before = std::getenv("FLASHLM_ISA")) before_ = before;
    ::setenv("FLASHLM_ISA", value, 1);
  }
  ~ForcedIsa() {
    if (before_) {
      ::setenv("FLASHLM_ISA", before_->c_str(), 1);
    } else {
      ::unsetenv("FLASHLM_ISA");
    }
  }

 private:
  std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("every processor can run scalar code") { CHECK(supports(Isa::scalar)); }

TEST_CASE("the chosen instruction set is supported, and none that is has wider vectors") {
  const ForcedIsa none("");
  CHECK(supports(choose_isa()));
  for (const Isa isa : {Isa::scalar, Isa::neon, Isa::avx2, Isa::avx512})
    CHECK((!supports(isa) || isa <= choose_isa()));
}

TEST_CASE("FLASHLM_ISA forces an instruction set") {
  const ForcedIsa forced("scalar");
  CHECK(choose_isa() == Isa::scalar);
}

TEST_CASE("FLASHLM_ISA must name a known and supported instruction set") {
  const ForcedIsa forced("mmx");
  CHECK_THROWS_AS(choose_isa(), ArgumentError);
  CHECK_THROWS_WITH(choose_isa(), Catch::Matchers::ContainsSubstring("got 'mmx'"));
  const ForcedIsa unsupported(supports(Isa::neon) ? "avx2" : "neon");
  CHECK_THROWS_AS(choose_isa(), ArgumentError);
  CHECK_THROWS_WITH(choose_isa(), Catch::Matchers::ContainsSubstring("scalar; got "));
}

TEST_CASE("an instruction set has a name") {
  CHECK(name(Isa::scalar) == "scalar");
  CHECK(name(Isa::neon) == "neon");
  CHECK(name(Isa::avx2) == "avx2");
  CHECK(name(Isa::avx512) == "avx512");
}
