// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/select/selector_file.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/predictor_file.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;
using namespace flashlm::units;

namespace {

SelectorFile open(const support::TinyModel& tiny) {
  const std::string model = weights_fingerprint(storage::Manifest::open(tiny.path()));
  return SelectorFile::open(tiny.path() / Predictor::kFileName, Predictor::kFormat, model);
}

}  // namespace

TEST_CASE("the fingerprint names the weights, not the tokenizer") {
  const support::TinyModel tiny(support::TinyShape::bundled());
  storage::Manifest manifest = storage::Manifest::open(tiny.path());
  const std::string before = weights_fingerprint(manifest);
  CHECK(before.size() == 64);
  for (storage::FileRecord& file : manifest.files) {
    if (!file.is_weights()) ++file.crc32;
  }
  CHECK(weights_fingerprint(manifest) == before);
  for (storage::FileRecord& file : manifest.files) {
    if (file.is_weights()) ++file.crc32;
  }
  CHECK(weights_fingerprint(manifest) != before);
}

TEST_CASE("a file of another kind, version or model is refused by what differs") {
  const support::TinyModel tiny(support::TinyShape::bundled());
  for (const std::string key : {"format", "format_version", "model"}) {
    support::write_predictor(tiny.path(), {.metadata = {{key, "other"}}});
    CHECK_THROWS_WITH(open(tiny), Catch::Matchers::ContainsSubstring(key + ": expected") &&
                                      Catch::Matchers::ContainsSubstring("other"));
    CHECK_THROWS_AS(open(tiny), FormatError);
  }
  support::write_predictor(tiny.path());
  CHECK_NOTHROW(open(tiny));
}

namespace {

/// A byte of a file is another one, until this goes.
class Flipped {
 public:
  Flipped(const std::filesystem::path& path, std::uintmax_t at, int mask)
      : path_(path), at_(at), mask_(mask) {
    flip();
  }
  ~Flipped() { flip(); }
  Flipped(const Flipped&) = delete;
  Flipped& operator=(const Flipped&) = delete;

 private:
  void flip() {
    std::fstream stream(path_, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(at_));
    const int old = stream.get();
    stream.seekp(static_cast<std::streamoff>(at_));
    stream.put(static_cast<char>(old ^ mask_));
  }

  std::filesystem::path path_;
  std::uintmax_t at_;
  int mask_;
};

/// What choosing this predictor for a model of three layers of 150 neurons does.
void take(const support::TinyModel& tiny) {
  SelectorFile file = open(tiny);
  file.load();
  const std::vector<std::size_t> neurons(3, 150);
  const Predictor predictor(std::move(file), 24, neurons);
}

std::uintmax_t header_bytes(const std::filesystem::path& path) {
  return storage::Safetensors::open(path).header_bytes();
}

}  // namespace

TEST_CASE(
    "any changed bit of the header is a FormatError: names, shapes, places, metadata, blanks") {
  const support::TinyModel tiny(support::TinyShape::bundled());
  const std::filesystem::path path = support::write_predictor(tiny.path());
  REQUIRE_NOTHROW(take(tiny));
  const std::uintmax_t end = header_bytes(path);
  for (std::uintmax_t at = 0; at < end; at += at < 2048 ? 1 : 61) {
    const Flipped flipped(path, at, 1 << (at % 8));
    INFO(at);
    CHECK_THROWS_AS(take(tiny), FormatError);
  }
  CHECK_NOTHROW(take(tiny));
}

TEST_CASE(
    "a file of version 1, whose header has no checksum, opens, and a wrong name in it is found") {
  const support::TinyModel tiny(support::TinyShape::bundled());
  const std::filesystem::path path =
      support::write_predictor(tiny.path(), {.metadata = {{"format_version", "1"}}});
  REQUIRE_NOTHROW(take(tiny));
  CHECK(open(tiny).digest().size() == 64);
  std::string header(header_bytes(path), '\0');
  std::ifstream(path, std::ios::binary)
      .read(header.data(), static_cast<std::streamsize>(header.size()));
  for (const std::string name :
       {"layers.1.a", "layers.0.bias", "layers.2.threshold", "tensor_checksums"}) {
    const std::size_t begin = header.find("\"" + name + "\"");
    REQUIRE(begin != std::string::npos);
    for (std::size_t i = 1; i <= name.size(); ++i) {
      const Flipped flipped(path, begin + i, 1);
      INFO(name << ' ' << i);
      CHECK_THROWS_AS(take(tiny), FormatError);
    }
  }
  // The checksum that is missing: a blank, or a text that only tells how the predictor was made.
  const Flipped flipped(path, header.size() - 1, ' ' ^ '\n');
  CHECK_NOTHROW(take(tiny));
}

TEST_CASE("a layer with some tensors only, or one more than the model has, is refused") {
  const support::TinyModel tiny(support::TinyShape::bundled());
  support::write_predictor(tiny.path(), {.first_layer = 1});
  CHECK_NOTHROW(take(tiny));
  SelectorFile file = open(tiny);
  file.load();
  const std::vector<std::string_view> parts{"a", "b", "bias", "threshold"},
      more{"a", "b", "bias", "threshold", "c"};
  CHECK_NOTHROW(file.expect_tensors(3, parts));
  CHECK_THROWS_WITH(file.expect_tensors(2, parts),
                    Catch::Matchers::ContainsSubstring("layers: expected 2, got more"));
  CHECK_THROWS_WITH(file.expect_tensors(3, more),
                    Catch::Matchers::ContainsSubstring("tensors of layer 1: expected 5, got 4"));
  CHECK_THROWS_AS(file.expect_tensors(3, std::span(parts).first(3)), FormatError);
}

TEST_CASE("any changed byte of the data is a FormatError") {
  const support::TinyModel tiny(support::TinyShape::bundled());
  const std::filesystem::path path = support::write_predictor(tiny.path());
  SelectorFile file = open(tiny);
  file.load();
  const std::uintmax_t size = std::filesystem::file_size(path);
  const std::uintmax_t begin = size - file.bytes();
  for (std::uintmax_t at = begin; at < size; at += 97) {
    std::fstream stream(path, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(at));
    const int old = stream.get();
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(static_cast<char>(old ^ 4));
    stream.close();
    CHECK_THROWS_AS(open(tiny).load(), FormatError);
    stream.open(path, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(static_cast<char>(old));
  }
  CHECK_NOTHROW(open(tiny).load());
}

TEST_CASE("tensors are found by name and checked for their shape") {
  const support::TinyModel tiny(support::TinyShape::bundled());
  support::write_predictor(tiny.path(), {.rank = 3});
  SelectorFile file = open(tiny);
  file.load();
  CHECK(file.has("layers.0.a"));
  CHECK_FALSE(file.has("layers.9.a"));
  CHECK(file.shape("layers.0.b") == std::pair<std::size_t, std::size_t>{150, 3});
  CHECK(file.matrix("layers.0.a", 3, 24).dtype == DType::f16);
  CHECK_THROWS_AS(file.matrix("layers.0.a", 4, 24), FormatError);
  CHECK_THROWS_AS(file.matrix("layers.9.a", 3, 24), FormatError);
  CHECK_THROWS_AS(file.floats("layers.0.bias", {151}), FormatError);
  CHECK_THROWS_AS(file.floats("layers.0.a", {3, 24}), FormatError);
  CHECK_THROWS_AS(file.raw("layers.0.a", 3, 24), FormatError);
  CHECK_THROWS_AS(file.shape("layers.0.bias"), FormatError);
}
