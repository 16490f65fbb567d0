// SPDX-License-Identifier: Apache-2.0
#include "flashlm/sparse/neuron_window.hpp"

#include <set>
#include <vector>

#include "support/allocation_counter.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::sparse;

namespace {

/// One token of one layer that uses `ids`; how many were not here.
std::size_t token(NeuronWindow& window, const std::vector<NeuronId>& ids, std::size_t layer = 0) {
  if (layer == 0) window.begin_token();
  std::size_t misses = 0;
  for (const NeuronId id : ids) {
    window.use(layer, id);
    if (window.find(layer, id) != NeuronWindow::kNoRow) continue;
    ++misses;
    if (!window.keeps_nothing() && window.n_free() > 0) window.keep(layer, id);
  }
  window.make_room(misses);
  return misses;
}

const std::vector<std::size_t> kNeurons{100, 100};

}  // namespace

TEST_CASE("rows belong to one neuron each, and come back when it leaves") {
  NeuronWindow window(kNeurons, 20, 64, LruEviction{});
  CHECK(window.n_rows() == 20);
  for (NeuronId first = 0; first < 90; first += 3) {
    token(window, {first, first + 1, first + 2}, 0);
    token(window, {first, first + 5}, 1);
    std::set<NeuronWindow::Row> rows;
    std::size_t here = 0;
    for (std::size_t layer = 0; layer < 2; ++layer) {
      for (NeuronId id = 0; id < 100; ++id) {
        const NeuronWindow::Row row = window.find(layer, id);
        if (row == NeuronWindow::kNoRow) continue;
        ++here;
        rows.insert(row);
      }
    }
    CHECK(rows.size() == here);
    CHECK(here + window.n_free() == 20);
    CHECK(window.n_free() >= 1);
  }
  CHECK(window.evictions() > 0);
  CHECK(window.window() > 1);
}

TEST_CASE("a window of fixed length forgets what its tokens did not use") {
  NeuronWindow window(kNeurons, 50, 64, WindowEviction{2});
  CHECK(token(window, {1, 2}) == 2);
  CHECK(token(window, {2, 3}) == 1);
  CHECK(token(window, {4}) == 1);
  CHECK(window.find(0, 1) != NeuronWindow::kNoRow);
  CHECK(token(window, {4}) == 0);
  CHECK(window.find(0, 1) == NeuronWindow::kNoRow);
  CHECK(window.find(0, 2) != NeuronWindow::kNoRow);
  CHECK(token(window, {1}) == 1);
  CHECK(window.window() == 2);
}

TEST_CASE("the oldest leave first where time counts, the rarest where uses do") {
  for (const Eviction& eviction : {Eviction{LruEviction{}}, Eviction{FrequencyEviction{}}}) {
    NeuronWindow window({kNeurons.data(), 1}, 8, 64, eviction);
    for (int i = 0; i < 5; ++i) token(window, {1, 2});
    for (NeuronId id = 10; id < 30; ++id) token(window, {id});
    const bool kept = window.find(0, 1) != NeuronWindow::kNoRow;
    CHECK(kept == std::holds_alternative<FrequencyEviction>(eviction));
    if (!kept) CHECK(window.find(0, 29) != NeuronWindow::kNoRow);
  }
}

TEST_CASE("below one token's neurons nothing is kept by time, since it would never be found") {
  NeuronWindow window({kNeurons.data(), 1}, 10, 64, LruEviction{});
  std::vector<NeuronId> many;
  for (NeuronId id = 0; id < 40; ++id) many.push_back(id);
  for (int i = 0; i < 3; ++i) token(window, many);
  CHECK(window.keeps_nothing());
  CHECK(window.window() == 0);
  CHECK(window.n_free() == 10);
  for (int i = 0; i < 3; ++i) token(window, {1, 2});
  CHECK_FALSE(window.keeps_nothing());
  CHECK(token(window, {1, 2}) == 0);
}

TEST_CASE("a window allocates nothing after it was made, and refuses to have no row") {
  NeuronWindow window(kNeurons, 16, 64, CombinedEviction{});
  std::vector<NeuronId> ids{0, 0, 0};
  const std::size_t before = support::allocation_count();
  for (NeuronId first = 0; first < 90; ++first) {
    for (std::size_t i = 0; i < 3; ++i) ids[i] = static_cast<NeuronId>((first * 7 + i) % 100);
    token(window, ids);
  }
  CHECK(support::allocation_count() == before);
  CHECK_THROWS_AS(NeuronWindow(kNeurons, 0, 64, LruEviction{}), ShapeError);
}
