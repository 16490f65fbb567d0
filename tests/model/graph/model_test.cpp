// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/graph/model.hpp"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/catch.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;
using model::Model;

TEST_CASE("a packed folder opens") {
  const support::TinyModel tiny;
  const auto opened = Model::open(tiny.path());
  CHECK(opened->spec().n_layers() == 3);
  CHECK_FALSE(opened->bundled());
  CHECK(opened->selector().name() == "dense");
  CHECK(opened->n_passed() == 3 * 7 + 1);
  CHECK(opened->bundles().files().size() == 4);
  CHECK(opened->kv_dtype() == DType::f32);
  CHECK(Model::open(support::TinyModel(support::TinyShape::of(DType::q4_0)).path())->tile_cols() ==
        160);
}

TEST_CASE("a folder of format 3 with bundles opens") {
  const support::TinyModel tiny(support::TinyShape::bundled());
  storage::Manifest manifest = storage::Manifest::open(tiny.path());
  manifest.format_version = 3;
  manifest.save(tiny.path());
  const auto opened = Model::open(tiny.path());
  CHECK(opened->bundled());
  CHECK(opened->bundles().n_layers() == 3);
  CHECK(opened->manifest().format_version == 3);
  CHECK(opened->n_passed() == 16);
  CHECK(opened->bundles().files().size() == 4);
}

TEST_CASE("a selector of single neurons refuses matrices, and says how to pack") {
  const support::TinyModel tiny;
  for (const char* selector : {"predictor", "gate", "threshold"}) {
    CHECK_THROWS_WITH(Model::open(tiny.path(), selector),
                      Catch::Matchers::Contains("neurons_per_bundle=1"));
  }
}

TEST_CASE("a folder that is not there is an IoError, a foreign one too") {
  const support::TempFolder folder;
  CHECK_THROWS_AS(Model::open(folder.path() / "nowhere"), IoError);
  CHECK_THROWS_AS(Model::open(folder.path()), IoError);
}

TEST_CASE("a graph and bundles that disagree are a FormatError that names both numbers") {
  const support::TinyModel tiny(support::TinyShape::bundled());
  const auto [path, value] = GENERATE(
      table<const char*, int>({{"/dim", 32}, {"/stacks/0/layer_kinds/0/parts/1/ffn/hidden", 149}}));
  nlohmann::json graph = support::tiny_graph(tiny.shape);
  graph[nlohmann::json::json_pointer(path)] = value;
  support::replace_graph(tiny, graph);
  CHECK_THROWS_WITH(Model::open(tiny.path()), Catch::Matchers::Contains(std::to_string(value)));
  graph = support::tiny_graph(tiny.shape);
  graph["stacks"][0]["layers"] = {0, 0};
  support::replace_graph(tiny, graph);
  CHECK_THROWS_WITH(
      Model::open(tiny.path()),
      Catch::Matchers::Contains("layers: the graph says 2") && Catch::Matchers::Contains("says 3"));
}

TEST_CASE("a graph and matrices that disagree are a FormatError that names the tensor") {
  const support::TinyModel tiny;
  nlohmann::json graph = support::tiny_graph(tiny.shape);
  graph["stacks"][0]["layer_kinds"][0]["parts"][1]["ffn"]["hidden"] = 149;
  support::replace_graph(tiny, graph);
  CHECK_THROWS_WITH(Model::open(tiny.path()),
                    Catch::Matchers::Contains("expected [149, 24], got [150, 24]") &&
                        Catch::Matchers::Contains("layers.0.gate"));
  graph = support::tiny_graph(tiny.shape);
  graph["stacks"][0]["layers"] = {0, 0};
  support::replace_graph(tiny, graph);
  CHECK_THROWS_WITH(Model::open(tiny.path()), Catch::Matchers::Contains("layers.2."));
}

TEST_CASE("a layer without the gate that its graph has is a FormatError") {
  const support::TinyModel tiny(support::TinyShape::opt());
  support::replace_graph(tiny, support::tiny_graph({}));
  CHECK_THROWS_WITH(Model::open(tiny.path()),
                    Catch::Matchers::Contains("gate rows: the graph says 1"));
}

TEST_CASE("a graph that nothing computes is a FormatError that names the field") {
  const support::TinyModel tiny;
  nlohmann::json graph = support::tiny_graph(tiny.shape);
  graph["stacks"][0]["layer_kinds"][0]["parts"][0]["attention"]["sinks"] = true;
  support::replace_graph(tiny, graph);
  CHECK_THROWS_WITH(Model::open(tiny.path()),
                    Catch::Matchers::Contains(
                        "layer_kinds[0].parts[0].attention.sinks: expected none, got one") &&
                        Catch::Matchers::Contains("flashlm.json"));
}

TEST_CASE("tokens beyond the vocabulary are a FormatError") {
  const support::TinyModel tiny;
  storage::Manifest manifest = storage::Manifest::open(tiny.path());
  manifest.eos = {257};
  manifest.save(tiny.path());
  CHECK_THROWS_WITH(Model::open(tiny.path()),
                    Catch::Matchers::Contains("tokens.eos: expected an id below 257"));
  manifest.eos.clear();
  manifest.bos = 257;
  manifest.save(tiny.path());
  CHECK_THROWS_WITH(Model::open(tiny.path()), Catch::Matchers::Contains("tokens.bos"));
}

TEST_CASE("a manifest that is given takes the place of the folder's") {
  const support::TinyModel tiny;
  const storage::Manifest manifest = storage::Manifest::open(tiny.path());
  std::filesystem::remove(tiny.path() / storage::Manifest::kFileName);
  CHECK_THROWS_AS(Model::open(tiny.path()), IoError);
  CHECK(Model::open(tiny.path(), "auto", manifest.text())->spec().n_layers() == 3);
  std::filesystem::remove(tiny.path() / "tokenizer.json");
  CHECK_THROWS_AS(Model::open(tiny.path(), "auto", manifest.text()), IoError);
}

TEST_CASE("a manifest without resident weights is a FormatError") {
  const support::TinyModel tiny;
  storage::Manifest manifest = storage::Manifest::open(tiny.path());
  std::erase_if(manifest.files, [](const storage::FileRecord& file) {
    return file.name == "resident.safetensors";
  });
  manifest.save(tiny.path());
  CHECK_THROWS_AS(Model::open(tiny.path()), FormatError);
}

TEST_CASE("the segments of a pass are where their matrices are") {
  support::TinyShape shape;
  shape.tied = GENERATE(true, false);
  const support::TinyModel tiny(shape);
  const auto opened = Model::open(tiny.path());
  REQUIRE(opened->segments().size() == (shape.tied ? 22 : 23));
  for (std::size_t layer = 0; layer < 3; ++layer) {
    const model::FfnWeights& ffn = opened->weights().layer(layer).parts[1].ffn;
    std::size_t at = layer * 7 + 4;
    for (const model::Matrix* matrix : {&ffn.gate, &ffn.up, &ffn.down}) {
      CHECK(matrix->segment == at);
      const stream::Segment& segment = opened->segments()[at++];
      CHECK(opened->bundles().files()[segment.file].path().filename() ==
            concat("ffn-", layer, ".safetensors"));
      CHECK(segment.offset == matrix->extent.offset);
      CHECK(segment.n_units == 150);
      CHECK(segment.unit_bytes == 24 * sizeof(float));
    }
  }
}

TEST_CASE("the segments of a pass are where their weights are, with bundles") {
  support::TinyShape shape = support::TinyShape::bundled();
  shape.tied = GENERATE(true, false);
  const support::TinyModel tiny(shape);
  const auto opened = Model::open(tiny.path());
  const model::Weights& weights = opened->weights();
  REQUIRE(opened->segments().size() == (shape.tied ? 16 : 17));
  for (std::size_t layer = 0; layer < 3; ++layer) {
    for (const model::Matrix* matrix : {&weights.layer(layer).parts[0].attention.query,
                                        &weights.layer(layer).parts[0].attention.output}) {
      const stream::Segment& segment = opened->segments()[matrix->segment];
      CHECK(segment.file == 3);
      CHECK(segment.offset == matrix->extent.offset);
      CHECK(segment.bytes() == matrix->extent.bytes);
    }
    const stream::Segment& neurons = opened->segments()[layer * 5 + 4];
    CHECK(neurons.file == layer);
    CHECK(neurons.n_units == 5);
    CHECK(neurons.unit_bytes == opened->bundles().layout(layer).stride);
  }
  CHECK(opened->segments()[15].n_units == 257);
}
