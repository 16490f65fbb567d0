// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/select/gate_writer.hpp"

#include <cmath>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;
using namespace flashlm::units;

namespace {

support::TinyModel tiny_model(std::size_t neurons_per_bundle, bool gated = true) {
  support::TinyShape shape = gated ? support::TinyShape() : support::TinyShape::opt();
  shape.dim = 64;
  shape.head_dim = 16;
  shape.neurons_per_bundle = neurons_per_bundle;
  return support::TinyModel(shape);
}

SelectorFile load(const support::TinyModel& tiny) {
  SelectorFile file =
      SelectorFile::open(tiny.path() / GateSelector::kFileName, GateSelector::kFormat,
                         weights_fingerprint(storage::Manifest::open(tiny.path())));
  file.load();
  return file;
}

}  // namespace

TEST_CASE(
    "gates are copies of the gate rows, or of the up rows, and the facts bound their errors") {
  for (const bool gated : {true, false}) {
    const support::TinyModel tiny = tiny_model(gated ? 32 : 1, gated);
    std::vector<std::size_t> calls;
    write_gates(tiny.path(), [&](std::size_t done, std::size_t total) {
      CHECK(total == 3);
      calls.push_back(done);
    });
    CHECK(calls == std::vector<std::size_t>{1, 2, 3});
    const SelectorFile file = load(tiny);
    for (std::size_t layer = 0; layer < 3; ++layer) {
      const support::Matrix& source =
          tiny.weights.at(concat("layers.", layer, gated ? ".gate" : ".up"));
      const MatrixView copy = file.matrix(concat("layers.", layer, ".gate"), 150, 64);
      REQUIRE(copy.dtype == DType::q8_0);
      const std::byte* facts =
          file.raw(concat("layers.", layer, ".facts"), 150, sizeof(GateSelector::RowFacts));
      for (std::size_t row = 0; row < 150; ++row) {
        GateSelector::RowFacts fact;
        std::memcpy(&fact, facts + row * sizeof fact, sizeof fact);
        double error = 0, own = 0, copied = 0;
        for (std::size_t k = 0; k < 64; ++k) {
          const double w = static_cast<double>(source.at(row, k));
          const double q = static_cast<double>(support::value_at(DType::q8_0, copy.row(row), k));
          std::uint16_t half;
          std::memcpy(&half, copy.row(row) + k / 32 * 34, sizeof half);
          REQUIRE(std::abs(w - q) <= static_cast<double>(fact.error_ratio) *
                                         std::abs(static_cast<double>(f16_to_f32(half))));
          error += (w - q) * (w - q);
          own += w * w;
          copied += q * q;
        }
        CHECK(fact.error_ratio < 0.6f);
        REQUIRE(std::sqrt(error) <= static_cast<double>(fact.error_norm));
        REQUIRE(std::sqrt(own) + std::sqrt(copied) <= static_cast<double>(fact.norms));
        CHECK(static_cast<double>(fact.error_norm) < std::sqrt(error) * 1.001 + 1e-9);
      }
    }
  }
}

TEST_CASE("gates appear whole or not at all, and change nothing else") {
  const support::TinyModel tiny = tiny_model(1);
  const auto stop = [](std::size_t done, std::size_t) {
    if (done == 2) throw std::runtime_error("enough");
  };
  CHECK_THROWS_AS(write_gates(tiny.path(), stop), std::runtime_error);
  CHECK_FALSE(std::filesystem::exists(tiny.path() / GateSelector::kFileName));
  write_gates(tiny.path());
  CHECK_NOTHROW(storage::Manifest::open(tiny.path()).verify(tiny.path()));
  CHECK_NOTHROW(load(tiny));
  write_gates(tiny.path());  // again
  CHECK_NOTHROW(load(tiny));
}

TEST_CASE("hollow gates take what gates take, and are not to be used") {
  const support::TinyModel tiny = tiny_model(1);
  const auto bytes = [&] {
    return SelectorFile::open(tiny.path() / GateSelector::kFileName, GateSelector::kFormat,
                              weights_fingerprint(storage::Manifest::open(tiny.path())))
        .bytes();
  };
  write_hollow_gates(tiny.path());
  const std::size_t hollow = bytes();
  CHECK_THROWS_AS(load(tiny), FormatError);
  write_gates(tiny.path());
  CHECK(bytes() == hollow);
}

TEST_CASE("rows that are no whole blocks have no copies") {
  const support::TinyModel tiny(support::TinyShape::bundled());  // dim 24
  CHECK_THROWS_AS(write_gates(tiny.path()), ArgumentError);
  CHECK_THROWS_AS(write_hollow_gates(tiny.path()), ArgumentError);
}
