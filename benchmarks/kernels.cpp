// SPDX-License-Identifier: Apache-2.0
/// kernels.cpp: how near the kernels come to a plain read of the same bytes, and how much they
/// compute in batches.
///
///     kernels_benchmark [--threads N] [--rounds N] [--mib N] [--only FORMAT]
///     # rows of JSON; benchmarks/kernels.py adds the card
///
/// Every product is compared with plain loops in double before it is timed. Rounds of floor and
/// kernel alternate, and each goes on where the last one stopped in memory that is much larger than
/// the caches.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/compute/cpu/kernels/attention.hpp"
#include "flashlm/compute/cpu/kernels/matmul.hpp"
#include "flashlm/compute/cpu/kernels/neuron_sum.hpp"
#include "flashlm/compute/cpu/kernels/tile_dots.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/compute/cpu/quantise/convert.hpp"
#include "flashlm/compute/cpu/quantise/tiling.hpp"
#include "flashlm/units/ffn/sparse_ffn.hpp"

namespace {

using namespace flashlm;
using Seconds = std::chrono::duration<double>;

struct Options {
  int threads = 2;
  std::size_t rounds = 15;
  std::size_t mib = 1024;
  std::string only;  // a number format; empty: all
};

double seconds(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return Seconds(std::chrono::steady_clock::now() - start).count();
}

std::vector<float> numbers(std::size_t n, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> result(n);
  for (float& number : result) number = random.uniform(-1, 1);
  return result;
}

/// Reads all bytes and does next to nothing with them.
std::uint64_t read(const std::byte* at, std::size_t n) {
  using Line = std::uint64_t __attribute__((vector_size(64)));
  Line sums[4] = {};
  for (std::size_t i = 0; i + sizeof sums <= n; i += sizeof sums) {
    Line lines[4];
    std::memcpy(lines, at + i, sizeof lines);
    for (std::size_t j = 0; j < 4; ++j) sums[j] += lines[j];
  }
  std::uint64_t total = 0;
  for (const Line& line : sums) {
    for (std::size_t i = 0; i < 8; ++i) total += line[i];
  }
  return total;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

class Benchmark {
 public:
  explicit Benchmark(const Options& options)
      : options_(options), parallel_(options.threads), memory_(options.mib << 20) {}

  /// Fills the memory with numbers of that format, which repeat; blocks are in tiles.
  void fill(DType dtype) {
    pattern_ = numbers(std::size_t{1} << 15, 1);
    const std::size_t bytes = row_bytes(dtype, pattern_.size());
    kernels::from_f32(pattern_, dtype, memory_.data());
    kernels::to_f32(dtype, memory_.data(), pattern_);
    if (is_block(dtype)) {
      const std::vector<std::byte> blocks(memory_.data(), memory_.data() + bytes);
      const std::size_t cols = tile_cols(dtype);
      kernels::to_tiles(MatrixView::dense(blocks.data(), dtype, pattern_.size() / cols, cols),
                        memory_.data());
    }
    for (std::size_t at = bytes; at + bytes <= memory_.size(); at += bytes) {
      std::memcpy(memory_.data() + at, memory_.data(), bytes);
    }
    dtype_ = dtype;
    at_ = 0;
  }

  /// The next matrix of that shape: another one at each call, until the memory has passed.
  MatrixView next(std::size_t rows, std::size_t cols) {
    const std::size_t bytes = rows * row_bytes(dtype_, cols);
    if (at_ + bytes > memory_.size()) at_ = 0;
    const MatrixView result = MatrixView::dense(memory_.data() + at_, dtype_, rows, cols);
    at_ += bytes;
    return result;
  }

  /// y[t][r] = weights[r] . x[t], the rows split among threads. Activations for tiles are rounded
  /// first, which counts.
  void product(const MatrixView& weights, const std::vector<float>& x, std::size_t n_tokens,
               std::vector<float>& y) {
    if (is_block(dtype_)) {
      round(x, weights.cols, n_tokens);
      return tile_dots(TilesView::dense(weights.data, dtype_, weights.rows, weights.cols), n_tokens,
                       y);
    }
    parallel_.for_range(weights.rows, 16, [&](std::size_t begin, std::size_t end) {
      kernels::matmul(weights.slice(begin, end - begin), x.data(), weights.cols, n_tokens,
                      y.data() + begin, weights.rows);
    });
  }

  /// y[t] = the sum of h[t][n] * weights[n], as the down matrix of a layer: 32 neurons at a time,
  /// the columns split among threads. Tiles of it have neurons as columns.
  void down(const MatrixView& weights, const std::vector<float>& h, std::size_t n_tokens,
            std::vector<float>& y) {
    if (is_block(dtype_)) {
      round(h, weights.rows, n_tokens);
      const std::size_t tile = tile_bytes(dtype_);
      return tile_dots(
          {weights.data, dtype_, weights.cols, weights.rows, tile, weights.cols / 32 * tile},
          n_tokens, y);
    }
    std::fill(y.begin(), y.end(), 0.0f);
    parallel_.for_range(
        weights.cols, units::column_grain(weights.cols, options_.threads),
        [&](std::size_t begin, std::size_t end) {
          for (std::size_t row = 0; row + 32 <= weights.rows; row += 32) {
            const std::byte* next = row + 64 <= weights.rows ? weights.row(row + 32) : nullptr;
            kernels::neuron_sum(weights.slice(row, 32), h.data() + row, weights.rows, n_tokens,
                                y.data(), weights.cols, begin, end, next);
          }
        });
  }

  void floor(const MatrixView& weights) {
    parallel_.for_range(weights.rows, 16, [&](std::size_t begin, std::size_t end) {
      if (read(weights.row(begin), (end - begin) * weights.stride) == 1) std::fputs("", stderr);
    });
  }

  /// Whether product and down are those of plain loops in double.
  bool correct(std::size_t n_neurons, std::size_t dim, std::size_t n_tokens) {
    const MatrixView weights = next(n_neurons, dim);
    const std::vector<float> x = numbers(n_tokens * dim, 2), h = numbers(n_tokens * n_neurons, 6);
    std::vector<float> products(n_tokens * n_neurons), sums(n_tokens * dim);
    product(weights, x, n_tokens, products);
    down(weights, h, n_tokens, sums);
    const std::vector<double> seen_x = seen(x), seen_h = seen(h);
    for (std::size_t t = 0; t < n_tokens; ++t) {
      for (std::size_t n = 0; n < n_neurons; n += 97) {
        const auto term = [&](std::size_t k) {
          return at(weights, n, k, false) * seen_x[t * dim + k];
        };
        if (!is_sum(products[t * n_neurons + n], dim, term)) return false;
      }
      for (std::size_t c = 0; c < dim; c += 97) {
        const auto term = [&](std::size_t n) {
          return at(weights, n, c, true) * seen_h[t * n_neurons + n];
        };
        if (!is_sum(sums[t * dim + c], n_neurons, term)) return false;
      }
    }
    return true;
  }

  /// One token: the rate at which weights pass, beside that of a plain read. `call` is product or
  /// down.
  template <class Call>
  void one_token(const char* what, std::size_t rows, std::size_t cols, Call call) {
    const std::vector<float> x = numbers(std::max(rows, cols), 3);
    std::vector<float> y(std::max(rows, cols));
    const double gigabytes = static_cast<double>(rows * row_bytes(dtype_, cols)) / 1e9;
    std::vector<double> rates, floors, ratios;
    for (std::size_t round = 0; round <= options_.rounds; ++round) {
      const double floor_seconds = seconds([&] { floor(next(rows, cols)); });
      const double kernel_seconds = seconds([&] { call(next(rows, cols), x, std::size_t{1}, y); });
      if (round == 0) continue;  // the threads wake up
      floors.push_back(gigabytes / floor_seconds);
      rates.push_back(gigabytes / kernel_seconds);
      ratios.push_back(floor_seconds / kernel_seconds);
    }
    const std::string name = this->name(what, rows, cols) + ", 1 token";
    add(name, "weights", "GB/s", rates, median(floors));
    add(name, "share of a plain read", "1", ratios, 1.0);
  }

  template <class Call>
  void batch(const char* what, std::size_t rows, std::size_t cols, std::size_t n_tokens,
             Call call) {
    const std::vector<float> x = numbers(n_tokens * std::max(rows, cols), 4);
    std::vector<float> y(n_tokens * std::max(rows, cols));
    const double operations =
        2.0 * static_cast<double>(rows) * static_cast<double>(cols * n_tokens);
    std::vector<double> rates;
    for (std::size_t round = 0; round < std::max<std::size_t>(3, options_.rounds / 3); ++round) {
      rates.push_back(operations / 1e9 / seconds([&] { call(next(rows, cols), x, n_tokens, y); }));
    }
    add(name(what, rows, cols) + ", " + std::to_string(n_tokens) + " tokens", "arithmetic",
        "GFLOP/s", rates);
  }

  /// 32 heads of 128 in f16, each with its own keys.
  void attention(std::size_t n_tokens, std::size_t n_keys) {
    constexpr std::size_t kHeads = 32, kHeadDim = 128;
    fill(DType::f16);
    const std::vector<float> queries = numbers(n_tokens * kHeads * kHeadDim, 5);
    std::vector<float> out(queries.size());
    std::vector<double> rates;
    for (std::size_t round = 0; round < std::max<std::size_t>(3, options_.rounds / 3); ++round) {
      const MatrixView kv = next(2 * kHeads * n_keys, kHeadDim);
      rates.push_back(1e3 * seconds([&] {
                        parallel_.for_range(kHeads, 1, [&](std::size_t begin, std::size_t end) {
                          for (std::size_t head = begin; head < end; ++head) {
                            kernels::attend({.data = queries.data() + head * kHeadDim,
                                             .out = out.data() + head * kHeadDim,
                                             .stride = kHeads * kHeadDim,
                                             .n_tokens = n_tokens,
                                             .n_heads = 1,
                                             .head_dim = kHeadDim,
                                             .first = n_keys - n_tokens},
                                            kv.slice(2 * head * n_keys, n_keys),
                                            kv.slice((2 * head + 1) * n_keys, n_keys), 0.1f);
                          }
                        });
                      }));
    }
    add("attention, 32 heads of 128, f16, " + std::to_string(n_tokens) + " of " +
            std::to_string(n_keys) + " tokens",
        "time", "ms", rates);
  }

  Parallel& parallel() { return parallel_; }
  const nlohmann::ordered_json& rows() const { return rows_; }

 private:
  void round(const std::vector<float>& x, std::size_t n, std::size_t n_tokens) {
    blocks_.resize(x.size() / 32);
    parallel_.for_range(n_tokens, 1, [&](std::size_t begin, std::size_t end) {
      kernels::to_blocks(std::span(x).subspan(begin * n, (end - begin) * n),
                         blocks_.data() + begin * (n / 32));
    });
  }

  void tile_dots(const TilesView& tiles, std::size_t n_tokens, std::vector<float>& y) {
    parallel_.for_range(tiles.rows, units::column_grain(tiles.rows, options_.threads),
                        [&](std::size_t begin, std::size_t end) {
                          for (std::size_t t = 0; t < n_tokens; ++t) {
                            std::fill_n(y.data() + t * tiles.rows + begin, end - begin, 0.0f);
                          }
                          kernels::tile_dots(tiles.slice(begin, end), blocks_.data(),
                                             tiles.cols / 32, n_tokens, y.data() + begin,
                                             tiles.rows);
                        });
  }

  /// Activations as the kernel sees them.
  std::vector<double> seen(const std::vector<float>& x) const {
    std::vector<double> result(x.begin(), x.end());
    if (!is_block(dtype_)) return result;
    std::vector<ActivationBlock> blocks(x.size() / 32);
    kernels::to_blocks(x, blocks.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      result[i] = static_cast<double>(blocks[i / 32].scale) * blocks[i / 32].quants[i % 32];
    }
    return result;
  }

  /// The number of neuron `n` in column `c`. In tiles neurons are rows; in those of a down matrix
  /// columns.
  double at(const MatrixView& weights, std::size_t n, std::size_t c, bool is_down) const {
    const std::size_t cols = tile_cols(dtype_);
    std::size_t i =
        static_cast<std::size_t>(weights.data - memory_.data()) / format_of(dtype_).bytes * cols;
    if (is_block(dtype_)) {
      const std::size_t row = is_down ? c : n, col = is_down ? n : c;
      const std::size_t tile = is_down ? col / cols * (weights.cols / 32) + row / 32
                                       : row / 32 * (weights.cols / cols) + col / cols;
      i += (tile * 32 + row % 32) * cols + col % cols;
    } else {
      i += n * weights.cols + c;
    }
    return static_cast<double>(pattern_[i % pattern_.size()]);
  }

  template <class Term>
  static bool is_sum(float got, std::size_t n, const Term& term) {
    double exact = 0, magnitude = 0;
    for (std::size_t i = 0; i < n; ++i) {
      exact += term(i);
      magnitude += std::abs(term(i));
    }
    return std::abs(static_cast<double>(got) - exact) <= 2e-6 * magnitude;
  }

  std::string name(const char* what, std::size_t rows, std::size_t cols) const {
    return std::string(what) + ' ' + std::string(flashlm::name(dtype_)) + ' ' +
           std::to_string(rows) + 'x' + std::to_string(cols);
  }

  void add(const std::string& name, const char* metric, const char* unit,
           const std::vector<double>& values, double floor = 0) {
    const double least = *std::min_element(values.begin(), values.end());
    const double most = *std::max_element(values.begin(), values.end());
    nlohmann::ordered_json row{
        {"case", name}, {"metric", metric}, {"unit", unit},     {"median", median(values)},
        {"min", least}, {"max", most},      {"floor", nullptr}, {"peer", nullptr}};
    if (floor > 0) row["floor"] = floor;
    std::fprintf(stderr, "%-52s %-22s %8.3g %s [%.3g, %.3g]", name.c_str(), metric, median(values),
                 unit, least, most);
    std::fprintf(stderr, floor > 0 ? "  floor %.3g\n" : "\n", floor);
    rows_.push_back(std::move(row));
  }

  Options options_;
  Parallel parallel_;
  AlignedBuffer memory_;
  DType dtype_ = DType::f32;
  std::vector<float> pattern_;  // what the memory repeats
  std::vector<ActivationBlock> blocks_;
  std::size_t at_ = 0;
  nlohmann::ordered_json rows_ = nlohmann::ordered_json::array();
};

int run(const Options& options) {
  Benchmark benchmark(options);
  const auto product = [&](auto&&... arguments) { benchmark.product(arguments...); };
  const auto down = [&](auto&&... arguments) { benchmark.down(arguments...); };
  for (const NumberFormat& format : kNumberFormats) {
    const DType dtype = format.dtype;
    if (!is_number(dtype) || !kernels::can_round(dtype)) continue;
    if (!options.only.empty() && options.only != name(dtype)) continue;
    benchmark.fill(dtype);
    if (!benchmark.correct(512, 4096, 1) || !benchmark.correct(512, 4096, 7)) {
      std::fprintf(stderr, "a product of %s is wrong\n", name(dtype).data());
      return 1;
    }
    benchmark.one_token("matmul", 4096, 4096, product);
    benchmark.one_token("matmul", 11008, 4096, product);
    benchmark.one_token("matmul", 32000, 4096, product);
    benchmark.one_token("down", 11008, 4096, down);
    benchmark.batch("matmul", 4096, 4096, 128, product);
    benchmark.batch("down", 4096, 4096, 128, down);
  }
  benchmark.attention(1, 1024);
  benchmark.attention(1, 8192);
  benchmark.attention(128, 1024);
  nlohmann::ordered_json result{{"isa", name(kernels::active().isa)}, {"threads", options.threads}};
  result["rows"] = benchmark.rows();
  std::printf("%s\n", result.dump().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string word = argv[i];
    const int value = std::atoi(argv[i + 1]);
    if (word == "--threads") options.threads = value;
    if (word == "--only") options.only = argv[i + 1];
    if (word == "--rounds") options.rounds = static_cast<std::size_t>(std::max(1, value));
    if (word == "--mib")
      options.mib = static_cast<std::size_t>(std::max(600, value));  // 32000 x 4096 in f32 is 500
  }
  return run(options);
}
