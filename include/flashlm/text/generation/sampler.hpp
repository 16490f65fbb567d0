// SPDX-License-Identifier: Apache-2.0
/// sampler.hpp: chooses the next token from the logits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "flashlm/base/random.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// How to choose. The defaults are greedy. The names and their meaning are those of Hugging Face
/// `transformers`.
struct SamplerOptions {
  float temperature = 0;  // at least 0; 0: the most likely token, always
  int top_k = 0;          // only the k most likely tokens, and what equals the last of them; 0: off
  float top_p = 1;  // only the most likely tokens that together reach this probability, in (0, 1]
  float min_p = 0;  // only tokens at least this share as likely as the most likely, in [0, 1]
  /// Above 0; above 1 makes tokens of the history less likely (arXiv:1909.05858, section 4.1).
  float repetition_penalty = 1;
  std::uint64_t seed =
      0;  // the same seed and the same logits give the same tokens on every machine
};

/// Chooses tokens: repetition penalty, temperature, top_k, top_p, min_p, in this order, then by
/// chance. Not thread-safe.
class Sampler {
 public:
  /// Throws ArgumentError if an option lies outside its range. With `vocab_size` nothing is
  /// allocated later.
  explicit Sampler(const SamplerOptions& options = {}, std::size_t vocab_size = 0);

  const SamplerOptions& options() const noexcept { return options_; }

  /// The next token. `logits` [vocab_size] is scratch: its content is changed. `history` is the
  /// prompt and what came after it, for the repetition penalty. The lowest id wins among equals.
  ///
  /// Throws ShapeError without logits, ArgumentError for a history outside the vocabulary, and
  /// Error if a logit is NaN or all are -inf.
  Token sample(std::span<float> logits, std::span<const Token> history);

  /// The probabilities from which the last sample was drawn: 0 for what was cut. For tests and
  /// curious callers.
  std::vector<double> probabilities() const;

 private:
  struct Candidate {
    double weight;  // proportional to the probability, 1 for the most likely
    Token token;
  };

  /// Orders a heap so that the most likely is at its front, the lowest id first among equals.
  static bool less_likely(const Candidate& left, const Candidate& right) noexcept;

  void reserve(std::size_t vocab_size);

  void penalize(std::span<float> logits, std::span<const Token> history);

  static std::size_t check_and_find_best(std::span<const float> logits);

  /// Weight = exp((logit - best) / temperature). Tokens at -inf are left out.
  void weigh(std::span<const float> logits, float best);

  /// Removes what is less likely than the k-th.
  void keep_top_k(std::size_t k);

  /// Keeps the most likely until their sum reaches top_p; the one that crosses the line stays.
  void keep_top_p();

  void keep_min_p();

  /// Standard libraries leave different orders behind: sorting makes the draw the same everywhere.
  void sort_by_token();

  Token draw();

  SamplerOptions options_;
  Random random_;
  std::size_t vocab_size_ = 0;
  std::vector<Candidate> candidates_;
  std::vector<bool> seen_;  // [vocab_size], all false between calls
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/generation/sampler.ipp"
#endif
