// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/select/activation_tap.hpp"

#include <limits>
#include <stdexcept>
#include <vector>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using flashlm::units::ActivationTap;

TEST_CASE("a tap shows the activations of all neurons, however they were cut") {
  std::vector<float> seen;
  std::size_t seen_layer = 0;
  ActivationTap tap(3, 5,
                    [&](std::size_t layer, std::size_t n_tokens, std::span<const float> x,
                        std::span<const float> h) {
                      CHECK(n_tokens == 2);
                      CHECK(x.size() == 4);
                      seen_layer = layer;
                      seen.assign(h.begin(), h.end());
                    });
  const std::vector<float> first{1, 2, 3, 0,
                                 6, 7, 8, 0};  // neurons 0 to 2 of two tokens, 4 floats apart
  const std::vector<float> rest{4, 5, 9, 10};
  tap.put(0, 3, 2, first.data(), 4);
  tap.put(3, 2, 2, rest.data(), 2);
  tap.finish(7, 2, std::vector<float>(4, 1.0f));
  CHECK(seen_layer == 7);
  CHECK(seen == std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
}

TEST_CASE("numbers that are not finite are a FormatError that names their place") {
  ActivationTap tap(
      1, 2, [](std::size_t, std::size_t, std::span<const float>, std::span<const float>) {});
  const std::vector<float> good{1, 2}, bad{1, std::numeric_limits<float>::quiet_NaN()};
  tap.put(0, 2, 1, bad.data(), 2);
  CHECK_THROWS_AS(tap.finish(0, 1, good), FormatError);
  CHECK_THROWS_WITH(tap.finish(3, 1, good),
                    Catch::Matchers::Contains("activation") &&
                        Catch::Matchers::Contains("layer 3, token 0, number 1"));
  tap.put(0, 2, 1, good.data(), 2);
  CHECK_THROWS_AS(tap.finish(0, 1, bad), FormatError);
  CHECK_NOTHROW(tap.finish(0, 1, good));
}

TEST_CASE("an observer may stop a run by throwing") {
  ActivationTap tap(1, 1,
                    [](std::size_t, std::size_t, std::span<const float>, std::span<const float>) {
                      throw std::runtime_error("enough");
                    });
  const float one = 1;
  tap.put(0, 1, 1, &one, 1);
  CHECK_THROWS_AS(tap.finish(0, 1, {&one, 1}), std::runtime_error);
}
