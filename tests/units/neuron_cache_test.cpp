// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/neuron_cache.hpp"

#include <set>
#include <vector>

#include "flashlm/base/error.hpp"
#include "support/allocation_counter.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::units;

namespace {

/// One token of one layer that uses `ids`; how many were not here.
std::size_t token(NeuronCache& cache, const std::vector<NeuronId>& ids, std::size_t layer = 0) {
  if (layer == 0) cache.begin_token();
  std::size_t misses = 0;
  for (const NeuronId id : ids) {
    cache.use(layer, id);
    if (cache.find(layer, id) != NeuronCache::kNoRow) continue;
    ++misses;
    if (!cache.keeps_nothing() && cache.n_free() > 0) cache.keep(layer, id);
  }
  cache.make_room(misses);
  return misses;
}

const std::vector<std::size_t> kNeurons{100, 100};

}  // namespace

TEST_CASE("rows belong to one neuron each, and come back when it leaves") {
  NeuronCache cache(kNeurons, 20, 64, LruEviction{});
  CHECK(cache.n_rows() == 20);
  for (NeuronId first = 0; first < 90; first += 3) {
    token(cache, {first, first + 1, first + 2}, 0);
    token(cache, {first, first + 5}, 1);
    std::set<NeuronCache::Row> rows;
    std::size_t here = 0;
    for (std::size_t layer = 0; layer < 2; ++layer) {
      for (NeuronId id = 0; id < 100; ++id) {
        const NeuronCache::Row row = cache.find(layer, id);
        if (row == NeuronCache::kNoRow) continue;
        ++here;
        rows.insert(row);
      }
    }
    CHECK(rows.size() == here);
    CHECK(here + cache.n_free() == 20);
    CHECK(cache.n_free() >= 1);
  }
  CHECK(cache.evictions() > 0);
  CHECK(cache.window() > 1);
}

TEST_CASE(
    "a cache that shrinks keeps what is worth most, bytes and all, and goes on with fewer rows") {
  NeuronCache cache(kNeurons, 40, 64, FrequencyEviction{});
  for (NeuronId id = 0; id < 30; ++id) {
    cache.begin_token();
    for (int uses = id >= 24 ? 9 : 1; uses > 0; --uses) cache.use(1, id);
    const NeuronCache::Row row = cache.free_row(0);
    cache.keep(1, id);
    for (std::size_t at = 0; at < 64; ++at) cache.data(row)[at] = static_cast<std::byte>(id);
  }
  cache.shrink(60);
  CHECK(cache.n_rows() == 40);
  cache.shrink(12);
  CHECK(cache.n_rows() == 12);
  CHECK(cache.n_free() >= 1);
  std::set<NeuronCache::Row> rows;
  std::size_t favourites = 0;
  for (NeuronId id = 0; id < 100; ++id) {
    const NeuronCache::Row row = cache.find(1, id);
    if (row == NeuronCache::kNoRow) continue;
    REQUIRE(row < 12);
    CHECK(rows.insert(row).second);
    for (std::size_t at = 0; at < 64; ++at)
      REQUIRE(cache.data(row)[at] == static_cast<std::byte>(id));
    favourites += id >= 24 ? 1 : 0;
  }
  CHECK(rows.size() + cache.n_free() == 12);
  CHECK(favourites == 6);
  for (NeuronId first = 0; first < 90; first += 3) {
    token(cache, {first, first + 1, first + 2}, 0);
    CHECK(cache.n_free() >= 1);
  }
  cache.shrink(1);
  CHECK(cache.n_rows() == 1);
  token(cache, {5});
  CHECK(cache.n_free() == 1);
}

TEST_CASE("a window of fixed length forgets what its tokens did not use") {
  NeuronCache cache(kNeurons, 50, 64, WindowEviction{2});
  CHECK(token(cache, {1, 2}) == 2);
  CHECK(token(cache, {2, 3}) == 1);
  CHECK(token(cache, {4}) == 1);
  CHECK(cache.find(0, 1) != NeuronCache::kNoRow);
  CHECK(token(cache, {4}) == 0);
  CHECK(cache.find(0, 1) == NeuronCache::kNoRow);
  CHECK(cache.find(0, 2) != NeuronCache::kNoRow);
  CHECK(token(cache, {1}) == 1);
  CHECK(cache.window() == 2);
}

TEST_CASE("the oldest leave first where time counts, the rarest where uses do") {
  for (const Eviction& eviction : {Eviction{LruEviction{}}, Eviction{FrequencyEviction{}}}) {
    NeuronCache cache({kNeurons.data(), 1}, 8, 64, eviction);
    for (int i = 0; i < 5; ++i) token(cache, {1, 2});
    for (NeuronId id = 10; id < 30; ++id) token(cache, {id});
    const bool kept = cache.find(0, 1) != NeuronCache::kNoRow;
    CHECK(kept == std::holds_alternative<FrequencyEviction>(eviction));
    if (!kept) CHECK(cache.find(0, 29) != NeuronCache::kNoRow);
  }
}

TEST_CASE("below one token's neurons nothing is kept by time, since it would never be found") {
  NeuronCache cache({kNeurons.data(), 1}, 10, 64, LruEviction{});
  std::vector<NeuronId> many;
  for (NeuronId id = 0; id < 40; ++id) many.push_back(id);
  for (int i = 0; i < 3; ++i) token(cache, many);
  CHECK(cache.keeps_nothing());
  CHECK(cache.window() == 0);
  CHECK(cache.n_free() == 10);
  for (int i = 0; i < 3; ++i) token(cache, {1, 2});
  CHECK_FALSE(cache.keeps_nothing());
  CHECK(token(cache, {1, 2}) == 0);
}

TEST_CASE("a cache allocates nothing after it was made, and refuses to have no row") {
  NeuronCache cache(kNeurons, 16, 64, CombinedEviction{});
  std::vector<NeuronId> ids{0, 0, 0};
  const std::size_t before = support::allocation_count();
  for (NeuronId first = 0; first < 90; ++first) {
    for (std::size_t i = 0; i < 3; ++i) ids[i] = static_cast<NeuronId>((first * 7 + i) % 100);
    token(cache, ids);
  }
  CHECK(support::allocation_count() == before);
  CHECK_THROWS_AS(NeuronCache(kNeurons, 0, 64, LruEviction{}), ShapeError);
}
