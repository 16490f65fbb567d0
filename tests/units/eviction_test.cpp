// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/eviction.hpp"

#include <cmath>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::units;

TEST_CASE("a policy is found by its name, and a window makes one") {
  for (const char* word : {"none", "window", "lru", "frequency", "combined", "paper"})
    CHECK(name(make_eviction(word)) == word);
  CHECK(name(make_eviction("auto")) == "combined");
  CHECK(name(make_eviction("auto", 5)) == "window");
  CHECK(std::get<WindowEviction>(make_eviction("window", 4)).n_tokens == 4);
  CHECK(std::get<WindowEviction>(make_eviction("window")).n_tokens == 0);
  CHECK(std::get<PaperEviction>(make_eviction("paper")).n_tokens == 5);
  CHECK(std::get<PaperEviction>(make_eviction("paper", 3)).n_tokens == 3);
  CHECK_THROWS_AS(make_eviction("random"), ArgumentError);
  CHECK_THROWS_AS(make_eviction("lru", 5), ArgumentError);
  CHECK_THROWS_AS(make_eviction("window", 0), ArgumentError);
}

TEST_CASE("results depend on no policy but the paper's") {
  CHECK(numerics(make_eviction("paper", 3)) == "paper 3");
  for (const char* word : {"none", "window", "lru", "frequency", "combined"}) {
    CHECK(numerics(make_eviction(word)).empty());
  }
}

TEST_CASE("what was used last, or more often, leaves later") {
  CHECK(LruEviction{}.used(0, 7) > LruEviction{}.used(900, 6));
  CHECK(WindowEviction{}.used(0, 7) > WindowEviction{}.used(900, 6));
  CHECK(FrequencyEviction{}.used(3, 1) > FrequencyEviction{}.used(2, 900));
}

TEST_CASE("in the combined policy a use counts for half after its half life") {
  const CombinedEviction policy{16};
  const auto count = [&](float key, std::uint32_t now) {
    return std::exp2(static_cast<double>(key) - static_cast<double>(now) / 16);
  };
  const float once = policy.used(0, 100);
  CHECK(count(once, 100) == Approx(1).epsilon(1e-4));
  CHECK(count(once, 116) == Approx(0.5).epsilon(1e-4));
  const float twice = policy.used(once, 116);
  CHECK(count(twice, 116) == Approx(1.5).epsilon(1e-4));
  // Two uses long ago are worth less than one now, two lately more.
  CHECK(policy.used(0, 160) > twice);
  CHECK(policy.used(0, 120) < twice);
}
