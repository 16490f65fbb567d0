// SPDX-License-Identifier: Apache-2.0
/// sampler.hpp: chooses the next token from the logits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/base/token.hpp"

namespace flashlm::inline v0::text {

/// How to choose. The defaults are greedy. The names and their meaning are those of Hugging Face `transformers`.
struct SamplerOptions {
  float temperature = 0;  // at least 0; 0: the most likely token, always
  int top_k = 0;          // only the k most likely tokens, and what equals the last of them; 0: off
  float top_p = 1;        // only the most likely tokens that together reach this probability, in (0, 1]
  float min_p = 0;        // only tokens at least this share as likely as the most likely, in [0, 1]
  /// Above 0; above 1 makes tokens of the history less likely (arXiv:1909.05858, section 4.1).
  float repetition_penalty = 1;
  std::uint64_t seed = 0;  // the same seed and the same logits give the same tokens on every machine
};

/// Chooses tokens: repetition penalty, temperature, top_k, top_p, min_p, in this order, then by chance. Not
/// thread-safe.
class Sampler {
 public:
  /// Throws ArgumentError if an option lies outside its range. With `vocab_size` nothing is allocated later.
  explicit Sampler(const SamplerOptions& options = {}, std::size_t vocab_size = 0)
      : options_(options), random_(options.seed) {
    const auto check = [](bool good, const char* name, const char* range, auto value) {
      if (!good) throw ArgumentError(concat("[sampler] ", name, ": expected ", range, ", got ", value));
    };
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    check(options.temperature >= 0 && options.temperature < kInfinity, "temperature", "at least 0",
          options.temperature);
    check(options.top_k >= 0, "top_k", "at least 0", options.top_k);
    check(options.top_p > 0 && options.top_p <= 1, "top_p", "a number in (0, 1]", options.top_p);
    check(options.min_p >= 0 && options.min_p <= 1, "min_p", "a number in [0, 1]", options.min_p);
    check(options.repetition_penalty > 0 && options.repetition_penalty < kInfinity, "repetition_penalty",
          "a number above 0", options.repetition_penalty);
    reserve(vocab_size);
  }

  const SamplerOptions& options() const noexcept { return options_; }

  /// The next token. `logits` [vocab_size] is scratch: its content is changed. `history` is the prompt and what came
  /// after it, for the repetition penalty. The lowest id wins among equals.
  ///
  /// Throws ShapeError without logits, ArgumentError for a history outside the vocabulary, and Error if a logit is NaN
  /// or all are -inf.
  Token sample(std::span<float> logits, std::span<const Token> history) {
    if (logits.empty()) throw ShapeError("[sampler] logits: expected at least 1, got 0");
    reserve(logits.size());
    penalize(logits, history);
    const std::size_t best = check_and_find_best(logits);
    if (options_.temperature == 0) {
      candidates_.assign(1, {1.0, static_cast<Token>(best)});
      return static_cast<Token>(best);
    }
    weigh(logits, logits[best]);
    keep_top_k(static_cast<std::size_t>(options_.top_k));
    keep_top_p();
    keep_min_p();
    return draw();
  }

  /// The probabilities from which the last sample was drawn: 0 for what was cut. For tests and curious callers.
  std::vector<double> probabilities() const {
    std::vector<double> result(vocab_size_, 0.0);
    double total = 0;
    for (const Candidate& each : candidates_) total += each.weight;
    for (const Candidate& each : candidates_) result[static_cast<std::size_t>(each.token)] = each.weight / total;
    return result;
  }

 private:
  struct Candidate {
    double weight;  // proportional to the probability, 1 for the most likely
    Token token;
  };

  /// Orders a heap so that the most likely is at its front, the lowest id first among equals.
  static bool less_likely(const Candidate& left, const Candidate& right) noexcept {
    return left.weight != right.weight ? left.weight < right.weight : left.token > right.token;
  }

  void reserve(std::size_t vocab_size) {
    vocab_size_ = vocab_size;
    candidates_.reserve(vocab_size);
    if (seen_.size() < vocab_size) seen_.resize(vocab_size, false);
  }

  void penalize(std::span<float> logits, std::span<const Token> history) {
    for (const Token token : history) {
      if (token < 0 || static_cast<std::size_t>(token) >= logits.size()) {
        throw ArgumentError(concat("[sampler] history: expected ids in [0, ", logits.size(), "), got ", token));
      }
    }
    if (options_.repetition_penalty == 1) return;
    for (const Token token : history) {
      const auto index = static_cast<std::size_t>(token);
      if (seen_[index]) continue;
      seen_[index] = true;
      float& logit = logits[index];
      logit = logit < 0 ? logit * options_.repetition_penalty : logit / options_.repetition_penalty;
    }
    for (const Token token : history) seen_[static_cast<std::size_t>(token)] = false;
  }

  static std::size_t check_and_find_best(std::span<const float> logits) {
    std::size_t best = 0;
    for (std::size_t index = 0; index < logits.size(); ++index) {
      if (std::isnan(logits[index])) {
        throw Error(concat("[sampler] logits: expected numbers, got NaN for token ", index,
                           ". Are the weights of the model damaged?"));
      }
      if (logits[index] > logits[best]) best = index;
    }
    if (logits[best] == -std::numeric_limits<float>::infinity()) {
      throw Error(concat("[sampler] logits: expected a token that is possible, got -inf for all ", logits.size()));
    }
    return best;
  }

  /// Weight = exp((logit - best) / temperature). Tokens at -inf are left out.
  void weigh(std::span<const float> logits, float best) {
    candidates_.clear();
    for (std::size_t index = 0; index < logits.size(); ++index) {
      // A logit of +inf is as likely as the best, and then nothing else is.
      const double distance = logits[index] == best ? 0.0 : static_cast<double>(logits[index]) - best;
      const double weight = std::exp(distance / static_cast<double>(options_.temperature));
      if (weight > 0) candidates_.push_back({weight, static_cast<Token>(index)});
    }
  }

  /// Removes what is less likely than the k-th.
  void keep_top_k(std::size_t k) {
    if (k == 0 || k >= candidates_.size()) return;
    const auto kth = candidates_.begin() + static_cast<std::ptrdiff_t>(k - 1);
    std::nth_element(candidates_.begin(), kth, candidates_.end(),
                     [](const Candidate& left, const Candidate& right) { return less_likely(right, left); });
    const double least = kth->weight;
    std::erase_if(candidates_, [&](const Candidate& each) { return each.weight < least; });
    sort_by_token();
  }

  /// Keeps the most likely until their sum reaches top_p; the one that crosses the line stays.
  void keep_top_p() {
    if (options_.top_p >= 1) return;
    double total = 0;
    for (const Candidate& each : candidates_) total += each.weight;
    std::make_heap(candidates_.begin(), candidates_.end(), less_likely);
    double sum = 0;
    auto heap_end = candidates_.end();
    while (heap_end != candidates_.begin() && sum < static_cast<double>(options_.top_p) * total) {
      std::pop_heap(candidates_.begin(), heap_end, less_likely);
      --heap_end;
      sum += heap_end->weight;
    }
    candidates_.erase(candidates_.begin(), heap_end);
    sort_by_token();
  }

  void keep_min_p() {
    if (options_.min_p <= 0) return;
    double most = 0;
    for (const Candidate& each : candidates_) most = std::max(most, each.weight);
    const double least = most * static_cast<double>(options_.min_p);
    std::erase_if(candidates_, [&](const Candidate& each) { return each.weight < least; });
  }

  /// Standard libraries leave different orders behind: sorting makes the draw the same everywhere.
  void sort_by_token() {
    std::sort(candidates_.begin(), candidates_.end(),
              [](const Candidate& left, const Candidate& right) { return left.token < right.token; });
  }

  Token draw() {
    double total = 0;
    for (const Candidate& each : candidates_) total += each.weight;
    double left = random_.uniform() * total;
    for (const Candidate& each : candidates_) {
      left -= each.weight;
      if (left < 0) return each.token;
    }
    return candidates_.back().token;  // rounding ate the rest
  }

  SamplerOptions options_;
  Random random_;
  std::size_t vocab_size_ = 0;
  std::vector<Candidate> candidates_;
  std::vector<bool> seen_;  // [vocab_size], all false between calls
};

}  // namespace flashlm::inline v0::text
