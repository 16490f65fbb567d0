// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/kv/kv_cache.hpp"

#include <vector>

#include "flashlm/compute/cpu/quantise/convert.hpp"
#include "support/catch.hpp"
#include "support/kv_shape.hpp"

using namespace flashlm;
using model::KvCache;

namespace {

model::ModelSpec shape() { return support::kv_shape(3, 2, 6); }

}  // namespace

TEST_CASE("what is written at a position is read there, and nowhere else") {
  const DType dtype = GENERATE(DType::f32, DType::f16);
  KvCache kv(shape(), 10, dtype);
  std::vector<float> key(12), value(12);
  for (std::size_t layer = 0; layer < 3; ++layer) {
    for (std::size_t position = 0; position < 10; ++position) {
      for (std::size_t at = 0; at < 12; ++at) {
        key[at] = static_cast<float>(layer * 200 + position * 16 + at) / 4;
        value[at] = -key[at];
      }
      kv.write(layer, position, key, value);
    }
  }
  std::vector<float> row(6);
  for (std::size_t layer = 0; layer < 3; ++layer) {
    for (std::size_t head = 0; head < 2; ++head) {
      const MatrixView keys = kv.keys(layer, head, 10);
      const MatrixView values = kv.values(layer, head, 10);
      REQUIRE(keys.rows == 10);
      for (std::size_t position = 0; position < 10; ++position) {
        const float first = static_cast<float>(layer * 200 + position * 16 + head * 6) / 4;
        kernels::to_f32(dtype, keys.row(position), row);
        CHECK(row[0] == first);
        CHECK(row[5] == first + 5.0f / 4);
        kernels::to_f32(dtype, values.row(position), row);
        CHECK(row[0] == -first);
      }
    }
  }
}

TEST_CASE("f16 takes half of the bytes of f32") {
  CHECK(KvCache::bytes(shape(), 10, DType::f32) == 2u * 3 * 2 * 10 * 6 * 4);
  CHECK(KvCache::bytes(shape(), 10, DType::f16) * 2 == KvCache::bytes(shape(), 10, DType::f32));
}
