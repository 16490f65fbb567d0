// SPDX-License-Identifier: Apache-2.0
/// generation.hpp: a text that grows, pulled piece by piece.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/base/turns.hpp"
#include "flashlm/model/session.hpp"
#include "flashlm/text/grammar.hpp"
#include "flashlm/text/grammar_guide.hpp"
#include "flashlm/text/kv_store.hpp"
#include "flashlm/text/sampler.hpp"
#include "flashlm/text/stop_matcher.hpp"
#include "flashlm/text/tokenizer.hpp"
#include "flashlm/text/utf8.hpp"

namespace flashlm::inline v0::text {

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
  std::shared_ptr<KvStore> kv_store{};    // where the prompt may have been computed before; none: only the session
  // The text is always a whole one of these, unless a stop string or the caller ends it: near max_new_tokens, or the
  // end of the context, the shortest way to an end is taken.
  std::shared_ptr<const Grammar> grammar{};

  SamplerOptions sampling() const { return {temperature, top_k, top_p, min_p, repetition_penalty, seed}; }
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

/// The continuation of a prompt. Each `next` computes only what the next piece needs; the first reads the prompt.
///
///     while (std::optional<std::string_view> piece = generation.next()) std::cout << *piece;
///     for (std::string_view piece : generation) std::cout << piece;      // the same
///
/// Several may share a session, a piece or a `rest` at a time, from any thread: one whose session has gone on with
/// something else computes its text again from what both have in common, and is the text that it is alone. (Not with
/// the policy paper, whose results depend on what was read before.) `close` and what only tells wait for nothing.
class Generation {
 public:
  /// Encodes the prompt and checks the options. Throws ArgumentError, also for a grammar whose shortest text is longer
  /// than max_new_tokens; ShapeError if the prompt is empty or too long.
  Generation(std::shared_ptr<model::Session> session, std::shared_ptr<const Tokenizer> tokenizer,
             std::string_view prompt, const GenerationOptions& options)
      : Generation(std::move(session), tokenizer,
                   tokenizer->encode(prompt, {options.parse_special, options.add_special}), options) {}

  /// The same for a prompt that is encoded already: parse_special and add_special have no effect. Throws ArgumentError
  /// also for ids that are not in the vocabulary.
  Generation(std::shared_ptr<model::Session> session, std::shared_ptr<const Tokenizer> tokenizer,
             std::vector<Token> prompt, GenerationOptions options)
      : session_(std::move(session)),
        tokenizer_(std::move(tokenizer)),
        options_(std::move(options)),
        sampler_(options_.sampling(), session_->engine().config().vocab_size),
        stops_(options_.stop),
        text_(std::move(prompt)),
        n_prompt_(text_.size()) {
    if (n_prompt_ == 0) throw ShapeError("[generation] prompt: expected 1 token or more, got an empty text");
    tokenizer_->check_rows(text_, "generation");
    if (n_prompt_ > session_->context()) {
      throw ShapeError(concat("[generation] prompt: expected at most the context of ", session_->context(),
                              " tokens, got ", n_prompt_, ". A larger context takes more memory."));
    }
    // Once and for all: other threads look at what is there while it grows.
    text_.reserve(n_prompt_ + std::min(options_.max_new_tokens, session_->context() + 1 - n_prompt_));
    n_shown_ = n_prompt_;
    if (options_.grammar) start_guide();
    if (options_.max_new_tokens == 0) finish(FinishReason::length);
  }

  /// The next piece, whole characters, never empty; nothing when the text has ended. Valid until the next call.
  ///
  /// Throws IoError if a read fails: what was returned stands, and the same call may be tried again. Throws
  /// ArgumentError if a callback of the session calls it, Error in a forked child.
  std::optional<std::string_view> next() {
    const Turns::Turn turn = take_turn();
    return make_piece() ? std::optional<std::string_view>(piece_) : std::nullopt;
  }

  /// The same as a copy, for threads that share the generation.
  std::optional<std::string> next_copy() {
    const Turns::Turn turn = take_turn();
    return make_piece() ? std::optional(piece_) : std::nullopt;
  }

  /// All remaining pieces as one text. Nobody else uses the session meanwhile.
  std::string rest() {
    const Turns::Turn turn = take_turn();
    std::string text;
    while (make_piece()) text += piece_;
    return text;
  }

  /// Ends the text here, or behind the piece that a thread is just computing.
  void close() noexcept { reason_.change(FinishReason::none, FinishReason::closed); }
  std::uint64_t seed() const noexcept { return options_.seed; }
  FinishReason finish_reason() const noexcept { return reason_.get(); }
  /// The generated tokens, with the ending one if the model wrote one.
  std::span<const Token> tokens() const noexcept { return {text_.data() + n_prompt_, n_shown_.get() - n_prompt_}; }
  std::span<const Token> prompt_tokens() const noexcept { return {text_.data(), n_prompt_}; }

  /// Whether this is a forked child, and the session was in use at the fork.
  bool is_torn() const noexcept { return session_->is_torn(); }

  /// Reads the pieces in a range-based for; one pass.
  class Iterator {
   public:
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;

    explicit Iterator(Generation& generation) : generation_(&generation), piece_(generation.next()) {}
    std::string_view operator*() const noexcept { return *piece_; }
    Iterator& operator++() {
      piece_ = generation_->next();
      return *this;
    }
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
    bool change(Number from, Number to) noexcept { return value_.compare_exchange_strong(from, to); }

   private:
    std::atomic<Number> value_;
  };

  Turns::Turn take_turn() { return Turns::Turn(session_->turns(), session_->engine().on_wait()); }

  /// Fills piece_; false if the text has ended.
  bool make_piece() {
    piece_.clear();
    while (piece_.empty() && finish_reason() == FinishReason::none) advance();
    return !piece_.empty();
  }

  /// Some tokens more: what is forced, or else step and sample; then decode.
  void advance() {
    if (guide_) {
      const std::vector<Token> forced = guide_->forced(room());
      // They are computed together with the next step, if there is one.
      for (std::size_t index = 0; index < forced.size() && finish_reason() == FinishReason::none; ++index)
        append(forced[index]);
      if (!forced.empty() || guide_->is_complete()) return finish_if_full();
    }
    if (text_.size() > session_->context()) return finish(FinishReason::context);
    const std::span<float> row = logits();
    const std::optional<Token> token =
        guide_ ? guide_->choose(sampler_, row, text_, room()) : sampler_.sample(row, text_);
    if (!token) return;
    const std::vector<Token>& eos = session_->engine().config().eos;
    if (std::find(eos.begin(), eos.end(), *token) != eos.end()) {
      push(*token);
      return finish(FinishReason::eos);
    }
    append(*token);
    finish_if_full();
  }

  void push(Token token) {
    text_.push_back(token);
    n_shown_ = text_.size();
  }

  void append(Token token) {
    push(token);
    emit(characters_.push(tokenizer_->bytes(token)));
  }

  void finish_if_full() {
    if (finish_reason() != FinishReason::none) return;
    if (guide_ && guide_->is_complete() && !guide_->is_cut()) return finish(FinishReason::eos);
    if (tokens().size() == options_.max_new_tokens || (guide_ && guide_->is_complete())) finish(FinishReason::length);
  }

  /// Tokens that the text may still grow by.
  std::size_t room() const noexcept {
    return std::min(options_.max_new_tokens - tokens().size(), session_->context() + 1 - text_.size());
  }

  void start_guide() {
    const model::ModelConfig& config = session_->engine().config();
    guide_.emplace(options_.grammar, tokenizer_, config.eos, config.vocab_size);
    const std::size_t least = guide_->least_room();
    if (least > options_.max_new_tokens) {
      throw ArgumentError(concat("[generation] max_new_tokens: expected at least ", least,
                                 ", which the grammar's shortest text takes, got ", options_.max_new_tokens));
    }
    if (least > room()) {
      throw ShapeError(concat("[generation] prompt: expected at most ", session_->context() + 1 - least,
                              " tokens, so that the context of ", session_->context(),
                              " holds the grammar's shortest text, got ", n_prompt_,
                              ". A larger context takes more memory."));
    }
  }

  /// The logits after all of text_, as scratch for the sampler.
  std::span<float> logits() {
    const std::span<const Token> held = session_->tokens();
    // Ours is what has the same tokens, whoever computed them; a read that failed may have left less.
    const bool ours = has_read_ && held.size() >= n_prompt_ && held.size() < text_.size() &&
                      session_->common_prefix(text_) == held.size();
    const std::span<const Token> unread = std::span<const Token>(text_).subspan(ours ? held.size() : 0);
    const std::span<const float> logits = !ours                ? read_text()
                                          : unread.size() == 1 ? session_->step(text_.back())
                                                               : session_->extend(unread);  // forced tokens, together
    has_read_ = true;
    return scratch_.assign(logits.begin(), logits.end()), scratch_;
  }

  /// The prompt, or all that there is of a text whose session has gone on with something else.
  std::span<const float> read_text() {
    const model::Session::Progress told = has_read_ ? nullptr : options_.on_prefill;
    return options_.kv_store ? options_.kv_store->prefill(*session_, text_, told) : session_->prefill(text_, told);
  }

  void emit(std::string_view characters) {
    piece_ += stops_.push(characters);
    if (stops_.stopped()) reason_.change(FinishReason::none, FinishReason::stop);
  }

  void finish(FinishReason reason) {
    emit(characters_.flush());
    if (stops_.stopped()) return;
    piece_ += stops_.flush();
    reason_.change(FinishReason::none, reason);
  }

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
  std::optional<GrammarGuide> guide_;            // if there is a grammar
  std::vector<float> scratch_;                   // [vocab_size]
  std::string piece_;
  Shown<FinishReason> reason_ = FinishReason::none;
};

}  // namespace flashlm::inline v0::text
