// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/model.hpp"

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
  CHECK(opened->config().n_layers == 3);
  CHECK(opened->bundles().n_layers() == 3);
  CHECK(opened->selector().name == "dense");
  CHECK(opened->n_passed() == 16);
  CHECK(opened->bundles().files().size() == 4);
}

TEST_CASE("a folder that is not there is an IoError, a foreign one too") {
  const support::TempFolder folder;
  CHECK_THROWS_AS(Model::open(folder.path() / "nowhere"), IoError);
  CHECK_THROWS_AS(Model::open(folder.path()), IoError);
}

TEST_CASE("config and bundles that disagree are a FormatError that names both numbers") {
  const support::TinyModel tiny;
  nlohmann::json config = support::tiny_config(tiny.shape);
  const auto [key, value] =
      GENERATE(table<const char*, int>({{"num_hidden_layers", 2}, {"hidden_size", 32}, {"intermediate_size", 149}}));
  config[key] = value;
  support::replace_config(tiny, config);
  try {
    Model::open(tiny.path());
    FAIL("expected a FormatError");
  } catch (const FormatError& error) {
    CHECK_THAT(error.what(), Catch::Matchers::Contains(std::to_string(value)));
  }
}

TEST_CASE("a config of another architecture is a FormatError that names both") {
  const support::TinyModel tiny;
  support::replace_config(tiny, support::tiny_config(support::TinyShape::opt()));
  CHECK_THROWS_WITH(Model::open(tiny.path()),
                    Catch::Matchers::Contains("config.json says opt, flashlm.json says llama"));
}

TEST_CASE("a layer without the gate that its architecture has is a FormatError") {
  const support::TinyModel tiny(support::TinyShape::opt());
  support::replace_config(tiny, support::tiny_config({}));
  storage::Manifest manifest = storage::Manifest::open(tiny.path());
  manifest.architecture = "llama";
  manifest.save(tiny.path());
  CHECK_THROWS_WITH(Model::open(tiny.path()), Catch::Matchers::Contains("gate rows: config.json says 1"));
}

TEST_CASE("a manifest without resident weights is a FormatError") {
  const support::TinyModel tiny;
  storage::Manifest manifest = storage::Manifest::open(tiny.path());
  std::erase_if(manifest.files, [](const storage::FileRecord& file) { return file.name == "resident.safetensors"; });
  manifest.save(tiny.path());
  CHECK_THROWS_AS(Model::open(tiny.path()), FormatError);
}

TEST_CASE("the segments of a pass are where their weights are") {
  support::TinyShape shape;
  shape.tied = GENERATE(true, false);
  const support::TinyModel tiny(shape);
  const auto opened = Model::open(tiny.path());
  const model::Weights& weights = opened->weights();
  REQUIRE(opened->segments().size() == (shape.tied ? 16 : 17));
  for (std::size_t layer = 0; layer < 3; ++layer) {
    for (const model::Matrix* matrix : {&weights.layer(layer).query, &weights.layer(layer).output}) {
      const sparse::Segment& segment = opened->segments()[matrix->segment];
      CHECK(segment.file == 3);
      CHECK(segment.offset == matrix->extent.offset);
      CHECK(segment.bytes() == matrix->extent.bytes);
    }
    const sparse::Segment& neurons = opened->segments()[layer * 5 + 4];
    CHECK(neurons.file == layer);
    CHECK(neurons.n_units == 5);
    CHECK(neurons.unit_bytes == opened->bundles().layout(layer).stride);
  }
  CHECK(opened->segments()[15].n_units == 257);
}
