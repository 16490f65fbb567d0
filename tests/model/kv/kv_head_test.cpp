// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/kv/kv_head.hpp"

#include <cstring>
#include <span>

#include "flashlm/storage/format/checksum.hpp"
#include "support/catch.hpp"
#include "support/kv_shape.hpp"

using namespace flashlm;
using namespace flashlm::model;

TEST_CASE("the head of a KV file holds its range and shape, little-endian, and their checksum") {
  const KvCache kv(support::kv_shape(3, 2, 6), 4, DType::f16);
  const auto head = kv_head({{}, {}, 0x0102, 7}, kv);
  CHECK(std::memcmp(head.data(), "FLASHKV1", 8) == 0);
  CHECK(kv_number(head.data() + 72, 8) == 0x0102);
  CHECK(head[72] == std::byte{2});
  CHECK(kv_number(head.data() + 80, 8) == 7);
  CHECK(kv_number(head.data() + 88, 4) == 3);
  CHECK(kv_number(head.data() + 92, 4) == 2);
  CHECK(kv_number(head.data() + 96, 4) == 6);
  CHECK(kv_number(head.data() + 100, 4) == 2);
  CHECK(kv_number(head.data() + 124, 4) == storage::crc32(std::span(head).first(124)));
}

TEST_CASE("rows begin at the next multiple of 4096 behind head and tokens") {
  CHECK(kv_rows_begin(0) == 4096);
  CHECK(kv_rows_begin((4096 - 128) / 4) == 4096);
  CHECK(kv_rows_begin((4096 - 128) / 4 + 1) == 8192);
}
