// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/format/layer_record.hpp"

#include <string>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"
#include "support/json.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using Catch::Matchers::ContainsSubstring;

namespace {

LayerRecord read(const Json& json) {
  return read_layer_record(JsonField(json, "test", "flashlm.json", "layers[0]"));
}
LayerRecord read(const nlohmann::json& json) { return read(support::read_json(json)); }

const LayerRecord kRecord{"n.safetensors", "layers.0.bundles",
                          BundleLayout::make(100, 32, 64, true, DType::f16)};

}  // namespace

TEST_CASE("a layer record survives JSON") {
  CHECK(read(json_of(kRecord)) == kRecord);
  LayerRecord other = kRecord;
  other.layout = BundleLayout::make(7, 1, 9, false, DType::f32);
  other.placement = "linked";
  other.selector = "predictor";
  CHECK(read(json_of(other)) == other);
  for (const DType dtype : {DType::bf16, DType::q8_0, DType::q4_0}) {
    other.layout = BundleLayout::make(96, 32, 64, true, dtype);
    CHECK(read(json_of(other)) == other);
  }
}

TEST_CASE("a layer record without one of its fields, or with a foreign one, is a FormatError") {
  const nlohmann::json json = support::nlohmann_json(json_of(kRecord));
  for (const auto& [key, value] : json.items()) {
    nlohmann::json damaged = json;
    damaged.erase(key);
    CHECK_THROWS_WITH(read(damaged), ContainsSubstring("layers[0]." + key + " is missing"));
    damaged[key] = nullptr;
    CHECK_THROWS_WITH(read(damaged), ContainsSubstring("layers[0]." + key));
  }
  nlohmann::json foreign = json;
  foreign["more"] = 1;
  CHECK_THROWS_AS(read(foreign), FormatError);
}

TEST_CASE("impossible layouts are FormatErrors") {
  const auto with = [](const char* key, const nlohmann::json& value) {
    nlohmann::json json = support::nlohmann_json(json_of(kRecord));
    json[key] = value;
    return json;
  };
  for (const char* key : {"neurons", "neurons_per_bundle", "dim", "stride"}) {
    CHECK_THROWS_AS(read(with(key, 0)), FormatError);
    CHECK_THROWS_AS(read(with(key, -1)), FormatError);
    CHECK_THROWS_AS(read(with(key, ~std::uint64_t{0})), FormatError);
    CHECK_THROWS_AS(read(with(key, std::uint64_t{1} << 62)), FormatError);
  }
  CHECK_THROWS_AS(read(with("dtype", "f8")), FormatError);
  CHECK_THROWS_AS(read(with("dtype", "u8")), FormatError);
  CHECK_THROWS_WITH(read(with("dtype", "q3")), ContainsSubstring("f32, f16, bf16, q8_0"));
  CHECK_THROWS_WITH(read(with("dtype", "q8_0")),
                    ContainsSubstring("whole bundles of 32"));  // 100 neurons
  CHECK_THROWS_AS(read(with("file", "")), FormatError);
  CHECK_THROWS_AS(read(with("selector", "")), FormatError);
}
