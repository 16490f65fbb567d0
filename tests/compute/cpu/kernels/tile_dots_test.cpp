// SPDX-License-Identifier: Apache-2.0
/// tile_dots_test.cpp: products of tiles against plain loops, bit for bit, and under every cut.
#include "flashlm/compute/cpu/kernels/tile_dots.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>

#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/tiles.hpp"

namespace kernels = flashlm::kernels;
using flashlm::ActivationBlock;
using flashlm::DType;
using flashlm::Isa;
using flashlm::TilesView;
using namespace support;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity(),
                kNan = std::numeric_limits<float>::quiet_NaN();

/// Activations whose quants are any that to_blocks makes.
std::vector<ActivationBlock> random_blocks(std::size_t n, std::uint64_t seed) {
  const std::vector<float> x = random_numbers(32 * n, seed, 3);
  std::vector<ActivationBlock> blocks(n);
  kernels::to_blocks(x, blocks.data());
  return blocks;
}

/// Equal bits, where a NaN equals every NaN.
bool same(std::span<const float> a, std::span<const float> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](float one, float other) {
    return std::isnan(one) ? std::isnan(other)
                           : std::bit_cast<int>(one) == std::bit_cast<int>(other);
  });
}

/// y[t][r] += the product, by the definition in tile_dots.hpp.
void plain_dots(Isa isa, const Tiles& tiles, const ActivationBlock* x, std::size_t x_stride,
                std::size_t n_tokens, float* y, std::size_t y_stride) {
  for (std::size_t t = 0; t < n_tokens; ++t) {
    for (std::size_t r = 0; r < tiles.view().rows; ++r) {
      float& total = y[t * y_stride + r];
      const std::size_t numbers = scaled_numbers(tiles.view().dtype);
      for (std::size_t first = 0; first < tiles.view().cols; first += numbers) {
        const ActivationBlock& activations = x[t * x_stride + first / 32];
        int n = 0, sum = 0;
        for (std::size_t k = 0; k < numbers; ++k) {
          const int quant = activations.quants[first % 32 + k];
          n += tiles.number(r, first + k).quant * quant;
          sum += quant;
        }
        const BlockNumber all = tiles.number(r, first);
        // The portable region rounds a product and a sum, the others once.
        const auto add = [&](float a, float b) {
          total = isa == Isa::scalar ? a * b + total : std::fma(a, b, total);
        };
        add(static_cast<float>(n), all.scale * activations.scale);
        if (has_minimum(tiles.view().dtype))
          add(all.minimum, static_cast<float>(sum) * activations.scale);
      }
    }
  }
}

/// tile_dots of all tokens, from zero.
std::vector<float> dots(Isa isa, const TilesView& tiles, std::span<const ActivationBlock> x,
                        std::size_t n_tokens) {
  std::vector<float> y(n_tokens * tiles.rows);
  kernels::table(isa).tile_dots(tiles, x.data(), tiles.cols / 32, n_tokens, y.data(), tiles.rows);
  return y;
}

}  // namespace

TEST_CASE(
    "a product of tiles has the bits of plain loops by its definition, and adds to what is there") {
  for (const auto [isa, dtype] : variants(kBlocks)) {
    for (const Order order : {Order::strips, Order::columns}) {
      for (std::size_t rows : {1u, 32u, 75u, 96u}) {
        for (std::size_t n_blocks : {1u, 2u, 5u}) {
          for (std::size_t n_tokens : {1u, 2u, 7u, 27u}) {
            CAPTURE(name(isa), name(dtype), static_cast<int>(order), rows, n_blocks, n_tokens);
            const Tiles tiles(dtype, rows, n_blocks, order, 1, 7);
            const std::size_t x_stride = tiles.n_x() + 1, y_stride = rows + 3;
            const std::vector<ActivationBlock> x = random_blocks(n_tokens * x_stride, rows);
            std::vector<float> y = random_numbers((n_tokens - 1) * y_stride + rows, 2),
                               expected = y;
            plain_dots(isa, tiles, x.data(), x_stride, n_tokens, expected.data(), y_stride);
            kernels::table(isa).tile_dots(tiles.view(), x.data(), x_stride, n_tokens, y.data(),
                                          y_stride);
            REQUIRE(same_bits(y, expected));
          }
        }
      }
    }
  }
}

TEST_CASE("a product of tiles with long rows has the bits of plain loops") {
  for (const auto [isa, dtype] : variants(kBlocks)) {
    for (const Order order : {Order::strips, Order::columns}) {
      for (std::size_t n_tokens : {1u, 13u}) {
        CAPTURE(name(isa), name(dtype), static_cast<int>(order), n_tokens);
        const Tiles tiles(dtype, 96, 2144 / flashlm::tile_cols(dtype), order);
        const std::vector<ActivationBlock> x = random_blocks(n_tokens * tiles.n_x(), 9);
        std::vector<float> expected(n_tokens * 96);
        plain_dots(isa, tiles, x.data(), tiles.n_x(), n_tokens, expected.data(), 96);
        REQUIRE(same_bits(dots(isa, tiles.view(), x, n_tokens), expected));
      }
    }
  }
}

TEST_CASE("a product of tiles has the same bits however tokens, rows and blocks are cut") {
  constexpr std::size_t rows = 107, n_blocks = 6, most = 40;
  for (const auto [isa, dtype] : variants(kBlocks)) {
    const auto tile_dots = kernels::table(isa).tile_dots;
    const Tiles tiles(dtype, rows, n_blocks), turned(dtype, rows, n_blocks, Order::columns, 0, 64);
    const std::size_t n_x = tiles.n_x(), per_block = n_x / n_blocks;
    const std::vector<ActivationBlock> x = random_blocks(most * n_x, 3);
    const TilesView view = tiles.view();
    std::vector<float> single(most * rows);
    for (std::size_t t = 0; t < most; ++t) tile_dots(view, &x[t * n_x], 0, 1, &single[t * rows], 0);
    CHECK(same_bits(dots(isa, turned.view(), x, most), single));
    for (std::size_t n = 1; n <= most; ++n) {
      CAPTURE(name(isa), name(dtype), n);
      REQUIRE(same_bits(dots(isa, view, x, n), std::span(single).first(n * rows)));
    }
    for (std::size_t n : {std::size_t{1}, most}) {
      for (std::size_t split = 0; split <= rows; split += 32) {
        CAPTURE(name(isa), name(dtype), n, split);
        std::vector<float> y(n * rows);
        tile_dots(view.slice(split, rows), x.data(), n_x, n, y.data() + split, rows);
        tile_dots(view.slice(0, split), x.data(), n_x, n, y.data(), rows);
        REQUIRE(same_bits(y, std::span(single).first(n * rows)));
      }
      for (std::size_t split = 0; split <= n_blocks; ++split) {
        CAPTURE(name(isa), name(dtype), n, split);
        std::vector<float> y(n * rows);
        tile_dots(tiles.columns(0, split), x.data(), n_x, n, y.data(), rows);
        tile_dots(tiles.columns(split, n_blocks - split), x.data() + split * per_block, n_x, n,
                  y.data(), rows);
        REQUIRE(same_bits(y, std::span(single).first(n * rows)));
      }
    }
  }
}

TEST_CASE("a product of tiles is exact for the largest quants of both signs") {
  for (const auto [isa, dtype] : variants(kBlocks)) {
    for (const int byte : {0x80, 0x7f, 0x00, 0xff}) {
      Tiles tiles(dtype, 32, 1);
      tiles.fill(static_cast<std::byte>(byte));
      for (const int sign : {-1, 1}) {
        const auto half = static_cast<std::int16_t>(sign * 127 * 16);
        ActivationBlock x{{}, 1.0f, 2 * half, {half, half}};
        std::fill(std::begin(x.quants), std::end(x.quants), static_cast<std::int8_t>(sign * 127));
        CAPTURE(name(isa), name(dtype), byte, sign);
        for (const std::size_t n_tokens : {1u, 16u}) {
          const std::vector<ActivationBlock> blocks(n_tokens * tiles.n_x(), x);
          double sum = 0;
          for (std::size_t k = 0; k < tiles.view().cols; ++k)
            sum += static_cast<double>(tiles.number(0, k).value()) * sign * 127;
          const std::vector<float> expected(n_tokens * 32, static_cast<float>(sum));
          REQUIRE(dots(isa, tiles.view(), blocks, n_tokens) == expected);
        }
      }
    }
  }
}

TEST_CASE("scales that are zero, tiny, infinite or no number spoil their own row and token alone") {
  for (const auto [isa, dtype] : variants(kBlocks)) {
    Tiles tiles(dtype, 64, 3);
    const float scales[] = {0.0f, -0.0f, 0x1p-24f, kInfinity, -kInfinity, kNan, 65504.0f};
    for (std::size_t i = 0; i < std::size(scales); ++i) tiles.set_scale(5 * i, i % 3, scales[i]);
    for (const std::size_t n_tokens : {1u, 15u}) {
      std::vector<ActivationBlock> x = random_blocks(n_tokens * tiles.n_x(), 4);
      if (n_tokens > 1) x[3].scale = kNan, x[7].scale = kInfinity, x[10].scale = 0x1p-140f;
      std::vector<float> expected(n_tokens * 64);
      plain_dots(isa, tiles, x.data(), tiles.n_x(), n_tokens, expected.data(), 64);
      CAPTURE(name(isa), name(dtype), n_tokens);
      REQUIRE(same(dots(isa, tiles.view(), x, n_tokens), expected));
    }
  }
}

TEST_CASE("instruction sets whose multiply-add rounds once give a product of tiles the same bits") {
  for (const DType dtype : kBlocks) {
    const Tiles tiles(dtype, 96, 5);
    const std::vector<ActivationBlock> x = random_blocks(9 * tiles.n_x(), 6);
    std::vector<float> first;
    for (const Isa isa : isas()) {
      if (isa == Isa::scalar) continue;
      const std::vector<float> y = dots(isa, tiles.view(), x, 9);
      CAPTURE(name(isa), name(dtype));
      if (first.empty()) first = y;
      REQUIRE(same_bits(y, first));
    }
  }
}

TEST_CASE(
    "activations are rounded to blocks by the definition, with the same bits on every instruction "
    "set") {
  for (const Isa isa : isas()) {
    for (const float size : {1.0f, 1e-20f, 3e30f, 0.7f}) {
      const std::vector<float> x = random_numbers(32 * 50, 1, size);
      std::vector<ActivationBlock> blocks(50);
      kernels::table(isa).to_blocks(x.data(), blocks.data(), blocks.size());
      for (std::size_t i = 0; i < blocks.size(); ++i) {
        float largest = 0;
        for (std::size_t k = 0; k < 32; ++k) largest = std::max(largest, std::abs(x[32 * i + k]));
        CAPTURE(name(isa), size, i);
        REQUIRE(blocks[i].scale == largest / 127.0f);
        int sum = 0, most = 0;
        for (std::size_t k = 0; k < 32; ++k) {
          const int quant = blocks[i].quants[k];
          REQUIRE(quant == static_cast<int>(std::nearbyint(x[32 * i + k] * (127.0f / largest))));
          sum += quant;
          most = std::max(most, std::abs(quant));
        }
        REQUIRE(blocks[i].sum == sum);
        REQUIRE(blocks[i].halves[0] == std::accumulate(blocks[i].quants, blocks[i].quants + 16, 0));
        REQUIRE(blocks[i].halves[0] + blocks[i].halves[1] == sum);
        REQUIRE(most == 127);
      }
    }
  }
}

TEST_CASE("half a step is rounded to the even one") {
  std::vector<float> x(32);
  for (std::size_t k = 0; k < 32; ++k) x[k] = static_cast<float>(k) - 15.5f;
  x[31] = -127;
  for (const Isa isa : isas()) {
    ActivationBlock block;
    kernels::table(isa).to_blocks(x.data(), &block, 1);
    CAPTURE(name(isa));
    REQUIRE(block.scale == 1.0f);
    for (std::size_t k = 0; k < 31; ++k) {
      const int below = static_cast<int>(k) - 16;  // in the middle of this one and the next
      REQUIRE(block.quants[k] == below + std::abs(below % 2));
    }
    REQUIRE(block.quants[31] == -127);
  }
}

TEST_CASE(
    "blocks of zeros and of tiny numbers are zero, and one with a number that is not finite makes "
    "products NaN") {
  const Tiles tiles(DType::q8_0, 32, 1);
  for (const Isa isa : isas()) {
    for (const float special :
         {0.0f, -0.0f, 0x1p-149f, -0x1p-101f, kInfinity, -kInfinity, kNan, -kNan}) {
      for (const std::size_t place : {0u, 13u, 31u}) {
        std::vector<float> x = random_numbers(32, 5);
        for (float& each : x) each = std::isfinite(special) ? 0.0f : each;
        x[place] = special;
        std::vector<ActivationBlock> block(1);
        kernels::table(isa).to_blocks(x.data(), block.data(), 1);
        CAPTURE(name(isa), special, place);
        REQUIRE((std::isfinite(special) ? block[0].scale == 0.0f : std::isnan(block[0].scale)));
        REQUIRE(std::all_of(std::begin(block[0].quants), std::end(block[0].quants),
                            [](int quant) { return quant == 0; }));
        REQUIRE(block[0].sum == 0);
        for (const float product : dots(isa, tiles.view(), block, 1)) {
          REQUIRE((std::isfinite(special) ? product == 0.0f : std::isnan(product)));
        }
      }
    }
    std::vector<float> x(32, 0x1p-100f);  // the least that is not zero
    ActivationBlock block;
    kernels::table(isa).to_blocks(x.data(), &block, 1);
    REQUIRE(block.scale == 0x1p-100f / 127.0f);
    REQUIRE(block.sum == 32 * 127);
  }
}

TEST_CASE("tiles of a format without blocks are an ArgumentError that names it") {
  ActivationBlock x{};
  float y = 0;
  const TilesView tiles{nullptr, DType::f16, 32, 32, 0, 0};
  REQUIRE_THROWS_AS(kernels::tile_dots(tiles, &x, 1, 1, &y, 32), flashlm::ArgumentError);
  REQUIRE_THROWS_WITH(
      kernels::tile_dots(tiles, &x, 1, 1, &y, 32),
      "[tile_dots] number format: expected " + flashlm::names_of(flashlm::is_block) + ", got f16");
}
