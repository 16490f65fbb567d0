// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/select/selector.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include "support/bundle_fixture.hpp"
#include "support/catch.hpp"
#include "support/predictor_file.hpp"

using namespace flashlm;
using namespace flashlm::units;

namespace {

struct Fixture : support::BundleFixture {
  explicit Fixture(std::size_t neurons_per_bundle = 1, std::size_t dim = 64)
      : BundleFixture([&] {
          support::TinyShape shape;
          shape.dim = dim;
          shape.neurons_per_bundle = neurons_per_bundle;
          return shape;
        }()) {}

  SelectorChoice choose(const std::string& name,
                        kernels::Activation activation = kernels::Activation::relu) {
    return choose_selector(name, model.path(), storage::Manifest::open(model.path()), bundles,
                           activation);
  }
};

}  // namespace

TEST_CASE("auto takes the predictor that a folder has, else every neuron") {
  Fixture fixture;
  CHECK(fixture.choose("auto").name() == "dense");
  CHECK(fixture.choose("auto").bytes == 0);
  CHECK(name(fixture.choose("dense").load()) == "dense");
  support::write_predictor(fixture.model.path());
  const SelectorChoice predictor = fixture.choose("auto");
  CHECK(predictor.name() == "predictor");
  CHECK(predictor.bytes > 0);
  CHECK(predictor.scratch_bytes(3, 2) == Predictor::scratch_bytes(4, 3, 2));
  CHECK(name(predictor.load()) == "predictor");
  CHECK(fixture.choose("dense").name() == "dense");
  Fixture grouped(32);
  support::write_predictor(grouped.model.path());
  CHECK(grouped.choose("auto").name() == "dense");
}

TEST_CASE("gates are made when they are asked for") {
  Fixture fixture;
  const std::filesystem::path path = fixture.model.path() / GateSelector::kFileName;
  const SelectorChoice gate = fixture.choose("gate");
  CHECK(std::filesystem::exists(path));
  const auto written = std::filesystem::last_write_time(path);
  CHECK(name(fixture.choose("gate").load()) == "gate");
  CHECK(std::filesystem::last_write_time(path) == written);
  CHECK(gate.bytes > 3 * 150 * 68);
}

TEST_CASE("the file of a selector is verified where there is one") {
  const Fixture fixture;
  for (const char* name : {"predictor", "gate", "threshold"})
    CHECK_NOTHROW(verify_selector(name, fixture.model.path()));
  const std::filesystem::path path = support::write_predictor(fixture.model.path());
  CHECK_NOTHROW(verify_selector("predictor", fixture.model.path()));
  std::filesystem::copy_file(path, fixture.model.path() / GateSelector::kFileName);
  CHECK_THROWS_AS(verify_selector("gate", fixture.model.path()), FormatError);
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary).seekp(-9, std::ios::end)
      << "changed";
  CHECK_THROWS_AS(verify_selector("predictor", fixture.model.path()), FormatError);
}

TEST_CASE("a selector that a model can not have is an ArgumentError that says why") {
  Fixture fixture, grouped(32), odd(1, 24);
  CHECK_THROWS_WITH(fixture.choose("router"), Catch::Matchers::Contains("got 'router'"));
  CHECK_THROWS_AS(fixture.choose("router"), ArgumentError);
  CHECK_THROWS_WITH(fixture.choose("predictor"), Catch::Matchers::Contains("flashlm train"));
  CHECK_THROWS_AS(fixture.choose("predictor"), ArgumentError);
  CHECK_THROWS_WITH(grouped.choose("predictor"), Catch::Matchers::Contains("neurons_per_bundle=1"));
  CHECK_THROWS_WITH(fixture.choose("gate", kernels::Activation::silu),
                    Catch::Matchers::Contains("silu"));
  CHECK_THROWS_AS(odd.choose("gate"), ArgumentError);
  support::write_predictor(fixture.model.path(), {.metadata = {{"model", "another"}}});
  CHECK_THROWS_AS(fixture.choose("predictor"), FormatError);
  CHECK_THROWS_AS(fixture.choose("auto"), FormatError);
}
