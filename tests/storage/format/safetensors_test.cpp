// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/format/safetensors.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "flashlm/base/random.hpp"
#include "support/catch.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

/// A file with that header and `n_data` bytes behind it.
std::string file_of(const std::string& header, std::size_t n_data) {
  std::string text;
  for (std::size_t i = 0; i < 8; ++i) text += static_cast<char>(header.size() >> (8 * i));
  return text + header + std::string(n_data, 'd');
}

const std::string kGood =
    R"({"__metadata__":{"a":"b"},"y":{"dtype":"F16","shape":[3],"data_offsets":[24,30]},)"
    R"("x":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"e":{"dtype":"U8","shape":[0,9],"data_offsets":[24,24]}} )";

void check_refused(const std::string& header, std::size_t n_data) {
  const TempFolder folder(memory_folder());
  put(folder / "x", file_of(header, n_data));
  INFO(header);
  CHECK_THROWS_AS(Safetensors::open(folder / "x"), FormatError);
  CHECK_THROWS_WITH(Safetensors::open(folder / "x"), ContainsSubstring((folder / "x").string()));
}

/// A header with one tensor.
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"x":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

}  // namespace

TEST_CASE("a header gives tensors in the order of their bytes, and metadata") {
  const TempFolder folder(memory_folder());
  put(folder / "x", file_of(kGood, 30));
  for (const FileMode mode : {FileMode::buffered, FileMode::direct}) {
    const Safetensors file = Safetensors::open(folder / "x", mode);
    const std::uint64_t data = 8 + kGood.size();
    CHECK(file.header_bytes() == data);
    CHECK(file.size() == data + 30);
    REQUIRE(file.tensors().size() == 3);
    CHECK(file.tensors()[0].name == "x");
    CHECK(file.tensors()[1].name == "e");
    CHECK(file.tensors()[2].name == "y");
    CHECK(file.at("x").extent == Extent{data, 24});
    CHECK(file.at("x").shape == std::vector<std::uint64_t>{2, 3});
    CHECK(file.at("y").dtype == "F16");
    CHECK(file.at("e").extent.empty());
    CHECK(file.metadata().at("a") == "b");
    CHECK(file.find("z") == nullptr);
    CHECK_THROWS_WITH(file.at("z"),
                      ContainsSubstring("'z'") && ContainsSubstring((folder / "x").string()));
  }
}

TEST_CASE("a file without tensors, and one without metadata, are files") {
  const TempFolder folder(memory_folder());
  put(folder / "x", file_of("{}", 0));
  CHECK(Safetensors::open(folder / "x").tensors().empty());
  put(folder / "x", file_of(one("\"F4\"", "[3,2]", "[0,3]"), 3));
  CHECK(Safetensors::open(folder / "x").at("x").extent.bytes == 3);
  put(folder / "x", file_of(one("\"F64\"", "[]", "[0,8]"), 8));
  CHECK(Safetensors::open(folder / "x").at("x").shape.empty());
}

TEST_CASE("a file cut at any byte is a FormatError") {
  const TempFolder folder(memory_folder());
  const std::string whole = file_of(kGood, 30);
  for (std::size_t n = 0; n < whole.size(); ++n) {
    put(folder / "x", whole.substr(0, n));
    INFO("cut at " << n);
    REQUIRE_THROWS_AS(Safetensors::open(folder / "x"), FormatError);
  }
  put(folder / "x", whole + "d");
  CHECK_THROWS_AS(Safetensors::open(folder / "x"), FormatError);
}

TEST_CASE("a changed byte of a header is a FormatError or another header, never more") {
  const TempFolder folder(memory_folder());
  const std::string whole = file_of(kGood, 30);
  for (std::size_t at = 0; at < 8 + kGood.size(); ++at) {
    for (const int flip : {0x01, 0x02, 0x10, 0x20, 0x80, 0xff}) {
      std::string text = whole;
      text[at] = static_cast<char>(text[at] ^ flip);
      put(folder / "x", text);
      try {
        const Safetensors file = Safetensors::open(folder / "x");
        for (const TensorInfo& tensor : file.tensors()) REQUIRE(tensor.extent.inside(file.size()));
      } catch (const FormatError&) {
      }
    }
  }
}

TEST_CASE("a changed byte of the length of a header is a FormatError") {
  const TempFolder folder(memory_folder());
  const std::string whole = file_of(kGood, 30);
  for (std::size_t at = 0; at < 8; ++at) {
    for (int flip = 1; flip < 256; ++flip) {
      std::string text = whole;
      text[at] = static_cast<char>(text[at] ^ flip);
      put(folder / "x", text);
      // One more character of the header may be a blank, which the data then lack.
      REQUIRE_THROWS_AS(Safetensors::open(folder / "x"), FormatError);
    }
  }
}

TEST_CASE("random bytes behind a plausible length never crash") {
  const TempFolder folder(memory_folder());
  Random random(11);
  for (int i = 0; i < 300; ++i) {
    std::string header = kGood;
    for (int change = 0; change < 4; ++change) {
      const std::size_t at = random.next() % header.size();
      if (random.next() % 3 == 0) {
        header.erase(at, random.next() % 9);
      } else if (random.next() % 2) {
        header.insert(at, header.substr(random.next() % header.size(), random.next() % 12));
      } else {
        header[at] = static_cast<char>("0123456789[]{},:\"\\-.eE \0\xff"[random.next() % 25]);
      }
    }
    put(folder / "x", file_of(header, 30));
    try {
      Safetensors::open(folder / "x");
    } catch (const FormatError&) {
    }
  }
}

TEST_CASE("shapes that overflow are FormatErrors") {
  const std::string most = "18446744073709551615";
  for (const std::string& shape :
       {"[" + most + "]", "[" + most + "," + most + "]", std::string("[4294967296,4294967296]"),
        std::string("[4611686018427387904]"), std::string("[4611686018427387905]"),
        std::string("[2,9223372036854775808]"), std::string("[18446744073709551616]"),
        std::string("[-1]"), std::string("[1.5]"), std::string("[1e3]"), std::string("[\"1\"]"),
        std::string("[[1]]"), std::string("[true]"), std::string("{}"), std::string("4")}) {
    check_refused(one("\"F32\"", shape, "[0,4]"), 4);
    check_refused(one("\"F32\"", shape, "[0,0]"), 0);
  }
}

TEST_CASE("sizes that disagree with the shape or the file are FormatErrors") {
  check_refused(one("\"F32\"", "[1]", "[0,3]"), 3);
  check_refused(one("\"F32\"", "[1]", "[0,8]"), 8);
  check_refused(one("\"F4\"", "[3]", "[0,1]"), 1);
  check_refused(one("\"F32\"", "[1]", "[0,4]"), 5);
  check_refused(one("\"F32\"", "[1]", "[0,4]"), 3);
  check_refused(one("\"F32\"", "[1]", "[4,8]"), 8);
  check_refused(one("\"F32\"", "[1]", "[4,0]"), 4);
  for (const std::string offsets : {"[0]", "[0,4,4]", "[]", "4", "[0,18446744073709551616]",
                                    "[18446744073709551615,3]", "[-4,0]", "[0.0,4.0]", "null"}) {
    check_refused(one("\"F32\"", "[1]", offsets), 4);
  }
}

TEST_CASE("unknown number formats and misshapen entries are FormatErrors") {
  for (const std::string dtype : {"\"f32\"", "\"F31\"", "\"\"", "32", "null"})
    check_refused(one(dtype, "[1]", "[0,4]"), 4);
  check_refused(R"({"x":{"dtype":"F32","shape":[1]}})", 4);
  check_refused(R"({"x":{"dtype":"F32","data_offsets":[0,4]}})", 4);
  check_refused(R"({"x":{"shape":[1],"data_offsets":[0,4]}})", 4);
  check_refused(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}})", 4);
  check_refused(R"({"x":[]})", 0);
  check_refused(R"({"__metadata__":{"a":1}})", 0);
  check_refused(R"({"__metadata__":"a"})", 0);
  check_refused(R"([])", 0);
  check_refused(R"( {})", 0);
  check_refused("", 0);
}

TEST_CASE("a name that comes twice is a FormatError") {
  check_refused(
      R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"x":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
      2);
  check_refused(R"({"x":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1);
}

TEST_CASE("holes and overlaps between tensors are FormatErrors") {
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + first +
           R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + second + "}}";
  };
  check_refused(two("[0,4]", "[5,9]"), 9);
  check_refused(two("[0,4]", "[3,7]"), 7);
  check_refused(two("[0,4]", "[0,4]"), 4);
  check_refused(two("[1,5]", "[5,9]"), 9);
}

TEST_CASE("what stands where a safetensors file was expected is named") {
  const TempFolder folder(memory_folder());
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n";
  for (const auto& [content, words] : std::vector<std::pair<std::string, std::string>>{
           {pointer, "expected a safetensors file, got a Git LFS pointer to a file of 12 bytes"},
           {"", "got an empty file"},
           {"<!doctype html><html>", "got a web page"},
           {"Denied", "got a text, 'Denied'"},
           {R"({"error":"Repository not found"})",
            "got an error in JSON, '{\"error\":\"Repository not found\"}'"},
           {std::string(64, '\0'), "got zeros"}}) {
    put(folder / "x", content);
    CHECK_THROWS_AS(Safetensors::open(folder / "x"), FormatError);
    CHECK_THROWS_WITH(Safetensors::open(folder / "x"),
                      ContainsSubstring(words) && ContainsSubstring("x). "));
  }
}

TEST_CASE("a file that is missing or a folder is an IoError") {
  const TempFolder folder(memory_folder());
  CHECK_THROWS_AS(Safetensors::open(folder / "x"), IoError);
  CHECK_THROWS_AS(Safetensors::open(folder.path()), IoError);
}

TEST_CASE("tags and number formats map onto each other") {
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::u8})
    CHECK(parse_tag(dtype_tag(dtype)) == dtype);
  CHECK_THROWS_AS(parse_tag("F64"), FormatError);
  CHECK_THROWS_AS(parse_tag("f32"), FormatError);
}

TEST_CASE("the metadata tell the number format of blocks, and nothing that contradicts the tag") {
  const TempFolder folder(memory_folder());
  const auto format_of = [&](const std::string& tag, const std::string& metadata) {
    const std::string header = R"({"__metadata__":{)" + metadata + R"(},"x":{"dtype":")" + tag +
                               R"(","shape":[8],"data_offsets":[0,)" + (tag == "F32" ? "32" : "8") +
                               "]}}";
    put(folder / "x", file_of(header, tag == "F32" ? 32 : 8));
    return number_format(Safetensors::open(folder / "x"), "x");
  };
  CHECK(format_of("F32", R"("dtype.y":"q8_0")") == DType::f32);
  CHECK(format_of("U8", "") == DType::u8);
  CHECK(format_of("U8", R"("dtype.x":"q8_0")") == DType::q8_0);
  CHECK(format_of("U8", R"("dtype.x":"q4_0")") == DType::q4_0);
  CHECK(format_of("U8", R"("dtype.x":"q6_k")") == DType::q6_k);
  for (const char* word : {"q4_9", "", "u8", "f16", "Q8_0"}) {
    INFO(word);
    CHECK_THROWS_AS(format_of("U8", concat(R"("dtype.x":")", word, "\"")), FormatError);
  }
  CHECK_THROWS_WITH(format_of("F32", R"("dtype.x":"q8_0")"),
                    ContainsSubstring("got F32 with q8_0"));
  CHECK_THROWS_WITH(format_of("I8", ""), ContainsSubstring("got 'I8'") && ContainsSubstring("x)"));
}

TEST_CASE("the open file can be taken over") {
  const TempFolder folder(memory_folder());
  put(folder / "x", file_of(kGood, 30));
  const File file = Safetensors::open(folder / "x").file();
  CHECK(file.size() == 8 + kGood.size() + 30);
}
