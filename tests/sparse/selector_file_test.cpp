// SPDX-License-Identifier: Apache-2.0
#include "flashlm/sparse/selector_file.hpp"

#include <fstream>
#include <string>

#include "support/catch.hpp"
#include "support/predictor_file.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;
using namespace flashlm::sparse;

namespace {

SelectorFile open(const support::TinyModel& tiny) {
  const std::string model = weights_fingerprint(storage::Manifest::open(tiny.path()));
  return SelectorFile::open(tiny.path() / Predictor::kFileName, Predictor::kFormat, model);
}

}  // namespace

TEST_CASE("the fingerprint names the weights, not the tokenizer") {
  const support::TinyModel tiny;
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
  const support::TinyModel tiny;
  for (const std::string key : {"format", "format_version", "model"}) {
    support::write_predictor(tiny.path(), {.metadata = {{key, "other"}}});
    CHECK_THROWS_WITH(open(tiny), Catch::Matchers::Contains(key + ": expected") && Catch::Matchers::Contains("other"));
    CHECK_THROWS_AS(open(tiny), FormatError);
  }
  support::write_predictor(tiny.path());
  CHECK_NOTHROW(open(tiny));
}

TEST_CASE("any changed byte of the data is a FormatError") {
  const support::TinyModel tiny;
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
  const support::TinyModel tiny;
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
