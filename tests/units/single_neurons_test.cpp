// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/single_neurons.hpp"

#include "support/bundle_fixture.hpp"
#include "support/catch.hpp"
#include "support/ffn_fixture.hpp"

using namespace flashlm;

TEST_CASE("single neurons are counted layer by layer") {
  const support::BundleFixture fixture(support::single_neuron_shape(true));
  const units::SingleNeurons all(fixture.bundles);
  CHECK(all.counts.size() == fixture.bundles.n_layers());
  CHECK(all.most == fixture.bundles.layout(0).n_neurons);
  CHECK(all.total == all.most * all.counts.size());
  CHECK(all.stride == fixture.bundles.layout(0).stride);
}

TEST_CASE("bundles of many neurons are no single neurons") {
  support::TinyShape shape = support::single_neuron_shape(true);
  shape.neurons_per_bundle = 32;
  const support::BundleFixture fixture(shape);
  CHECK_THROWS_AS(units::SingleNeurons(fixture.bundles), ShapeError);
}
