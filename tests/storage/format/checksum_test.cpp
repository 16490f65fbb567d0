// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/format/checksum.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm::storage;
using support::random_bytes;

namespace {

std::uint32_t crc_of(std::string_view text) { return crc32(std::as_bytes(std::span(text))); }

/// The definition, bit by bit.
std::uint32_t slow_crc(std::span<const std::byte> bytes) {
  std::uint32_t crc = 0xffffffffu;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
  }
  return ~crc;
}

}  // namespace

TEST_CASE("crc32 gives the published values") {
  CHECK(crc_of("") == 0u);
  CHECK(crc_of("123456789") == 0xcbf43926u);
  CHECK(crc_of("The quick brown fox jumps over the lazy dog") == 0x414fa339u);
}

TEST_CASE("crc32 equals its definition for every length and address") {
  const auto bytes = random_bytes(200, 1);
  for (std::size_t first = 0; first < 9; ++first) {
    for (std::size_t n = 0; n + first <= bytes.size(); ++n) {
      const auto part = std::span(bytes).subspan(first, n);
      if (crc32(part) != slow_crc(part)) FAIL("first " << first << " n " << n);
    }
  }
}

TEST_CASE("crc32 of long texts is what its tables say") {
  const auto bytes = random_bytes(5000, 4);
  for (const std::size_t n : {63, 64, 65, 127, 128, 129, 191, 1000, 4096, 4987}) {
    const auto part = std::span(bytes).subspan(13 * (n % 2), n);
    CHECK(crc32(part, 77) == ~detail::crc_by_tables(part, ~77u));
    CHECK(crc32(part) == slow_crc(part));
  }
}

TEST_CASE("crc32 chains over any cut") {
  const auto bytes = random_bytes(77, 2);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    const auto all = std::span(bytes);
    CHECK(crc32(all.subspan(cut), crc32(all.first(cut))) == crc32(all));
  }
}

TEST_CASE("any flipped bit changes crc32") {
  auto bytes = random_bytes(64, 3);
  const std::uint32_t before = crc32(bytes);
  for (std::byte& byte : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      byte ^= static_cast<std::byte>(1 << bit);
      if (crc32(bytes) == before) FAIL("unnoticed");
      byte ^= static_cast<std::byte>(1 << bit);
    }
  }
}

TEST_CASE("a checksum prints as eight lower-case digits") {
  CHECK(crc32_hex(0) == "00000000");
  CHECK(crc32_hex(0xcbf43926u) == "cbf43926");
  CHECK(crc32_hex(0x0000000au) == "0000000a");
}
