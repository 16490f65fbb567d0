// SPDX-License-Identifier: Apache-2.0
/// error_test.cpp: one tree of errors, with messages that say enough.
#include "flashlm/base/error.hpp"

#include <cerrno>
#include <type_traits>

#include "support/catch.hpp"

using namespace flashlm;

TEST_CASE("every error is an Error, and no kind of error is another kind") {
  CHECK(std::is_base_of_v<std::runtime_error, Error>);
  CHECK(std::is_base_of_v<Error, IoError>);
  CHECK(std::is_base_of_v<Error, FormatError>);
  CHECK(std::is_base_of_v<Error, ShapeError>);
  CHECK(std::is_base_of_v<Error, ArgumentError>);
  CHECK(std::is_base_of_v<Error, BudgetError>);
  CHECK_FALSE(std::is_base_of_v<FormatError, ShapeError>);
}

TEST_CASE("an IoError carries the system's code and words, and the path") {
  const IoError error("[file] cannot open", ENOENT, "model.flash/flashlm.json");
  CHECK(error.code() == ENOENT);
  CHECK(error.path() == "model.flash/flashlm.json");
  CHECK(std::string(error.what()) ==
        "[file] cannot open: No such file or directory (model.flash/flashlm.json)");
}

TEST_CASE("a BudgetError names the smallest budget that would work") {
  CHECK(BudgetError("[memory_plan] too small", 1000).smallest_bytes() == 1000);
}

TEST_CASE("concat joins words and numbers") {
  CHECK(concat("expected ", 3, ", got ", 4.5) == "expected 3, got 4.5");
}

#ifndef NDEBUG
TEST_CASE("FLASHLM_ASSERT names the condition that is not true") {
  const int n = 3;
  CHECK_NOTHROW(FLASHLM_ASSERT(n == 3));
  CHECK_THROWS_WITH(FLASHLM_ASSERT(n == 4), Catch::Matchers::ContainsSubstring("not true: n == 4"));
}
#endif
