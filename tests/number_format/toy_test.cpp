// SPDX-License-Identifier: Apache-2.0
/// toy_test.cpp: what a format computes that a row and a file added, on every instruction set,
/// against its definition.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/compute/cpu/isa/cpu.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"
#include "flashlm/compute/cpu/kernels/tile_dots.hpp"
#include "flashlm/compute/cpu/quantise/convert.hpp"
#include "flashlm/compute/cpu/quantise/requantise.hpp"
#include "flashlm/compute/cpu/quantise/tiling.hpp"

using namespace flashlm;

namespace {

constexpr DType kToy = DType::toy;
constexpr std::size_t kNumbers = 64, kBytes = 22, kRows = 70, kCols = 192, kTokens = 80;

int failures = 0;

void check(bool holds, const char* isa, const std::string& what) {
  if (holds || ++failures > 20) return;
  std::printf("%s: %s\n", isa, what.c_str());
}

bool same(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

std::vector<float> random_numbers(std::size_t n, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> numbers(n);
  for (float& number : numbers) number = random.uniform(-1, 1);
  return numbers;
}

float half_at(const std::byte* at) {
  std::uint16_t half;
  std::memcpy(&half, at, sizeof half);
  return f16_to_f32(half);
}

/// A row of blocks, one number at a time.
struct Number {
  float scale, minimum;
  int factor, quant;

  Number(const std::byte* row, std::size_t i) {
    const std::byte* block = row + i / kNumbers * kBytes;
    scale = half_at(block);
    minimum = half_at(block + 2);
    const std::size_t half = i % kNumbers / 32;
    factor = std::to_integer<int>(block[4 + half]);
    quant = std::to_integer<int>(block[6 + 8 * half + i % 8]) >> (i % 32 / 8 * 2) & 3;
  }
  float value() const { return scale * static_cast<float>(factor * quant) + minimum; }
};

/// y[r] by the order of sums that a tile has.
float tile_dot(Isa isa, const std::byte* row, const ActivationBlock* x) {
  const auto fma = [&](float a, float b, float c) {
    return isa == Isa::scalar ? a * b + c : std::fma(a, b, c);
  };
  float y = 0;
  for (std::size_t i = 0; i < kCols; i += kActivationNumbers, ++x) {
    int n = 0;
    for (std::size_t k = 0; k < kActivationNumbers; ++k)
      n += Number(row, i + k).quant * x->quants[k];
    const Number first(row, i);
    y = fma(static_cast<float>(first.factor * n), first.scale * x->scale, y);
    y = fma(static_cast<float>(x->sum), first.minimum * x->scale, y);
  }
  return y;
}

void check_isa(Isa isa, const MatrixView& weights, const TilesView& tiles) {
  const kernels::Table& table = kernels::table(isa);
  const char* const word = name(isa).data();

  std::vector<float> wide(kCols), y(kTokens * kRows), one(kRows);
  for (std::size_t row = 0; row < kRows; ++row) {
    table.to_f32(kToy, weights.row(row), wide.data(), kCols);
    bool right = true;
    for (std::size_t i = 0; i < kCols; ++i) right &= wide[i] == Number(weights.row(row), i).value();
    check(right, word, concat("row ", row, " is widened to other numbers"));
  }

  const std::vector<float> x = random_numbers(kTokens * kCols, 2);
  std::vector<ActivationBlock> blocks(kTokens * kCols / kActivationNumbers);
  kernels::to_blocks(x, blocks.data());
  const std::size_t n_blocks = kCols / kActivationNumbers;
  for (const std::size_t n : {std::size_t{1}, std::size_t{3}, std::size_t{7}, kTokens}) {
    table.matmul(weights, x.data(), kCols, n, y.data(), kRows);
    for (std::size_t t = 0; t < n; ++t) {
      table.matmul(weights, x.data() + t * kCols, kCols, 1, one.data(), kRows);
      check(same(one, {y.data() + t * kRows, kRows}), word,
            concat("token ", t, " of ", n, " has other dots alone"));
      for (std::size_t r = 0; r < kRows; ++r) {
        double sum = 0;
        for (std::size_t k = 0; k < kCols; ++k)
          sum += double{Number(weights.row(r), k).value()} * x[t * kCols + k];
        check(std::abs(sum - one[r]) < 1e-4, word, concat("a dot is ", one[r], ", expected ", sum));
      }
    }
    std::fill(y.begin(), y.end(), 0.0f);
    table.tile_dots(tiles, blocks.data(), n_blocks, n, y.data(), kRows);
    for (std::size_t t = 0; t < n; ++t) {
      for (std::size_t r = 0; r < kRows; ++r)
        one[r] = tile_dot(isa, weights.row(r), &blocks[t * n_blocks]);
      check(same(one, {y.data() + t * kRows, kRows}), word,
            concat("token ", t, " of ", n, " has other dots of tiles"));
    }
  }

  std::vector<std::byte> row(row_bytes(kToy, kCols)), again(row_bytes(kToy, kCols));
  check(table.from_f32(kToy, x.data(), row.data(), kCols), word, "nothing rounds to it");
  table.to_f32(kToy, row.data(), wide.data(), kCols);
  for (std::size_t i = 0; i < kCols; ++i)
    check(std::abs(wide[i] - x[i]) < 0.34f, word, "rounded by more than half a step");
}

}  // namespace

int main() {
  check(name(kToy) == "toy" && parse_dtype("toy") == kToy && is_block(kToy), "table",
        "its names and sizes");
  check(names_of(is_block).find("toy") != std::string::npos, "table", "messages name it");
  check(row_bytes(kToy, kCols) == 66 && tile_bytes(kToy) == kTileRows * kBytes, "table",
        "its bytes");
  check(kernels::can_round(kToy), "table", "flashlm can round to it");

  std::vector<std::byte> bytes(kRows * row_bytes(kToy, kCols)),
      tiles(tiles_bytes(kToy, kRows, kCols));
  Random random(1);
  for (std::byte* block = bytes.data(); block < bytes.data() + bytes.size(); block += kBytes) {
    const std::uint16_t halves[] = {f32_to_f16(random.uniform(-1, 1) / 256),
                                    f32_to_f16(random.uniform(-1, 1))};
    std::memcpy(block, halves, sizeof halves);
    for (std::size_t i = sizeof halves; i < kBytes; ++i)
      block[i] = static_cast<std::byte>(random.next() >> 32);
  }
  const MatrixView weights = MatrixView::dense(bytes.data(), kToy, kRows, kCols);
  kernels::to_tiles(weights, tiles.data());

  std::vector<std::byte> wide(row_bytes(DType::f32, kCols));
  check(
      kernels::requantise(kToy, weights.row(0), kCols, DType::f32, wide.data()).squared_error == 0,
      "requantise", "to f32 loses something");

  for (const Isa isa : {Isa::scalar, Isa::neon, Isa::avx2, Isa::avx512}) {
    if (supports(isa)) check_isa(isa, weights, TilesView::dense(tiles.data(), kToy, kRows, kCols));
  }
  return failures == 0 ? 0 : 1;
}
