// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/weights.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "flashlm/kernels/tiling.hpp"
#include "flashlm/storage/safetensors_writer.hpp"
#include "support/catch.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;
using model::ModelConfig;
using model::Weights;

namespace {

void check_table(const MatrixView& got, const support::Matrix& expected) {
  REQUIRE(got.rows == expected.rows);
  REQUIRE(got.cols == expected.cols);
  std::vector<float> row(got.cols);
  for (std::size_t at = 0; at < got.rows; ++at) {
    kernels::to_f32(got.dtype, got.row(at), row);
    for (std::size_t col = 0; col < got.cols; ++col) REQUIRE(row[col] == expected.at(at, col));
  }
}

/// The rows of `got`, which may be in tiles in the file.
void check_equal(const support::TinyModel& tiny, const model::Matrix& got, const support::Matrix& expected) {
  const storage::File file = storage::File::open(tiny.path() / "resident.safetensors");
  REQUIRE(got.rows == expected.rows);
  REQUIRE(got.cols == expected.cols);
  REQUIRE(got.extent.bytes == got.n_units() * got.unit_bytes());
  std::vector<std::byte> bytes(got.extent.bytes);
  file.read(got.extent.offset, bytes);
  if (got.tiled) {
    const std::vector<std::byte> rows = support::stored(expected, got.dtype);
    std::vector<std::byte> tiles(bytes.size());
    kernels::to_tiles(MatrixView::dense(rows.data(), got.dtype, got.rows, got.cols), tiles.data());
    REQUIRE(bytes == tiles);
    return;
  }
  check_table(got.view(bytes.data(), got.rows), expected);
}

}  // namespace

TEST_CASE("every vector arrives where it belongs, and every matrix is found") {
  auto shape = support::TinyShape::of(GENERATE(DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0));
  shape.tied = GENERATE(true, false);
  const support::TinyModel tiny(shape);
  const Weights weights = Weights::open(tiny.path() / "resident.safetensors", ModelConfig::open(tiny.path()));
  check_equal(tiny, weights.embedding(), tiny.weights.at("embedding"));
  check_equal(tiny, weights.head(), tiny.weights.at(shape.tied ? "embedding" : "head"));
  CHECK_FALSE(weights.head().tiled);
  CHECK_FALSE(weights.embedding().tiled);
  CHECK(weights.layer(0).output.tiled == is_block(shape.dtype));
  CHECK(weights.head().segment == 5 * shape.n_layers);
  CHECK(weights.embedding().segment == 5 * shape.n_layers + (shape.tied ? 0 : 1));
  CHECK(weights.bytes() ==
        (1 + 2 * shape.n_layers) * round_up(4 * shape.dim, 64));  // 24 floats, rounded up to 64 bytes
  CHECK(weights.positions().rows == 0);
  CHECK(weights.final_norm().weight[3] == tiny.weights.at("final_norm").at(0, 3));
  for (std::size_t layer = 0; layer < shape.n_layers; ++layer) {
    const std::string prefix = concat("layers.", layer, ".");
    check_equal(tiny, weights.layer(layer).query, tiny.weights.at(prefix + "q"));
    check_equal(tiny, weights.layer(layer).key, tiny.weights.at(prefix + "k"));
    check_equal(tiny, weights.layer(layer).value, tiny.weights.at(prefix + "v"));
    check_equal(tiny, weights.layer(layer).output, tiny.weights.at(prefix + "o"));
    CHECK(weights.layer(layer).ffn_norm.weight[0] == tiny.weights.at(prefix + "ffn_norm").at(0, 0));
    CHECK(weights.layer(layer).attention_norm.weight[1] == tiny.weights.at(prefix + "attention_norm").at(0, 1));
  }
}

TEST_CASE("the biases and positions of OPT arrive where they belong") {
  const support::TinyModel tiny(support::TinyShape::opt());
  const Weights weights = Weights::open(tiny.path() / "resident.safetensors", ModelConfig::open(tiny.path()));
  check_table(weights.positions(), tiny.weights.at("positions"));
  const auto check_vector = [&](std::span<const float> got, const std::string& name) {
    INFO(name);
    const std::vector<float>& expected = tiny.weights.at(name).values;
    CHECK(std::vector<float>(got.begin(), got.end()) == expected);
  };
  check_vector(weights.final_norm().bias, "final_norm_bias");
  for (std::size_t layer = 0; layer < tiny.shape.n_layers; ++layer) {
    const std::string prefix = concat("layers.", layer, ".");
    const model::LayerWeights& got = weights.layer(layer);
    check_vector(got.attention_norm.bias, prefix + "attention_norm_bias");
    check_vector(got.query_bias, prefix + "q_bias");
    check_vector(got.key_bias, prefix + "k_bias");
    check_vector(got.value_bias, prefix + "v_bias");
    check_vector(got.output_bias, prefix + "o_bias");
    check_vector(got.ffn_norm.bias, prefix + "ffn_norm_bias");
    check_vector(got.ffn.up_bias, prefix + "up_bias");
    check_vector(got.down_bias, prefix + "down_bias");
    CHECK(got.ffn.activation == kernels::Activation::relu);
  }
}

TEST_CASE("weights of another shape are a FormatError that names tensor and both shapes") {
  const support::TinyModel tiny;
  ModelConfig config = ModelConfig::open(tiny.path());
  config.vocab_size += 1;
  try {
    Weights::open(tiny.path() / "resident.safetensors", config);
    FAIL("expected a FormatError");
  } catch (const FormatError& error) {
    CHECK_THAT(error.what(),
               Catch::Matchers::Contains("[258, 24], got [257, 24]") && Catch::Matchers::Contains("embedding"));
  }
}

TEST_CASE("bytes that are no blocks, or blocks of another size, are a FormatError that names the tensor") {
  const support::TinyModel tiny(support::TinyShape::of(DType::q8_0));
  const auto path = tiny.path() / "resident.safetensors";
  // The error for a file with a tensor like this one, beside those that are looked for before it.
  const auto with = [&](const std::string& tensor, DType dtype, std::vector<std::uint64_t> shape) {
    std::map<std::string, std::string> metadata;
    if (is_block(dtype)) metadata[storage::number_format_key(tensor)] = name(dtype);
    std::vector<storage::TensorSpec> specs{{tensor, DType::u8, shape}, {"final_norm", DType::f32, {64}}};
    if (tensor != "embedding") {
      specs.push_back({"embedding", DType::f32, {257, 64}});
      specs.push_back({"layers.0.attention_norm", DType::f32, {64}});
    }
    storage::SafetensorsWriter writer(path, specs, metadata);
    for (const std::string& name : writer.order()) {
      std::size_t bytes = name == "embedding" ? 257 * 64 * 4 : 256;
      if (name == tensor) bytes = shape[0] * shape[1];
      writer.write(name, std::vector<std::byte>(bytes));
    }
    writer.finish();
    try {
      Weights::open(path, ModelConfig::open(tiny.path()));
      return std::string("none");
    } catch (const FormatError& error) {
      return std::string(error.what());
    }
  };
  using Catch::Matchers::Contains;
  CHECK_THAT(with("embedding", DType::q8_0, {257, 68}), Contains("attention_norm"));  // the next one
  CHECK_THAT(with("embedding", DType::u8, {257, 68}), Contains("embedding"));
  CHECK_THAT(with("embedding", DType::q4_0, {257, 18}), Contains("[257, 36], got [257, 18]"));
  // In tiles: two strips for 64 rows.
  CHECK_THAT(with("layers.0.q", DType::q8_0, {2, 32 * 68}), Contains("layers.0.k"));  // the next one
  CHECK_THAT(with("layers.0.q", DType::q8_0, {64, 68}), Contains("[2, 2176], got [64, 68]"));
}

TEST_CASE("a missing tensor is a FormatError that names it") {
  const support::TinyModel tiny;
  ModelConfig config = ModelConfig::open(tiny.path());
  config.tied_embedding = false;
  try {
    Weights::open(tiny.path() / "resident.safetensors", config);
    FAIL("expected a FormatError");
  } catch (const FormatError& error) {
    CHECK_THAT(error.what(), Catch::Matchers::Contains("head"));
  }
}
