// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/format/safetensors_writer.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "flashlm/base/random.hpp"
#include "flashlm/storage/format/checksum.hpp"
#include "flashlm/storage/format/safetensors.hpp"
#include "support/catch.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("write then read is the identity for random tensors in random pieces") {
  const TempFolder folder(memory_folder());
  Random random(3);
  for (int round = 0; round < 40; ++round) {
    std::vector<TensorSpec> specs;
    std::map<std::string, std::vector<std::byte>> data;
    for (std::size_t i = random.next() % 12; i > 0; --i) {
      const DType dtype =
          std::array{DType::f32, DType::f16, DType::bf16, DType::u8}[random.next() % 4];
      TensorSpec spec{concat("t", random.next() % 1000, ".", i), dtype, {}};
      std::size_t bytes = row_bytes(dtype, 1);
      for (std::size_t d = random.next() % 4; d > 0; --d) {
        spec.shape.push_back(random.next() % 12);
        bytes *= spec.shape.back();
      }
      data[spec.name] = random_bytes(bytes, random.next());
      specs.push_back(spec);
    }
    std::map<std::string, std::string> metadata;
    if (random.next() % 2) metadata = {{"format", "flashlm"}, {"quote\"", "\n\xc3\xa9"}};
    SafetensorsWriter writer(folder / "x", specs, metadata);
    for (const std::string& name : writer.order()) {
      std::span<const std::byte> left = data[name];
      if (left.empty() && random.next() % 2) continue;
      do {
        const std::size_t n = std::min<std::size_t>(left.size(), random.next() % 200);
        writer.write(name, left.first(n));
        left = left.subspan(n);
      } while (!left.empty());
    }
    const FileRecord record = writer.finish();

    const Safetensors file = Safetensors::open(folder / "x");
    REQUIRE(file.header_bytes() % 4096 == 0);
    REQUIRE(file.metadata() == metadata);
    REQUIRE(file.tensors().size() == specs.size());
    for (const TensorSpec& spec : specs) {
      const TensorInfo& tensor = file.at(spec.name);
      REQUIRE(tensor.dtype == dtype_tag(spec.dtype));
      REQUIRE(tensor.shape == spec.shape);
      REQUIRE(tensor.extent.offset % row_bytes(spec.dtype, 1) == 0);
      std::vector<std::byte> got(tensor.extent.bytes);
      file.file().read(tensor.extent.offset, got);
      REQUIRE(got == data[spec.name]);
    }
    const auto bytes = content(folder / "x");
    const auto all = std::span(bytes);
    REQUIRE(record.name == "x");
    REQUIRE(record.bytes == bytes.size());
    REQUIRE(record.header_bytes == file.header_bytes());
    REQUIRE(record.header_crc32 == crc32(all.first(record.header_bytes)));
    REQUIRE(record.crc32 == crc32(all.subspan(record.header_bytes)));
  }
}

TEST_CASE("tensors lie in the order of falling element size, then of names") {
  const TempFolder folder(memory_folder());
  SafetensorsWriter writer(folder / "x", {{"c", DType::u8, {1}},
                                          {"b", DType::f16, {1}},
                                          {"d", DType::f32, {1}},
                                          {"a", DType::bf16, {1}},
                                          {"B", DType::f32, {1}}});
  CHECK(writer.order() == std::vector<std::string>{"B", "d", "a", "b", "c"});
}

TEST_CASE("tensors lie as they are given where that leaves each aligned, else by size and name") {
  const TempFolder folder(memory_folder());
  const auto order_of = [&](std::uint64_t n) {
    const std::vector<TensorSpec> specs{{"q", DType::f16, {n}},
                                        {"b", DType::u8, {3}},
                                        {"a", DType::u8, {1}},
                                        {"k", DType::f32, {2}}};
    return SafetensorsWriter(folder / "x", specs, {}, TensorOrder::as_given).order();
  };
  CHECK(order_of(2) == std::vector<std::string>{"q", "b", "a", "k"});
  CHECK(order_of(3) == std::vector<std::string>{"k", "q", "a", "b"});
}

TEST_CASE("a matrix of blocks is U8 rows, and the metadata tell its number format") {
  const TempFolder folder(memory_folder());
  SafetensorsWriter writer(
      folder / "x",
      {{"a", DType::q8_0, {3, 64}}, {"b", DType::q4_0, {2, 32}}, {"c", DType::bf16, {5}}},
      {{"format", "flashlm"}});
  CHECK(writer.order() == std::vector<std::string>{"c", "a", "b"});
  writer.write("c", random_bytes(10, 1));
  writer.write("a", random_bytes(3 * 68, 2));
  writer.write("b", random_bytes(2 * 18, 3));
  writer.finish();
  const Safetensors file = Safetensors::open(folder / "x");
  CHECK(file.at("a").dtype == "U8");
  CHECK(file.at("a").shape == std::vector<std::uint64_t>{3, 68});
  CHECK(file.at("b").shape == std::vector<std::uint64_t>{2, 18});
  CHECK(file.metadata() == std::map<std::string, std::string>{
                               {"format", "flashlm"}, {"dtype.a", "q8_0"}, {"dtype.b", "q4_0"}});
  CHECK(number_format(file, "a") == DType::q8_0);
  CHECK(number_format(file, "b") == DType::q4_0);
  CHECK(number_format(file, "c") == DType::bf16);
}

TEST_CASE("the header grows by whole pages") {
  const TempFolder folder(memory_folder());
  for (const std::size_t n : {3000u, 3990u, 4040u, 4060u, 4100u, 9000u}) {
    SafetensorsWriter writer(folder / "x", {}, {{"a", std::string(n, 'x')}});
    CHECK(writer.finish().header_bytes % 4096 == 0);
    CHECK(Safetensors::open(folder / "x").metadata().at("a").size() == n);
  }
}

TEST_CASE("tensors out of order, too long or too short are errors, and the file does not stay") {
  const TempFolder folder(memory_folder());
  {
    SafetensorsWriter writer(folder / "x",
                             {{"a", DType::u8, {3}}, {"b", DType::u8, {0}}, {"c", DType::u8, {2}}});
    const auto bytes = random_bytes(9, 1);
    const auto some = [&](std::size_t n) { return std::span(bytes).first(n); };
    CHECK_THROWS_WITH(writer.write("b", some(0)), ContainsSubstring("expected tensor a, got b"));
    CHECK_THROWS_AS(writer.write("none", some(0)), ArgumentError);
    CHECK_THROWS_AS(writer.write("a", some(4)), ShapeError);
    writer.write("a", some(2));
    CHECK_THROWS_AS(writer.write("c", some(2)), ArgumentError);
    CHECK_THROWS_WITH(writer.finish(), ContainsSubstring("1 more bytes"));
    writer.write("a", some(1));
    CHECK_THROWS_AS(writer.write("a", some(1)), Error);
    CHECK_THROWS_WITH(writer.finish(), ContainsSubstring("c"));
    CHECK_THROWS_AS(writer.write("c", some(3)), ShapeError);
    writer.write("c", some(1));
    CHECK_THROWS_AS(writer.finish(), ShapeError);
    writer.write("c", some(1));
    CHECK_THROWS_WITH(writer.write("d", some(1)), ContainsSubstring("no more tensors"));
  }
  CHECK(folder.names().empty());
}

TEST_CASE("a hollow file has the header and the size of a full one") {
  const TempFolder folder;
  const std::vector<TensorSpec> specs{
      {"a", DType::f32, {3, 5}}, {"b", DType::q8_0, {7, 64}}, {"c", DType::u8, {0}}};
  SafetensorsWriter full(folder / "x", specs, {{"format", "flashlm"}});
  full.write("a", random_bytes(60, 1));
  full.write("b", random_bytes(7 * 68, 2));
  const FileRecord expected = full.finish();
  const bool begun = GENERATE(false, true);
  std::filesystem::create_directory(folder / "hollow");
  SafetensorsWriter hollow(folder / "hollow" / "x", specs, {{"format", "flashlm"}});
  if (begun) hollow.write("a", random_bytes(7, 1));
  FileRecord record = hollow.finish_hollow();
  CHECK(record.header_crc32 == expected.header_crc32);
  CHECK(record.header_bytes == expected.header_bytes);
  CHECK(record.bytes == expected.bytes);
  const Safetensors file = Safetensors::open(folder / "hollow" / "x");
  CHECK(file.size() == expected.bytes);
  CHECK(number_format(file, "b") == DType::q8_0);
}

TEST_CASE("bad names and sizes are ArgumentErrors, and leave no file") {
  const TempFolder folder(memory_folder());
  const auto refused = [&](std::vector<TensorSpec> specs) {
    CHECK_THROWS_AS(SafetensorsWriter(folder / "x", std::move(specs)), ArgumentError);
  };
  refused({{"a", DType::u8, {1}}, {"a", DType::f32, {1}}});
  refused({{"__metadata__", DType::u8, {1}}});
  refused({{"\xff", DType::u8, {1}}});
  refused({{"a", DType::f32, {std::uint64_t{1} << 62}}});
  refused({{"a", DType::f32, {std::uint64_t{1} << 32, std::uint64_t{1} << 32}}});
  refused({{"a", DType::u8, {std::uint64_t{1} << 61}},
           {"b", DType::u8, {(std::uint64_t{1} << 61) + 1}}});
  refused({{"a", DType::q8_0, {64}}});
  refused({{"a", DType::q8_0, {2, 33}}});
  refused({{"a", DType::q4_0, {2, std::uint64_t{1} << 63}}});
  refused({{"a", DType::q4_0, {std::uint64_t{1} << 60, 32}}});
  CHECK_THROWS_AS(SafetensorsWriter(folder / "x", {}, {{"a", "\xff"}}), ArgumentError);
  CHECK(folder.names().empty());
}

TEST_CASE("a full disk is an IoError") {
  if (!std::filesystem::exists("/dev/full")) return;
  const TempFolder folder(memory_folder());
  std::filesystem::create_symlink("/dev/full", folder / "full");
  CHECK_THROWS_AS(SafetensorsWriter(folder / "full", {}), IoError);
  CHECK(folder.names().empty());
}
