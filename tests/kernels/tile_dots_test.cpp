// SPDX-License-Identifier: Apache-2.0
/// tile_sum_test.cpp: sums over tiles against plain loops, and their bits under every cut.
#include "flashlm/kernels/tile_sum.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace kernels = flashlm::kernels;
using flashlm::DType;
using flashlm::Isa;
using flashlm::kBlockNumbers;
using flashlm::MatrixView;
using namespace support;

namespace {

/// Tiles of 32 neurons and `dim` columns, made of random blocks that run along the neurons, one a column.
class Tiles {
 public:
  Tiles(DType dtype, std::size_t dim, std::size_t offset = 0)
      : blocks_(dtype, dim, kBlockNumbers),
        offset_(offset),
        bytes_(offset + flashlm::row_bytes(dtype, dim) * kBlockNumbers) {
    const std::size_t quant_bytes = dtype == DType::q8_0 ? 32 : 16;  // of a row of a tile
    for (std::size_t column = 0; column < dim; ++column) {
      const std::byte* block = blocks_.view().row(column);
      const std::size_t c = column % 32;
      std::byte* tile = bytes_.data() + offset + column / 32 * 32 * (2 + quant_bytes);
      std::memcpy(tile + 2 * c, block, 2);
      for (std::size_t n = 0; n < 32; ++n) {
        std::byte& to = tile[64 + n * quant_bytes + c % quant_bytes];
        if (dtype == DType::q8_0) {
          to = block[2 + n];
        } else {
          const std::byte nibble = n < 16 ? block[2 + n] & std::byte{15} : block[2 + n - 16] >> 4;
          to |= c < 16 ? nibble : nibble << 4;
        }
      }
    }
  }

  MatrixView view() const {
    return MatrixView::dense(bytes_.data() + offset_, blocks_.view().dtype, kBlockNumbers, blocks_.view().rows);
  }
  float scale(std::size_t column) const {
    std::uint16_t half;
    std::memcpy(&half, blocks_.view().row(column), sizeof half);
    return flashlm::f16_to_f32(half);
  }
  double at(std::size_t neuron, std::size_t column) const { return blocks_.at(column, neuron); }

 private:
  Weights blocks_;
  std::size_t offset_;
  std::vector<std::byte> bytes_;
};

}  // namespace

TEST_CASE("a sum over tiles equals plain loops in double over the blocks, and adds to what is there") {
  for (const auto [isa, dtype] : variants(kBlocks)) {
    for (std::size_t dim : {0u, 32u, 160u}) {
      for (std::size_t n_tokens : {1u, 2u, 5u, 13u}) {
        CAPTURE(name(isa), name(dtype), dim, n_tokens);
        const Tiles tiles(dtype, dim, 1);
        const std::size_t h_stride = 35, y_stride = dim + 3;
        const std::vector<float> h = random_numbers(n_tokens * h_stride, dim);
        const std::vector<float> before = random_numbers(n_tokens * y_stride, 2);
        std::vector<float> y = before;
        kernels::table(isa).tile_sum(tiles.view(), h.data(), h_stride, n_tokens, y.data(), y_stride, 0, dim, nullptr);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < y.size(); ++i) {
          const std::size_t t = i / y_stride, c = i % y_stride;
          double exact = static_cast<double>(before[i]), magnitude = std::abs(exact);
          for (std::size_t n = 0; c < dim && n < kBlockNumbers; ++n) {
            const double product = static_cast<double>(h[t * h_stride + n]) * tiles.at(n, c);
            exact += product;
            magnitude += std::abs(product);
          }
          wrong += std::abs(static_cast<double>(y[i]) - exact) > (c < dim ? 2e-6 * magnitude : 0);
        }
        REQUIRE(wrong == 0);
      }
    }
  }
}

TEST_CASE("an element of a sum over tiles is a chain from zero, and the scale comes last") {
  constexpr std::size_t dim = 64;
  for (const DType dtype : kBlocks) {
    const Tiles tiles(dtype, dim);
    const std::vector<float> h = random_numbers(32, 7), before = random_numbers(dim, 8);
    for (const Isa isa : isas()) {
      // The portable region rounds a product and a sum, the others once.
      const auto fma = [&](float a, float b, float c) { return isa == Isa::scalar ? a * b + c : std::fma(a, b, c); };
      std::vector<float> y = before, exact = before;
      kernels::table(isa).tile_sum(tiles.view(), h.data(), 0, 1, y.data(), 0, 0, dim, nullptr);
      for (std::size_t c = 0; c < dim; ++c) {
        float chain = 0;
        for (std::size_t n = 0; n < 32; ++n) {
          const double quant = tiles.scale(c) == 0 ? 0 : tiles.at(n, c) / static_cast<double>(tiles.scale(c));
          chain = fma(h[n], static_cast<float>(quant), chain);
        }
        exact[c] = fma(tiles.scale(c), chain, exact[c]);
      }
      CAPTURE(name(isa), name(dtype));
      REQUIRE(same_bits(y, exact));
    }
  }
}

TEST_CASE("a sum over tiles has the same bits however tokens and columns are cut") {
  constexpr std::size_t dim = 192, most = 30;
  for (const auto [isa, dtype] : variants(kBlocks)) {
    const auto tile_sum = kernels::table(isa).tile_sum;
    const Tiles tiles(dtype, dim);
    const std::vector<float> h = random_numbers(most * 32, 3);
    std::vector<float> single(most * dim);
    for (std::size_t t = 0; t < most; ++t)
      tile_sum(tiles.view(), &h[t * 32], 0, 1, &single[t * dim], 0, 0, dim, nullptr);
    for (std::size_t n = 1; n <= most; ++n) {
      CAPTURE(name(isa), name(dtype), n);
      std::vector<float> batch(n * dim);
      tile_sum(tiles.view(), h.data(), 32, n, batch.data(), dim, 0, dim, nullptr);
      REQUIRE(same_bits(batch, std::span(single).first(n * dim)));
    }
    for (std::size_t split = 0; split <= dim; split += 32) {
      CAPTURE(name(isa), name(dtype), split);
      std::vector<float> y(most * dim);
      tile_sum(tiles.view(), h.data(), 32, most, y.data(), dim, split, dim, nullptr);
      tile_sum(tiles.view(), h.data(), 32, most, y.data(), dim, 0, split, nullptr);
      REQUIRE(same_bits(y, single));
    }
  }
}

TEST_CASE("instruction sets agree on a sum over tiles to 1e-6 of its magnitude") {
  for (const DType dtype : kBlocks) {
    const Tiles tiles(dtype, 64);
    const std::vector<float> h = random_numbers(32, 5);
    std::vector<float> first(64), other(64);
    kernels::table(Isa::scalar).tile_sum(tiles.view(), h.data(), 0, 1, first.data(), 0, 0, 64, nullptr);
    for (Isa isa : isas()) {
      CAPTURE(name(isa), name(dtype));
      other.assign(64, 0.0f);
      kernels::table(isa).tile_sum(tiles.view(), h.data(), 0, 1, other.data(), 0, 0, 64, nullptr);
      for (std::size_t c = 0; c < 64; ++c) REQUIRE(std::abs(first[c] - other[c]) < 1e-6f * 16);
    }
  }
}

TEST_CASE("tiles of a format without blocks are an ArgumentError that names it") {
  float h = 0, y = 0;
  const MatrixView tiles{nullptr, DType::f16, 32, 32, 64};
  REQUIRE_THROWS_AS(kernels::tile_sum(tiles, &h, 32, 1, &y, 32, 0, 32), flashlm::ArgumentError);
  REQUIRE_THROWS_WITH(kernels::tile_sum(tiles, &h, 32, 1, &y, 32, 0, 32),
                      "[tile_sum] number format: expected q8_0 or q4_0, got f16");
}
