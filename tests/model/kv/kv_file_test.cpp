// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/kv/kv_file.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <regex>
#include <span>
#include <string>
#include <vector>

#include "flashlm/storage/format/checksum.hpp"
#include "flashlm/storage/io/file.hpp"
#include "support/catch.hpp"
#include "support/kv_shape.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::model;

namespace {

ModelSpec shape(std::size_t n_layers = 3, std::size_t n_kv_heads = 2, std::size_t head_dim = 6) {
  return support::kv_shape(n_layers, n_kv_heads, head_dim);
}

void fill(KvCache& kv, std::uint64_t seed) {
  for (std::size_t run = 0; run < kv.n_runs(); ++run) {
    const std::span<std::byte> bytes = kv.run(run, 0, kv.context());
    const auto random = support::random_bytes(bytes.size(), seed * 1000 + run);
    std::copy(random.begin(), random.end(), bytes.begin());
  }
}

std::vector<std::byte> content(const KvCache& kv, std::size_t first, std::size_t n) {
  std::vector<std::byte> all;
  for (std::size_t run = 0; run < kv.n_runs(); ++run) {
    const auto bytes = kv.run(run, first, n);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

storage::Digest counting() {
  storage::Digest digest;
  for (std::size_t i = 0; i < digest.size(); ++i) digest[i] = static_cast<std::byte>(i);
  return digest;
}

std::vector<Token> some_tokens(std::size_t n) {
  std::vector<Token> tokens;
  for (std::size_t at = 0; at < n; ++at) tokens.push_back(static_cast<Token>(at * 77 + 3));
  return tokens;
}

}  // namespace

TEST_CASE(
    "what is written is read into the same positions of a cache of any context, and nowhere else") {
  const DType dtype = GENERATE(DType::f32, DType::f16);
  const std::size_t first = GENERATE(0, 1, 5);
  const std::size_t n = GENERATE(0, 1, 7);
  const support::TempFolder folder;
  KvCache from(shape(), 12, dtype), into(shape(), 20, dtype), untouched(shape(), 20, dtype);
  fill(from, 1);
  fill(into, 2);
  fill(untouched, 2);
  const KvRange range{counting(), storage::Sha256().digest(), first, n};
  write_kv_file(folder / "a.kv", range, some_tokens(n), from);
  CHECK(folder.names() == std::vector<std::string>{"a.kv"});
  const KvFile file =
      KvFile::open(folder / "a.kv", counting(), into,
                   GENERATE(storage::FileMode::buffered, storage::FileMode::direct));
  CHECK(file.range() == range);
  CHECK(file.tokens() == some_tokens(n));
  CHECK_NOTHROW(file.check());
  CHECK(content(into, 0, 20) == content(untouched, 0, 20));
  file.read(into);
  CHECK(content(into, first, n) == content(from, first, n));
  CHECK(content(into, 0, first) == content(untouched, 0, first));
  CHECK(content(into, first + n, 20 - first - n) == content(untouched, first + n, 20 - first - n));
  CHECK(std::filesystem::file_size(folder / "a.kv") == KvFile::bytes(into, n));
}

TEST_CASE(
    "runs that are long and aligned are read into their rows, others are copied; the same comes of "
    "both") {
  const std::size_t n = GENERATE(
      2048, 4096, 4095, 20000);  // runs of 128 KiB, 256 KiB, none aligned, more than a read
  const std::size_t first = GENERATE(0, 8, 5);
  const auto mode = GENERATE(storage::FileMode::buffered, storage::FileMode::direct);
  const support::TempFolder folder;
  const ModelSpec wide = shape(1, 1, 32);
  KvCache from(wide, first + n, DType::f16), into(wide, first + n + 8, DType::f16);
  fill(from, 1);
  fill(into, 2);
  const std::vector<std::byte> before = content(into, 0, first),
                               behind = content(into, first + n, 8);
  write_kv_file(folder / "a.kv", {counting(), {}, first, n}, some_tokens(n), from);
  const KvFile file = KvFile::open(folder / "a.kv", counting(), into, mode);
  file.read(into);
  CHECK(content(into, first, n) == content(from, first, n));
  CHECK(content(into, 0, first) == before);
  CHECK(content(into, first + n, 8) == behind);
  std::fstream(folder / "a.kv", std::ios::in | std::ios::out)
      .seekp(-1000, std::ios::end)
      .put('?')
      .put('!');
  CHECK_THROWS_AS(file.read(into), FormatError);
}

TEST_CASE("a file of many reads comes back whole") {
  const support::TempFolder folder(support::memory_folder());
  const std::size_t n = GENERATE(3000, 9000);
  KvCache from(shape(4, 3, 64), n, DType::f16), into(shape(4, 3, 64), n + 5, DType::f16);
  fill(from, 4);
  write_kv_file(folder / "a.kv", {counting(), {}, 0, n}, some_tokens(n), from);
  KvFile::open(folder / "a.kv", counting(), into, storage::FileMode::direct).read(into);
  CHECK(content(into, 0, n) == content(from, 0, n));
}

TEST_CASE("any flipped byte and any other length is a FormatError") {
  const support::TempFolder folder(support::memory_folder());
  KvCache kv(shape(1, 1, 6), 8, DType::f16);
  fill(kv, 3);
  write_kv_file(folder / "a.kv", {counting(), {}, 2, 5}, some_tokens(5), kv, Durability::unsynced);
  const std::vector<std::byte> good = support::content(folder / "a.kv");
  const auto read = [&] { KvFile::open(folder / "a.kv", counting(), kv).read(kv); };
  CHECK_NOTHROW(read());
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::vector<std::byte> bad = good;
    bad[at] ^= std::byte{0x10};
    support::put(folder / "a.kv", bad);
    INFO("byte " << at);
    CHECK_THROWS_AS(read(), FormatError);
  }
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{127}, std::size_t{4096}, good.size() - 1}) {
    support::put(folder / "a.kv", std::span(good).first(size));
    CHECK_THROWS_AS(read(), FormatError);
  }
  std::vector<std::byte> longer = good;
  longer.push_back(std::byte{0});
  support::put(folder / "a.kv", longer);
  CHECK_THROWS_AS(read(), FormatError);
}

TEST_CASE("what stands where a saved session was expected is named") {
  const support::TempFolder folder(support::memory_folder());
  const KvCache kv(shape(), 8, DType::f16);
  for (const auto& [content, words] : std::vector<std::pair<std::string, std::string>>{
           {"<html>", "got a web page"},
           {std::string(9000, ' ') + "{", "got blanks"},
           {"", "got an empty file"}}) {
    support::put(folder / "x.kv", content);
    CHECK_THROWS_AS(KvFile::open(folder / "x.kv", counting(), kv), FormatError);
    CHECK_THROWS_WITH(KvFile::open(folder / "x.kv", counting(), kv),
                      Catch::Matchers::ContainsSubstring(words));
  }
}

TEST_CASE("another model, another shape and too small a context are told apart") {
  const support::TempFolder folder;
  KvCache kv(shape(), 8, DType::f16);
  write_kv_file(folder / "a.kv", {counting(), {}, 0, 8}, some_tokens(8), kv);
  using Catch::Matchers::ContainsSubstring;
  CHECK_THROWS_WITH(KvFile::open(folder / "a.kv", {}, kv), ContainsSubstring("another model"));
  for (const ModelSpec& other : {shape(2, 2, 6), shape(3, 1, 6), shape(3, 2, 4)}) {
    const KvCache different(other, 8, DType::f16);
    CHECK_THROWS_AS(KvFile::open(folder / "a.kv", counting(), different), FormatError);
  }
  CHECK_THROWS_AS(KvFile::open(folder / "a.kv", counting(), KvCache(shape(), 8, DType::f32)),
                  FormatError);
  KvCache small(shape(), 7, DType::f16);
  const KvFile file = KvFile::open(folder / "a.kv", counting(), small);
  CHECK_THROWS_WITH(
      file.read(small),
      ContainsSubstring("expected at least 8 positions for the stored tokens, got 7"));
  CHECK_THROWS_AS(file.read(small), ShapeError);
}

TEST_CASE("a head that asks for more than there is is refused before memory is taken") {
  const support::TempFolder folder;
  KvCache kv(shape(), 8, DType::f16);
  write_kv_file(folder / "a.kv", {counting(), {}, 0, 1}, some_tokens(1), kv);
  for (const std::uint64_t n : {std::uint64_t{2}, std::uint64_t{0x7fffffff}, ~std::uint64_t{0}}) {
    for (const std::size_t field : {std::size_t{72}, std::size_t{80}}) {
      std::vector<std::byte> bytes = support::content(folder / "a.kv");
      for (std::size_t i = 0; i < 8; ++i) bytes[field + i] = static_cast<std::byte>(n >> (8 * i));
      const std::uint32_t crc = storage::crc32(std::span(bytes).first(124));
      for (std::size_t i = 0; i < 4; ++i) bytes[124 + i] = static_cast<std::byte>(crc >> (8 * i));
      support::put(folder / "b.kv", bytes);
      const auto read = [&] { KvFile::open(folder / "b.kv", counting(), kv).read(kv); };
      if (field == 72 && n < 0x80000000u) {
        if (n > 8) CHECK_THROWS_AS(read(), ShapeError);
      } else {
        CHECK_THROWS_AS(read(), FormatError);
      }
    }
  }
}

TEST_CASE("a file that cannot be written leaves the old one and nothing beside it") {
  const support::TempFolder folder;
  KvCache kv(shape(), 8, DType::f16);
  std::filesystem::create_directories(folder / "a.kv" / "in the way");
  CHECK_THROWS_AS(write_kv_file(folder / "a.kv", {counting(), {}, 0, 1}, some_tokens(1), kv),
                  IoError);
  CHECK(folder.names() == std::vector<std::string>{"a.kv"});
  CHECK_THROWS_AS(write_kv_file(folder / "no" / "b.kv", {counting(), {}, 0, 1}, some_tokens(1), kv),
                  IoError);
}

TEST_CASE("the worked example of docs/format.md is what is written") {
  const support::TempFolder folder;
  KvCache kv(shape(1, 1, 2), 4, DType::f16);
  for (std::size_t position = 0; position < 2; ++position) {
    const auto start = static_cast<float>(position + 1);
    const std::vector<float> key{start, start + 0.5f}, value{-start, -start - 0.5f};
    kv.write(0, position, key, value);
  }
  write_kv_file(folder / "a.kv", {counting(), storage::Sha256().digest(), 0, 2},
                std::vector<Token>{5, 300}, kv);
  const std::vector<std::byte> written = support::content(folder / "a.kv");
  std::vector<std::byte> expected(written.size());

  const std::string page = storage::read_text("docs/format.md");
  const std::string section = page.substr(page.find("## A KV file"));
  const std::regex line("(?:^|\n)([0-9a-f]{8}): ((?:[0-9a-f]{4} ?)+) ");
  std::size_t n_lines = 0;
  for (std::sregex_iterator match(section.begin(), section.end(), line), end; match != end;
       ++match, ++n_lines) {
    std::size_t at = std::stoul((*match)[1], nullptr, 16);
    std::string digits = (*match)[2];
    std::erase(digits, ' ');
    REQUIRE(at + digits.size() / 2 <= expected.size());
    for (std::size_t i = 0; i < digits.size(); i += 2) {
      expected[at++] = static_cast<std::byte>(std::stoul(digits.substr(i, 2), nullptr, 16));
    }
  }
  CHECK(n_lines == 11);
  CHECK(written == expected);
}
