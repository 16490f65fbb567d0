// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/ffn/selective_ffn.hpp"

#include <vector>

#include "support/catch.hpp"
#include "support/ffn_fixture.hpp"

using namespace flashlm;
using namespace flashlm::units;

TEST_CASE("the policy decides whether rows are summed as the paper does or exactly") {
  support::FfnFixture fixture(support::single_neuron_shape(true));
  const Selector gate = fixture.selector("gate");
  ChosenFfnOptions options{.max_tokens = support::kTokens, .n_rows = 200};
  const std::vector<float> dense = fixture.dense();
  SelectiveFfn exact(fixture.bundles, fixture.reader, fixture.parallel, gate, 1u << 20, options);
  CHECK(support::same_bits(fixture.pass(exact), dense));
  options.eviction = PaperEviction{};
  SelectiveFfn paper(fixture.bundles, fixture.reader, fixture.parallel, gate, 1u << 20, options);
  const std::vector<float> y = fixture.pass(paper);
  CHECK_FALSE(support::same_bits(y, dense));
  for (std::size_t at = 0; at < y.size(); ++at) REQUIRE(y[at] == Approx(dense[at]).margin(1e-4));
  CHECK(SelectiveFfn::bytes(fixture.bundles, options) ==
        PaperFfn::bytes(fixture.bundles, {.max_tokens = support::kTokens}));
  CHECK(SelectiveFfn::row_bytes(fixture.bundles, LruEviction{}) ==
        WindowedFfn::row_bytes(fixture.bundles));
  CHECK(SelectiveFfn::row_bytes(fixture.bundles, PaperEviction{}) ==
        PaperFfn::row_bytes(fixture.bundles));
}
