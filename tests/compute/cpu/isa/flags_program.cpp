// SPDX-License-Identifier: Apache-2.0
/// flags_program.cpp: prints a hash of the bits of every kernel's results. flags_test.py builds it
/// with many flags. Exit code 3: this processor has not the instruction set that FLASHLM_ISA names.
#include <bit>
#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/compute/cpu/kernels/activation.hpp"
#include "flashlm/compute/cpu/kernels/attention.hpp"
#include "flashlm/compute/cpu/kernels/matmul.hpp"
#include "flashlm/compute/cpu/kernels/neuron_sum.hpp"
#include "flashlm/compute/cpu/kernels/norm.hpp"
#include "flashlm/compute/cpu/kernels/rope.hpp"
#include "flashlm/compute/cpu/kernels/softmax.hpp"
#include "flashlm/compute/cpu/kernels/tile_dots.hpp"
#include "flashlm/compute/cpu/quantise/convert.hpp"

namespace kernels = flashlm::kernels;
using flashlm::DType;
using flashlm::MatrixView;

namespace {

/// FNV-1a over the bits of numbers.
class Hash {
 public:
  void add(std::span<const float> numbers) {
    for (const std::byte byte : std::as_bytes(numbers)) add(byte);
  }
  void add(const flashlm::ActivationBlock& block) {
    for (const std::byte byte : std::as_bytes(std::span(&block, 1))) add(byte);
  }
  std::uint64_t value() const { return state_; }

 private:
  void add(std::byte byte) {
    state_ = (state_ ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3u;
  }

  std::uint64_t state_ = 0xcbf29ce484222325u;
};

std::vector<float> numbers(std::size_t n, float size, flashlm::Random& random) {
  std::vector<float> result(n);
  for (float& number : result) number = random.uniform(-size, size);
  return result;
}

/// The bytes of [rows, cols] in tiles: any quants, scales of numbers below 1.
std::vector<std::byte> tiles_of(DType dtype, std::size_t rows, std::size_t cols,
                                flashlm::Random& random) {
  std::vector<std::byte> bytes(flashlm::n_strips(rows) * flashlm::strip_bytes(dtype, cols));
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next() >> 32);
  for (std::size_t at = 0; at < bytes.size(); at += flashlm::tile_bytes(dtype)) {
    kernels::from_f32(numbers(flashlm::kTileRows, 1, random), DType::f16, bytes.data() + at);
  }
  return bytes;
}

std::uint64_t products(DType dtype, std::size_t rows, std::size_t dim, std::size_t n_tokens) {
  flashlm::Random random(rows * 1000 + dim);
  const std::vector<float> exact = numbers(rows * dim, 1, random);
  std::vector<std::byte> bytes(flashlm::row_bytes(dtype, rows * dim));
  kernels::from_f32(exact, dtype, bytes.data());
  const MatrixView weights = MatrixView::dense(bytes.data(), dtype, rows, dim);
  const std::vector<float> x = numbers(n_tokens * dim, 2, random);
  std::vector<float> h(n_tokens * rows), y(n_tokens * dim), seen(n_tokens * dim), back(rows * dim);
  Hash hash;
  kernels::matmul(weights, x.data(), dim, n_tokens, h.data(), rows);
  hash.add(h);
  if (flashlm::is_block(dtype)) {
    const std::size_t n_blocks = dim / flashlm::kActivationNumbers;
    const std::vector<std::byte> tiles = tiles_of(dtype, rows, dim, random);
    std::vector<flashlm::ActivationBlock> rounded(n_tokens * n_blocks);
    kernels::to_blocks(x, rounded.data());
    for (const flashlm::ActivationBlock& block : rounded) hash.add(block);
    kernels::tile_dots(flashlm::TilesView::dense(tiles.data(), dtype, rows, dim), rounded.data(),
                       n_blocks, n_tokens, h.data(), rows);
    hash.add(h);
  } else {
    kernels::neuron_sum(weights, h.data(), rows, n_tokens, y.data(), dim, 0, dim);
    hash.add(y);
  }
  if (dtype == DType::f32 || dtype == DType::f16) {
    kernels::attend({x.data(), seen.data(), dim, n_tokens, 1, dim, rows - n_tokens}, weights,
                    weights, 0.125f);
    hash.add(seen);
  }
  kernels::to_f32(dtype, bytes.data(), back);
  hash.add(back);
  return hash.value();
}

std::uint64_t vectors(std::size_t n) {
  flashlm::Random random(n);
  const std::vector<float> a = numbers(n, 30, random), b = numbers(n, 3, random);
  std::vector<float> out(n), head = numbers(2 * n, 4, random);
  Hash hash;
  kernels::rms_norm(a, b, 1e-5f, out);
  hash.add(out);
  kernels::layer_norm(a, b, a, 1e-5f, out);
  hash.add(out);
  out.assign(a.begin(), a.end());
  kernels::activate(kernels::Activation::silu, 0, out, b);
  hash.add(out);
  for (const auto activation :
       {kernels::Activation::relu, kernels::Activation::relu2, kernels::Activation::fatrelu}) {
    out = a;
    kernels::activate(activation, 0.5f, out, b);
    hash.add(out);
  }
  kernels::rope(head, a, b);
  hash.add(head);
  out = a;
  kernels::softmax(out);
  hash.add(out);
  return hash.value();
}

}  // namespace

int main() {
  try {
    std::printf("isa %s\n", flashlm::name(kernels::active().isa).data());
  } catch (const flashlm::ArgumentError&) {
    return 3;
  }
  for (DType dtype : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0}) {
    for (std::size_t dim : {std::size_t{64}, std::size_t{101}}) {
      if (dim % flashlm::format_of(dtype).numbers != 0) continue;
      const unsigned long long hash = products(dtype, 77, dim, 13);
      std::printf("products %s %zu %016llx\n", flashlm::name(dtype).data(), dim, hash);
    }
  }
  for (std::size_t n : {std::size_t{31}, std::size_t{4096}}) {
    std::printf("vectors %zu %016llx\n", n, static_cast<unsigned long long>(vectors(n)));
  }
}
