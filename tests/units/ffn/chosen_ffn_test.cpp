// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/ffn/chosen_ffn.hpp"

#include <vector>

#include "flashlm/units/ffn/paper_ffn.hpp"
#include "flashlm/units/ffn/windowed_ffn.hpp"
#include "support/catch.hpp"
#include "support/ffn_fixture.hpp"

using namespace flashlm;
using namespace flashlm::units;
using support::kTokens;

namespace {

/// What a pass of a fixture counts, with `n_rows` rows.
template <class Ffn>
Stats counted(support::FfnFixture& fixture, Eviction eviction, std::size_t n_rows,
              std::size_t batch) {
  const Selector gate = fixture.selector("gate");
  Ffn ffn(fixture.bundles, fixture.reader, fixture.parallel, gate, 1u << 20,
          {.max_tokens = kTokens, .n_rows = n_rows, .eviction = eviction});
  fixture.stats = {};
  fixture.pass(ffn, batch);
  return fixture.stats;
}

}  // namespace

TEST_CASE("every neuron that was chosen is a hit or a miss, however rows are kept") {
  support::FfnFixture fixture(support::single_neuron_shape(true));
  for (const std::size_t n_rows : {3u, 40u, 450u}) {
    for (const std::size_t batch : {1u, 2u, 6u}) {
      CAPTURE(n_rows, batch);
      const Stats windowed = counted<WindowedFfn>(fixture, LruEviction{}, n_rows, batch);
      const Stats paper = counted<PaperFfn>(fixture, PaperEviction{}, n_rows, batch);
      CHECK(windowed.selected > 0);
      CHECK(windowed.hits + windowed.misses == windowed.selected);
      CHECK(paper.hits + paper.misses == paper.selected);
      CHECK(paper.selected == windowed.selected);
      CHECK(windowed.select_seconds > 0);
    }
  }
}

TEST_CASE("an object without rows takes what its parts take, and each row some more") {
  support::FfnFixture fixture(support::single_neuron_shape(true));
  const ChosenFfnOptions one{.max_tokens = 1}, many{.max_tokens = kTokens};
  CHECK(WindowedFfn::bytes(fixture.bundles, many) > WindowedFfn::bytes(fixture.bundles, one));
  const std::size_t stride = fixture.bundles.layout(0).stride;
  CHECK(WindowedFfn::row_bytes(fixture.bundles) == stride + WindowedRows::index_bytes());
  CHECK(PaperFfn::row_bytes(fixture.bundles) == stride + PaperRows::index_bytes());
}
