// SPDX-License-Identifier: Apache-2.0
#include "flashlm/training/threshold.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "support/catch.hpp"
#include "support/planted_activations.hpp"

using namespace flashlm;
using namespace flashlm::training;

namespace {

LowRank guess(const support::PlantedActivations& planted) {
  LowRank made = LowRank::zeros(4, planted.dim, planted.n_neurons);
  Random random(3);
  for (std::vector<float>* part : {&made.reduce, &made.expand, &made.bias})
    for (float& value : *part) value = random.uniform(-1.0F, 1.0F);
  return made;
}

}  // namespace

TEST_CASE("a threshold finds the mass that it was asked for, and hardly more") {
  const support::PlantedActivations planted(300);
  const LowRank predictor = guess(planted);
  Parallel parallel(2);
  double before = 0;
  for (const double recall : {0.3, 0.9, 0.99, 1.0}) {
    const float threshold = find_threshold(predictor, planted.all(), recall, parallel);
    const Quality quality = measure(predictor, threshold, planted.all(), parallel);
    CHECK(quality.mass_recall >= recall - 1e-9);
    CHECK(quality.mass_recall < recall + 0.01);
    CHECK(quality.predicted > before);
    before = quality.predicted;
    const float above = std::nextafter(threshold, std::numeric_limits<float>::infinity());
    CHECK(measure(predictor, above, planted.all(), parallel).mass_recall < recall);
  }
}

TEST_CASE("a threshold below everything selects all neurons") {
  const support::PlantedActivations planted(100);
  Parallel parallel(1);
  const float lowest = std::numeric_limits<float>::lowest();
  const Quality quality = measure(guess(planted), lowest, planted.all(), parallel);
  CHECK(quality.predicted == 1);
  CHECK(quality.recall == 1);
  CHECK(quality.mass_recall == Approx(1));
  CHECK(quality.precision == quality.active);
}

TEST_CASE("where nothing fires nothing need be selected") {
  support::PlantedActivations planted(20);
  std::fill(planted.codes.begin(), planted.codes.end(), std::uint8_t{0});
  Parallel parallel(1);
  const float threshold = find_threshold(guess(planted), planted.all(), 0.9, parallel);
  CHECK(threshold == std::numeric_limits<float>::max());
  const Quality quality = measure(guess(planted), threshold, planted.all(), parallel);
  CHECK(quality.predicted == 0);
  CHECK(quality.recall == 1);
  CHECK(quality.precision == 1);
}

TEST_CASE("a recall out of range, another shape and logits that are no numbers are refused") {
  const support::PlantedActivations planted(20);
  Parallel parallel(1);
  for (const double recall : {0.0, 1.5, static_cast<double>(NAN)})
    CHECK_THROWS_AS(find_threshold(guess(planted), planted.all(), recall, parallel), ArgumentError);
  LowRank wrong = guess(planted);
  wrong.bias.pop_back();
  CHECK_THROWS_AS(measure(wrong, 0, planted.all(), parallel), ShapeError);
  wrong = guess(planted);
  std::fill(wrong.bias.begin(), wrong.bias.end(), NAN);
  CHECK_THROWS_WITH(find_threshold(wrong, planted.all(), 0.9, parallel),
                    Catch::Matchers::ContainsSubstring("expected finite logits, got nan"));
}
