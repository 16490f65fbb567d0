// SPDX-License-Identifier: Apache-2.0
/// generation.hpp: a text that grows, pulled piece by piece.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/base/token.hpp"
#include "flashlm/base/turns.hpp"
#include "flashlm/model/kv_store.hpp"
#include "flashlm/model/session.hpp"
#include "flashlm/text/generation/guide.hpp"
#include "flashlm/text/generation/sampler.hpp"
#include "flashlm/text/generation/stop_matcher.hpp"
#include "flashlm/text/tokenizer/tokenizer.hpp"
#include "flashlm/text/unicode/utf8.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// How a text is continued.
struct GenerationOptions {
  std::size_t max_new_tokens = 128;
  float temperature = 0;         // 0 takes the most likely token
  int top_k = 0;                 // 0 means all
  float top_p = 1;               // in (0, 1]
  float min_p = 0;               // in [0, 1]
  float repetition_penalty = 1;  // above 0
  std::uint64_t seed = 0;
  std::vector<std::string> stop{};        // the text ends before the first of these
  bool parse_special = true;              // special tokens written out in the prompt become tokens
  bool add_special = true;                // the tokenizer's own tokens around a text, such as BOS
  model::Session::Progress on_prefill{};  // may throw to stop
  std::shared_ptr<KvStore>
      kv_store{};  // where the prompt may have been computed before; none: only the session
  // The text is always a whole one of these, unless a stop string or the caller ends it: near
  // max_new_tokens, or the end of the context, the shortest way to an end is taken.
  std::shared_ptr<const Language> grammar{};

  SamplerOptions sampling() const {
    return {temperature, top_k, top_p, min_p, repetition_penalty, seed};
  }
};

/// Why a text ended.
enum class FinishReason { none, eos, stop, length, context, closed };

/// "none", "eos", "stop", "length", "context", "closed".
constexpr std::string_view name(FinishReason reason) noexcept {
  switch (reason) {
    case FinishReason::none: return "none";
    case FinishReason::eos: return "eos";
    case FinishReason::stop: return "stop";
    case FinishReason::length: return "length";
    case FinishReason::context: return "context";
    case FinishReason::closed: return "closed";
  }
  return "?";
}

/// The continuation of a prompt. Each `next` computes only what the next piece needs; the first
/// reads the prompt.
///
///     while (std::optional<std::string_view> piece = generation.next()) std::cout << *piece;
///     for (std::string_view piece : generation) std::cout << piece;      // the same
///
/// Several may share a session, a piece or a `rest` at a time, from any thread: one whose session
/// has gone on with something else computes its text again from what both have in common, and is
/// the text that it is alone. (Not with the policy paper, whose results depend on what was read
/// before.) `close` and what only tells wait for nothing.
class Generation {
 public:
  /// Encodes the prompt and checks the options. Throws ArgumentError, also for a grammar whose
  /// shortest text is longer than max_new_tokens; ShapeError if the prompt is empty or too long.
  Generation(std::shared_ptr<model::Session> session, std::shared_ptr<const Tokenizer> tokenizer,
             std::string_view prompt, const GenerationOptions& options);

  /// The same for a prompt that is encoded already: parse_special and add_special have no effect.
  /// Throws ArgumentError also for ids that are not in the vocabulary.
  Generation(std::shared_ptr<model::Session> session, std::shared_ptr<const Tokenizer> tokenizer,
             std::vector<Token> prompt, GenerationOptions options);

  /// The next piece, whole characters, never empty; nothing when the text has ended. Valid until
  /// the next call.
  ///
  /// Throws IoError if a read fails: what was returned stands, and the same call may be tried
  /// again. Throws ArgumentError if a callback of the session calls it, Error in a forked child.
  std::optional<std::string_view> next();

  /// The same as a copy, for threads that share the generation.
  std::optional<std::string> next_copy();

  /// All remaining pieces as one text. Nobody else uses the session meanwhile.
  std::string rest();

  /// Ends the text here, or behind the piece that a thread is just computing.
  void close() noexcept { reason_.change(FinishReason::none, FinishReason::closed); }
  std::uint64_t seed() const noexcept { return options_.seed; }
  FinishReason finish_reason() const noexcept { return reason_.get(); }
  /// The generated tokens, with the ending one if the model wrote one.
  std::span<const Token> tokens() const noexcept {
    return {text_.data() + n_prompt_, n_shown_.get() - n_prompt_};
  }
  std::span<const Token> prompt_tokens() const noexcept { return {text_.data(), n_prompt_}; }

  /// Whether this is a forked child, and the session was in use at the fork.
  bool is_torn() const noexcept { return session_->is_torn(); }

  /// Reads the pieces in a range-based for; one pass.
  class Iterator {
   public:
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;

    explicit Iterator(Generation& generation)
        : generation_(&generation), piece_(generation.next()) {}
    std::string_view operator*() const noexcept { return *piece_; }
    Iterator& operator++();
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const noexcept { return !piece_; }

   private:
    Generation* generation_;
    std::optional<std::string_view> piece_;
  };

  Iterator begin() { return Iterator(*this); }
  static std::default_sentinel_t end() noexcept { return {}; }

 private:
  /// A number that other threads see; to be moved while they do not look.
  template <class Number>
  class Shown {
   public:
    Shown(Number value) noexcept : value_(value) {}
    Shown(const Shown& other) noexcept : Shown(other.get()) {}
    Shown& operator=(const Shown& other) noexcept { return value_ = other.get(), *this; }
    Number get() const noexcept { return value_.load(std::memory_order_acquire); }
    bool change(Number from, Number to) noexcept {
      return value_.compare_exchange_strong(from, to);
    }

   private:
    std::atomic<Number> value_;
  };

  Turns::Turn take_turn();

  /// Fills piece_; false if the text has ended.
  bool make_piece();

  /// Some tokens more: what is forced, or else step and sample; then decode.
  void advance();

  void push(Token token);

  void append(Token token);

  void finish_if_full();

  /// Tokens that the text may still grow by.
  std::size_t room() const noexcept;

  void start_guide();

  /// The logits after all of text_, as scratch for the sampler.
  std::span<float> logits();

  /// The prompt, or all that there is of a text whose session has gone on with something else.
  std::span<const float> read_text();

  void emit(std::string_view characters);

  void finish(FinishReason reason);

  std::shared_ptr<model::Session> session_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  GenerationOptions options_;
  Sampler sampler_;
  Utf8Stream characters_;
  StopMatcher stops_;
  std::vector<Token> text_;  // prompt, then what was generated
  std::size_t n_prompt_;
  Shown<std::size_t> n_shown_ = std::size_t{0};  // tokens of text_, for all threads
  bool has_read_ = false;                        // the prompt, once
  std::unique_ptr<Guide> guide_;                 // if there is a grammar
  std::vector<float> scratch_;                   // [vocab_size]
  std::string piece_;
  Shown<FinishReason> reason_ = FinishReason::none;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/generation/generation.ipp"
#endif
