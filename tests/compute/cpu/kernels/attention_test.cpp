// SPDX-License-Identifier: Apache-2.0
/// attention_test.cpp: queries over keys and values against plain loops in double, and their bits
/// under every cut.
#include "flashlm/compute/cpu/kernels/attention.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace kernels = flashlm::kernels;
using flashlm::DType;
using flashlm::Isa;
using flashlm::MatrixView;
using namespace support;

namespace {

/// One query over the keys and values [begin, n), in double.
std::vector<double> exact(const float* query, const Weights& keys, const Weights& values,
                          std::size_t n, float scale, std::size_t begin = 0, double softcap = 0) {
  const std::size_t head_dim = keys.view().cols;
  std::vector<double> scores(n), out(head_dim);
  double largest = -std::numeric_limits<double>::infinity(), total = 0;
  for (std::size_t i = begin; i < n; ++i) {
    for (std::size_t c = 0; c < head_dim; ++c)
      scores[i] += keys.at(i, c) * static_cast<double>(query[c]);
    scores[i] *= static_cast<double>(scale);
    if (softcap != 0) scores[i] = softcap * std::tanh(scores[i] / softcap);
    largest = std::max(largest, scores[i]);
  }
  for (std::size_t i = begin; i < n; ++i) {
    const double weight = std::exp(scores[i] - largest);
    total += weight;
    for (std::size_t c = 0; c < head_dim; ++c) out[c] += weight * values.at(i, c);
  }
  for (double& value : out) value /= total;
  return out;
}

/// Some heads of some tokens, all over the same keys.
struct Shape {
  std::size_t n_tokens, n_heads, head_dim, first;
  std::size_t window = 0;
  float softcap = 0;

  std::size_t stride() const { return n_heads * head_dim + 3; }
  std::size_t n_keys() const { return first + n_tokens; }
};

std::vector<float> attend(Isa isa, const Shape& shape, const std::vector<float>& queries,
                          const MatrixView& keys, const MatrixView& values, float scale) {
  std::vector<float> out(queries.size(), -7.0f);
  kernels::table(isa).attend(
      {queries.data(), out.data(), shape.stride(), shape.n_tokens, shape.n_heads, shape.head_dim,
       shape.first, shape.window, shape.softcap},
      keys, values, scale);
  return out;
}

}  // namespace

TEST_CASE("attention equals plain loops in double") {
  for (const auto [isa, dtype] : variants(kCached)) {
    for (const Shape shape :
         {Shape{1, 1, 1, 0}, Shape{1, 3, 64, 76}, Shape{5, 1, 9, 61}, Shape{21, 3, 16, 0},
          Shape{70, 2, 33, 130}, Shape{2, 65, 8, 63}, Shape{1, 1, 128, 63}, Shape{21, 3, 16, 0, 5},
          Shape{70, 2, 33, 130, 64}, Shape{70, 2, 9, 130, 100}, Shape{150, 2, 16, 0, 37},
          Shape{3, 1, 16, 300, 1}, Shape{3, 1, 16, 300, 129}, Shape{9, 2, 16, 70, 0, 3},
          Shape{70, 2, 9, 130, 100, 2}, Shape{5, 1, 8, 0, 1000}}) {
      CAPTURE(name(isa), name(dtype), shape.n_tokens, shape.n_heads, shape.head_dim, shape.first,
              shape.window);
      const Weights keys(dtype, shape.n_keys(), shape.head_dim, 2, 6),
          values(dtype, shape.n_keys(), shape.head_dim);
      const std::vector<float> queries =
          random_numbers(shape.n_tokens * shape.stride(), shape.first, 8);
      const std::vector<float> out = attend(isa, shape, queries, keys.view(), values.view(), 0.25f);
      std::size_t wrong = 0;
      for (std::size_t t = 0; t < shape.n_tokens; ++t) {
        for (std::size_t head = 0; head < shape.n_heads; ++head) {
          const std::size_t at = t * shape.stride() + head * shape.head_dim;
          const std::size_t seen = shape.first + t + 1;
          const std::size_t begin =
              shape.window == 0 || seen < shape.window ? 0 : seen - shape.window;
          const auto want = exact(&queries[at], keys, values, seen, 0.25f, begin,
                                  static_cast<double>(shape.softcap));
          for (std::size_t c = 0; c < shape.head_dim; ++c) {
            wrong += !(std::abs(static_cast<double>(out[at + c]) - want[c]) < 1e-5);
          }
        }
        for (std::size_t gap = shape.stride() - 3; gap < shape.stride(); ++gap) {
          wrong += out[t * shape.stride() + gap] != -7.0f;
        }
      }
      REQUIRE(wrong == 0);
    }
  }
}

TEST_CASE(
    "attention over 8192 positions equals plain loops in double, whatever grows along the way") {
  const Shape shape{3, 2, 64, 8189};
  for (const bool rising : {false, true}) {
    Weights keys(DType::f16, shape.n_keys(), shape.head_dim);
    const Weights values(DType::f16, shape.n_keys(), shape.head_dim);
    if (rising) {  // the largest score moves up to the last block
      for (std::size_t i = 0; i < shape.n_keys(); ++i)
        keys.set(i, 0, static_cast<float>(i) / 256.0f);
    }
    const std::vector<float> queries = random_numbers(shape.n_tokens * shape.stride(), 3, 4);
    for (const Isa isa : isas()) {
      const std::vector<float> out =
          attend(isa, shape, queries, keys.view(), values.view(), 0.125f);
      for (const std::size_t t : {0u, 2u}) {
        const std::size_t at = t * shape.stride() + shape.head_dim;  // the second head
        const std::vector<double> want =
            exact(&queries[at], keys, values, shape.first + t + 1, 0.125f);
        CAPTURE(name(isa), rising, t);
        for (std::size_t c = 0; c < shape.head_dim; ++c) {
          REQUIRE(std::abs(static_cast<double>(out[at + c]) - want[c]) < 2e-6);
        }
      }
    }
  }
}

TEST_CASE("a query has the same bits alone and beside any other queries") {
  constexpr std::size_t head_dim = 40, n_tokens = 150, n_heads = 3;
  const Shape whole{n_tokens, n_heads, head_dim, 0, GENERATE(as<std::size_t>(), 0, 50, 64, 100),
                    20};
  for (const auto [isa, dtype] : variants(kCached)) {
    const Weights keys(dtype, n_tokens, head_dim), values(dtype, n_tokens, head_dim);
    const std::vector<float> queries = random_numbers(n_tokens * whole.stride(), 8, 4);
    const std::vector<float> all = attend(isa, whole, queries, keys.view(), values.view(), 0.3f);
    flashlm::Random random(4);
    for (int round = 0; round < 60; ++round) {
      // Some tokens and heads of the whole, from random ones on; the first rounds are single
      // queries.
      const auto below = [&](std::size_t n) {
        return static_cast<std::size_t>(random.next() >> 33) % n;
      };
      const std::size_t token = below(n_tokens), head = below(n_heads);
      const std::size_t tokens = round < 20 ? 1 : 1 + below(n_tokens - token);
      const std::size_t heads = round < 20 ? 1 : 1 + below(n_heads - head);
      std::vector<float> out(all.size());
      const std::size_t at = token * whole.stride() + head * head_dim;
      kernels::table(isa).attend({&queries[at], &out[at], whole.stride(), tokens, heads, head_dim,
                                  token, whole.window, whole.softcap},
                                 keys.view(), values.view(), 0.3f);
      CAPTURE(name(isa), name(dtype), token, head, tokens, heads);
      for (std::size_t t = 0; t < tokens; ++t) {
        const std::size_t row = at + t * whole.stride();
        REQUIRE(same_bits(std::span(out).subspan(row, heads * head_dim),
                          std::span(all).subspan(row, heads * head_dim)));
      }
    }
  }
}

TEST_CASE("what lies behind the keys of a query does not reach it") {
  const Shape shape{40, 2, 16, 30};
  for (const Isa isa : isas()) {
    Weights keys(DType::f16, 128, 16), values(DType::f16, 128, 16);
    const std::vector<float> queries = random_numbers(shape.n_tokens * shape.stride(), 8);
    const std::vector<float> before = attend(isa, shape, queries, keys.view(), values.view(), 1.0f);
    for (std::size_t i = 50; i < 128; ++i) {
      keys.set(i, 3, std::numeric_limits<float>::quiet_NaN());
      values.set(i, 5, std::numeric_limits<float>::infinity());
    }
    const std::vector<float> after = attend(isa, shape, queries, keys.view(), values.view(), 1.0f);
    for (std::size_t t = 0; t < shape.n_tokens; ++t) {
      CAPTURE(name(isa), t);
      const std::size_t at = t * shape.stride();
      REQUIRE(same_bits(std::span(before).subspan(at, 32), std::span(after).subspan(at, 32)) ==
              (t < 20));
    }
  }
}

TEST_CASE("scores of any size are safe: the largest counts") {
  for (const Isa isa : isas()) {
    Weights keys(DType::f32, 200, 1), values(DType::f32, 200, 1);
    for (std::size_t i = 0; i < 200; ++i) {
      keys.set(i, 0,
               i < 70 ? -std::numeric_limits<float>::infinity() : static_cast<float>(i) * 1e30f);
      values.set(i, 0, static_cast<float>(i));
    }
    const Shape shape{1, 1, 1, 199};
    REQUIRE(attend(isa, shape, {1, 0, 0, 0}, keys.view(), values.view(), 1.0f)[0] == 199.0f);
    const Shape nothing{1, 1, 1, 10};
    REQUIRE(std::isnan(attend(isa, nothing, {1, 0, 0, 0}, keys.view(), values.view(), 1.0f)[0]));
  }
}

TEST_CASE("a key that is NaN makes the results that see it NaN") {
  for (Isa isa : isas()) {
    Weights keys(DType::f32, 5, 8);
    const Weights values(DType::f32, 5, 8);
    keys.set(3, 7, std::numeric_limits<float>::quiet_NaN());
    const Shape shape{5, 1, 8, 0};
    const std::vector<float> out = attend(isa, shape, std::vector<float>(5 * shape.stride(), 1.0f),
                                          keys.view(), values.view(), 1.0f);
    for (std::size_t i = 0; i < 40; ++i)
      REQUIRE(std::isnan(out[i / 8 * shape.stride() + i % 8]) == (i >= 24));
  }
}

TEST_CASE("keys or values in a number format without a kernel are an ArgumentError") {
  std::vector<float> query(1), out(1);
  const kernels::Queries queries{query.data(), out.data(), 1, 1, 1, 1, 0};
  const MatrixView good{reinterpret_cast<const std::byte*>(query.data()), DType::f32, 1, 1, 4};
  const MatrixView bad{nullptr, DType::bf16, 1, 1, 2};
  REQUIRE_THROWS_AS(kernels::attend(queries, bad, good, 1), flashlm::ArgumentError);
  REQUIRE_THROWS_AS(kernels::attend(queries, good, bad, 1), flashlm::ArgumentError);
}
