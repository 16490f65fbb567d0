// SPDX-License-Identifier: Apache-2.0
/// sampler.ipp: the bodies of sampler.hpp.
#pragma once

#include "flashlm/text/generation/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_ONCE Sampler::Sampler(const SamplerOptions& options, std::size_t vocab_size)
    : options_(options), random_(options.seed) {
  const auto check = [](bool good, const char* name, const char* range, auto value) {
    if (!good)
      throw ArgumentError(concat("[sampler] ", name, ": expected ", range, ", got ", value));
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  check(options.temperature >= 0 && options.temperature < kInfinity, "temperature", "at least 0",
        options.temperature);
  check(options.top_k >= 0, "top_k", "at least 0", options.top_k);
  check(options.top_p > 0 && options.top_p <= 1, "top_p", "a number in (0, 1]", options.top_p);
  check(options.min_p >= 0 && options.min_p <= 1, "min_p", "a number in [0, 1]", options.min_p);
  check(options.repetition_penalty > 0 && options.repetition_penalty < kInfinity,
        "repetition_penalty", "a number above 0", options.repetition_penalty);
  reserve(vocab_size);
}

FLASHLM_INLINE Token Sampler::sample(std::span<float> logits, std::span<const Token> history) {
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

FLASHLM_INLINE std::vector<double> Sampler::probabilities() const {
  std::vector<double> result(vocab_size_, 0.0);
  double total = 0;
  for (const Candidate& each : candidates_) total += each.weight;
  for (const Candidate& each : candidates_)
    result[static_cast<std::size_t>(each.token)] = each.weight / total;
  return result;
}

FLASHLM_INLINE bool Sampler::less_likely(const Candidate& left, const Candidate& right) noexcept {
  return left.weight != right.weight ? left.weight < right.weight : left.token > right.token;
}

FLASHLM_INLINE void Sampler::reserve(std::size_t vocab_size) {
  vocab_size_ = vocab_size;
  candidates_.reserve(vocab_size);
  if (seen_.size() < vocab_size) seen_.resize(vocab_size, false);
}

FLASHLM_INLINE void Sampler::penalize(std::span<float> logits, std::span<const Token> history) {
  for (const Token token : history) {
    if (token < 0 || static_cast<std::size_t>(token) >= logits.size()) {
      throw ArgumentError(
          concat("[sampler] history: expected ids in [0, ", logits.size(), "), got ", token));
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

FLASHLM_INLINE std::size_t Sampler::check_and_find_best(std::span<const float> logits) {
  std::size_t best = 0;
  for (std::size_t index = 0; index < logits.size(); ++index) {
    if (std::isnan(logits[index])) {
      throw Error(concat("[sampler] logits: expected numbers, got NaN for token ", index,
                         ". Are the weights of the model damaged?"));
    }
    if (logits[index] > logits[best]) best = index;
  }
  if (logits[best] == -std::numeric_limits<float>::infinity()) {
    throw Error(concat("[sampler] logits: expected a token that is possible, got -inf for all ",
                       logits.size()));
  }
  return best;
}

FLASHLM_INLINE void Sampler::weigh(std::span<const float> logits, float best) {
  candidates_.clear();
  for (std::size_t index = 0; index < logits.size(); ++index) {
    // A logit of +inf is as likely as the best, and then nothing else is.
    const double distance = logits[index] == best ? 0.0 : static_cast<double>(logits[index]) - best;
    const double weight = std::exp(distance / static_cast<double>(options_.temperature));
    if (weight > 0) candidates_.push_back({weight, static_cast<Token>(index)});
  }
}

FLASHLM_INLINE void Sampler::keep_top_k(std::size_t k) {
  if (k == 0 || k >= candidates_.size()) return;
  const auto kth = candidates_.begin() + static_cast<std::ptrdiff_t>(k - 1);
  std::nth_element(
      candidates_.begin(), kth, candidates_.end(),
      [](const Candidate& left, const Candidate& right) { return less_likely(right, left); });
  const double least = kth->weight;
  std::erase_if(candidates_, [&](const Candidate& each) { return each.weight < least; });
  sort_by_token();
}

FLASHLM_INLINE void Sampler::keep_top_p() {
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

FLASHLM_INLINE void Sampler::keep_min_p() {
  if (options_.min_p <= 0) return;
  double most = 0;
  for (const Candidate& each : candidates_) most = std::max(most, each.weight);
  const double least = most * static_cast<double>(options_.min_p);
  std::erase_if(candidates_, [&](const Candidate& each) { return each.weight < least; });
}

FLASHLM_INLINE void Sampler::sort_by_token() {
  std::sort(candidates_.begin(), candidates_.end(),
            [](const Candidate& left, const Candidate& right) { return left.token < right.token; });
}

FLASHLM_INLINE Token Sampler::draw() {
  double total = 0;
  for (const Candidate& each : candidates_) total += each.weight;
  double left = random_.uniform() * total;
  for (const Candidate& each : candidates_) {
    left -= each.weight;
    if (left < 0) return each.token;
  }
  return candidates_.back().token;  // rounding ate the rest
}

}  // namespace flashlm::inline FLASHLM_ABI::text
