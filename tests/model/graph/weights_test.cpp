// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/graph/weights.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "flashlm/compute/cpu/quantise/tiling.hpp"
#include "flashlm/storage/format/safetensors_writer.hpp"
#include "support/catch.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;
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

/// resident.safetensors, and those of the networks.
std::vector<std::filesystem::path> weight_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files{folder / "resident.safetensors"};
  for (const char* name : {"ffn-0", "ffn-1", "ffn-2"})
    files.push_back(folder / (std::string(name) + ".safetensors"));
  return files;
}

/// The rows of `got`, which may be in tiles in the file.
void check_equal(const support::TinyModel& tiny, const model::Matrix& got,
                 const support::Matrix& expected) {
  const storage::File file = storage::File::open(weight_files(tiny.path()).at(got.file));
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

Weights open_weights(const std::filesystem::path& folder, const model::ModelSpec& spec) {
  return Weights::open(weight_files(folder), spec, model::tensors(spec));
}

}  // namespace

TEST_CASE("every vector arrives where it belongs, and every matrix is found") {
  auto shape = support::TinyShape::of(
      GENERATE(DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0));
  shape.tied = GENERATE(true, false);
  const support::TinyModel tiny(shape);
  const Weights weights = open_weights(tiny.path(), support::tiny_spec(tiny.shape));
  check_equal(tiny, weights.embedding(), tiny.weights.at("embedding"));
  check_equal(tiny, weights.head(), tiny.weights.at(shape.tied ? "embedding" : "head"));
  CHECK_FALSE(weights.head().tiled);
  CHECK_FALSE(weights.embedding().tiled);
  CHECK(weights.layer(0).parts[0].attention.output.tiled == is_block(shape.dtype));
  CHECK(weights.head().segment == 7 * shape.n_layers);
  CHECK(weights.embedding().segment == 7 * shape.n_layers + (shape.tied ? 0 : 1));
  CHECK(weights.bytes() == (1 + 2 * shape.n_layers) *
                               round_up(4 * shape.dim, 64));  // 24 floats, rounded up to 64 bytes
  CHECK(weights.positions().rows == 0);
  CHECK(weights.final_norm().weight[3] == tiny.weights.at("final_norm").at(0, 3));
  for (std::size_t layer = 0; layer < shape.n_layers; ++layer) {
    const std::string prefix = concat("layers.", layer, ".");
    check_equal(tiny, weights.layer(layer).parts[0].attention.query, tiny.weights.at(prefix + "q"));
    check_equal(tiny, weights.layer(layer).parts[0].attention.key, tiny.weights.at(prefix + "k"));
    check_equal(tiny, weights.layer(layer).parts[0].attention.value, tiny.weights.at(prefix + "v"));
    check_equal(tiny, weights.layer(layer).parts[0].attention.output,
                tiny.weights.at(prefix + "o"));
    const model::FfnWeights& ffn = weights.layer(layer).parts[1].ffn;
    check_equal(tiny, ffn.gate, tiny.weights.at(prefix + "gate"));
    check_equal(tiny, ffn.up, tiny.weights.at(prefix + "up"));
    const support::Matrix& down = tiny.weights.at(prefix + "down");
    CHECK(ffn.down.transposed != is_block(shape.dtype));
    check_equal(tiny, ffn.down, ffn.down.transposed ? support::transposed(down) : down);
    CHECK(weights.layer(layer).parts[1].before.weight[0] ==
          tiny.weights.at(prefix + "ffn_norm").at(0, 0));
    CHECK(weights.layer(layer).parts[0].before.weight[1] ==
          tiny.weights.at(prefix + "attention_norm").at(0, 1));
  }
}

TEST_CASE("the biases and positions of OPT arrive where they belong") {
  support::TinyShape shape = support::TinyShape::opt();
  shape.neurons_per_bundle = 0;
  const support::TinyModel tiny(shape);
  const Weights weights = open_weights(tiny.path(), support::tiny_spec(tiny.shape));
  check_table(weights.positions(), tiny.weights.at("positions"));
  const auto check_vector = [&](std::span<const float> got, const std::string& name) {
    INFO(name);
    const std::vector<float>& expected = tiny.weights.at(name).values;
    CHECK(std::vector<float>(got.begin(), got.end()) == expected);
  };
  check_vector(weights.final_norm().bias, "final_norm_bias");
  for (std::size_t layer = 0; layer < tiny.shape.n_layers; ++layer) {
    const std::string prefix = concat("layers.", layer, ".");
    const model::PartWeights& attention = weights.layer(layer).parts[0];
    const model::PartWeights& ffn = weights.layer(layer).parts[1];
    check_vector(attention.before.bias, prefix + "attention_norm_bias");
    check_vector(attention.attention.query_bias, prefix + "q_bias");
    check_vector(attention.attention.key_bias, prefix + "k_bias");
    check_vector(attention.attention.value_bias, prefix + "v_bias");
    check_vector(attention.attention.output_bias, prefix + "o_bias");
    check_vector(ffn.before.bias, prefix + "ffn_norm_bias");
    check_vector(ffn.ffn.parameters.up_bias, prefix + "up_bias");
    check_vector(ffn.ffn.down_bias, prefix + "down_bias");
    CHECK(ffn.ffn.parameters.activation == kernels::Activation::relu);
  }
}

TEST_CASE("weights of another shape are a FormatError that names tensor and both shapes") {
  const support::TinyModel tiny;
  model::ModelSpec spec = support::tiny_spec(tiny.shape);
  spec.vocab_size += 1;
  try {
    open_weights(tiny.path(), spec);
    FAIL("expected a FormatError");
  } catch (const FormatError& error) {
    CHECK_THAT(error.what(), Catch::Matchers::Contains("[258, 24], got [257, 24]") &&
                                 Catch::Matchers::Contains("embedding"));
  }
}

TEST_CASE(
    "bytes that are no blocks, or blocks of another size, are a FormatError that names the "
    "tensor") {
  const support::TinyModel tiny(support::TinyShape::of(DType::q8_0));
  const auto path = tiny.path() / "resident.safetensors";
  const storage::Safetensors good = storage::Safetensors::open(path);
  std::vector<std::vector<std::byte>> contents;
  for (const storage::TensorInfo& info : good.tensors()) {
    contents.emplace_back(info.extent.bytes);
    good.file().read(info.extent.offset, contents.back());
  }
  // The error for the file with that one in place of its tensor of the name.
  const auto with = [&](const std::string& tensor, DType dtype,
                        const std::vector<std::uint64_t>& shape) {
    std::map<std::string, std::string> metadata;
    std::vector<storage::TensorSpec> specs;
    for (const storage::TensorInfo& info : good.tensors()) {
      const bool is_changed = info.name == tensor;
      const DType mine = is_changed ? dtype : storage::number_format(good, info.name);
      if (is_block(mine)) metadata[storage::number_format_key(info.name)] = name(mine);
      specs.push_back(
          {info.name, is_plain(mine) ? mine : DType::u8, is_changed ? shape : info.shape});
    }
    storage::SafetensorsWriter writer(path, specs, metadata);
    for (const std::string& name : writer.order()) {
      if (name == tensor) {
        writer.write(name, std::vector<std::byte>(shape[0] * shape[1]));
        continue;
      }
      const auto& infos = good.tensors();
      const auto is_named = [&](const storage::TensorInfo& info) { return info.name == name; };
      const auto found = std::find_if(infos.begin(), infos.end(), is_named);
      writer.write(name, contents[static_cast<std::size_t>(found - infos.begin())]);
    }
    writer.finish();
    try {
      open_weights(tiny.path(), support::tiny_spec(tiny.shape));
      return std::string("none");
    } catch (const FormatError& error) {
      return std::string(error.what());
    }
  };
  using Catch::Matchers::Contains;
  CHECK(with("embedding", DType::q8_0, {257, 68}) == "none");
  CHECK_THAT(with("embedding", DType::u8, {257, 68}), Contains("dtype") && Contains("embedding"));
  CHECK_THAT(with("embedding", DType::q4_0, {257, 18}), Contains("[257, 36], got [257, 18]"));
  // In tiles: two strips for 64 rows.
  CHECK(with("layers.0.q", DType::q8_0, {2, 32 * 68}) == "none");
  CHECK_THAT(with("layers.0.q", DType::q8_0, {64, 68}), Contains("[2, 2176], got [64, 68]"));
}

TEST_CASE("a tensor that the graph has no place for is a FormatError that names it") {
  support::TinyShape shape = support::TinyShape::opt();
  shape.neurons_per_bundle = 0;
  const support::TinyModel tiny(shape);
  nlohmann::json graph = support::tiny_graph(tiny.shape);
  graph["stacks"][0]["layer_kinds"][0]["parts"][0]["attention"].erase("bias");
  CHECK_THROWS_WITH(open_weights(tiny.path(), model::parse_spec(graph.dump(), "changed")),
                    Catch::Matchers::Contains("layers.0.") && Catch::Matchers::Contains("_bias"));
}

TEST_CASE("a tensor that two files have is a FormatError that names both") {
  const support::TinyModel tiny;
  const model::ModelSpec spec = support::tiny_spec(tiny.shape);
  std::vector<std::filesystem::path> files = weight_files(tiny.path());
  files.push_back(tiny.path() / "copy.safetensors");
  std::filesystem::copy_file(files[1], files.back());
  CHECK_THROWS_WITH(Weights::open(files, spec, model::tensors(spec)),
                    Catch::Matchers::Contains("ffn-0") && Catch::Matchers::Contains("copy") &&
                        Catch::Matchers::Contains("layers.0."));
}

TEST_CASE("a missing tensor is a FormatError that names it") {
  const support::TinyModel tiny;
  model::ModelSpec spec = support::tiny_spec(tiny.shape);
  spec.head.tied = false;
  try {
    open_weights(tiny.path(), spec);
    FAIL("expected a FormatError");
  } catch (const FormatError& error) {
    CHECK_THAT(error.what(), Catch::Matchers::Contains("head"));
  }
}
