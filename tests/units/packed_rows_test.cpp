// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/packed_rows.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "support/allocation_counter.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::units;

namespace {

constexpr std::size_t kRowBytes = 64;

/// What a neuron's row holds.
std::vector<std::byte> bytes_of(std::size_t layer, NeuronId id) {
  std::vector<std::byte> bytes(kRowBytes);
  for (std::size_t at = 0; at < kRowBytes; ++at)
    bytes[at] = static_cast<std::byte>(7 * layer + 3 * id + at * (id + 1));
  return bytes;
}

/// One token of a layer; how many neurons were not there. Those that do not fit are left out.
std::size_t token(PackedRows& rows, std::size_t layer, const std::vector<NeuronId>& ids) {
  std::vector<NeuronId> misses;
  for (const NeuronId id : ids) {
    const std::uint32_t row = rows.find(layer, id);
    row == PackedRows::kNoRow ? misses.push_back(id) : rows.use(layer, row);
  }
  rows.make_room(layer,
                 std::min(misses.size(), rows.capacity(layer) - (ids.size() - misses.size())));
  for (const NeuronId id : misses) {
    if (rows.n_free(layer) == 0) break;
    std::memcpy(rows.row(layer, rows.used(layer)), bytes_of(layer, id).data(), kRowBytes);
    rows.append(layer, id, static_cast<float>(id) + 0.5f);
  }
  rows.end_token(layer, misses.size());
  return misses.size();
}

std::set<NeuronId> here(const PackedRows& rows, std::size_t layer) {
  const auto ids = rows.ids(layer);
  return {ids.begin(), ids.end()};
}

/// Ids and rows name each other, and each row has its neuron's bytes and bias.
void check_rows(PackedRows& rows, std::size_t layer, std::size_t n_neurons) {
  const std::span<const NeuronId> ids = rows.ids(layer);
  REQUIRE(rows.used(layer) <= rows.capacity(layer));
  REQUIRE(ids.size() == rows.used(layer));
  std::size_t found = 0;
  for (NeuronId id = 0; id < n_neurons; ++id) {
    const std::uint32_t row = rows.find(layer, id);
    if (row == PackedRows::kNoRow) continue;
    ++found;
    REQUIRE(row < ids.size());
    REQUIRE(ids[row] == id);
    REQUIRE(rows.biases(layer)[row] == static_cast<float>(id) + 0.5f);
    REQUIRE(std::memcmp(rows.row(layer, row), bytes_of(layer, id).data(), kRowBytes) == 0);
  }
  REQUIRE(found == ids.size());
}

std::vector<NeuronId> random_ids(Random& random, std::size_t n_neurons, double share) {
  std::vector<NeuronId> ids;
  for (NeuronId id = 0; id < n_neurons; ++id) {
    if (random.uniform(0.0f, 1.0f) < share) ids.push_back(id);
  }
  return ids;
}

}  // namespace

TEST_CASE("with room enough, what is here is what the last tokens used, whatever moved") {
  const std::vector<std::size_t> neurons{60, 30};
  for (const std::uint32_t window : {1u, 2u, 5u}) {
    PackedRows rows(neurons, 90, kRowBytes, window);
    std::vector<std::map<NeuronId, std::uint32_t>> used_at(2);
    Random random(window);
    for (std::uint32_t now = 1; now < 60; ++now) {
      for (std::size_t layer = 0; layer < 2; ++layer) {
        std::size_t misses = 0;
        const std::vector<NeuronId> ids = random_ids(random, neurons[layer], 0.2);
        for (const NeuronId id : ids) {
          const auto [found, is_new] = used_at[layer].insert({id, 0});
          misses += is_new || found->second + window < now ? 1 : 0;
          found->second = now;
        }
        REQUIRE(token(rows, layer, ids) == misses);
        std::set<NeuronId> expected;
        for (const auto& [id, at] : used_at[layer]) {
          if (at + window > now) expected.insert(id);
        }
        REQUIRE(here(rows, layer) == expected);
        check_rows(rows, layer, neurons[layer]);
      }
      CHECK(rows.window() == std::min(window, now));
    }
    CHECK(rows.moved() > 0);
    CHECK(rows.moved() <= rows.evictions());
  }
}

TEST_CASE("where rows run short the oldest leave, and the capacity is never exceeded") {
  const std::vector<std::size_t> neurons{80, 40};
  PackedRows rows(neurons, 30, kRowBytes, 5);
  CHECK(rows.capacity(0) == 20);
  CHECK(rows.capacity(1) == 10);
  std::map<NeuronId, std::uint32_t> used_at;
  Random random(3);
  for (std::uint32_t now = 1; now < 80; ++now) {
    const std::set<NeuronId> before = here(rows, 0);
    const std::vector<NeuronId> ids = random_ids(random, 80, now % 7 == 0 ? 0.5 : 0.1);
    for (const NeuronId id : ids) used_at[id] = now;
    token(rows, 0, ids);
    check_rows(rows, 0, 80);
    if (ids.size() > rows.capacity(0)) {
      CHECK(rows.window() == 0);
      continue;
    }
    // None that stays was used before one that left.
    const std::set<NeuronId> after = here(rows, 0);
    std::uint32_t oldest = now;
    for (const NeuronId id : after) oldest = std::min(oldest, used_at[id]);
    for (const NeuronId id : before) {
      if (after.count(id) == 0) REQUIRE(used_at[id] <= oldest);
    }
  }
  CHECK(here(rows, 1).empty());
}

TEST_CASE("a hole is filled with the last row that stays, once") {
  const std::vector<std::size_t> neurons{20};
  PackedRows rows(neurons, 20, kRowBytes, 1);
  token(rows, 0, {0, 1, 2, 3, 4, 5});
  token(rows, 0, {1, 4, 5});
  CHECK(std::vector<NeuronId>(rows.ids(0).begin(), rows.ids(0).end()) ==
        std::vector<NeuronId>{5, 1, 4});
  CHECK(rows.evictions() == 3);
  CHECK(rows.moved() == 2);
  check_rows(rows, 0, 20);
}

TEST_CASE("packed rows allocate nothing after they were made, and every layer wants one") {
  const std::vector<std::size_t> neurons{50, 3};
  PackedRows rows(neurons, 20, kRowBytes, 3);
  CHECK(rows.capacity(1) == 1);
  CHECK(rows.capacity(0) + rows.capacity(1) <= 20);
  const std::size_t before = support::allocation_count();
  for (NeuronId first = 0; first < 40; ++first) {
    for (NeuronId id = first; id < first + 5; ++id) {
      if (rows.find(0, id) == PackedRows::kNoRow && rows.n_free(0) > 0) rows.append(0, id, 0);
    }
    rows.end_token(0, 5);
  }
  CHECK(support::allocation_count() == before);
  CHECK_THROWS_AS(PackedRows(neurons, 1, kRowBytes, 3), ShapeError);
  PackedRows all(neurons, 1000, kRowBytes, 3);
  CHECK(all.capacity(0) == 50);
  CHECK(all.capacity(1) == 3);
}
