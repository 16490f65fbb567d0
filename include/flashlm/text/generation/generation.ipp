// SPDX-License-Identifier: Apache-2.0
/// generation.ipp: the bodies of generation.hpp.
#pragma once

#include "flashlm/text/generation/generation.hpp"

#include <algorithm>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/model/engine.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_ONCE Generation::Generation(std::shared_ptr<model::Session> session,
                                    std::shared_ptr<const Tokenizer> tokenizer,
                                    std::string_view prompt, const GenerationOptions& options)
    : Generation(std::move(session), tokenizer,
                 tokenizer->encode(prompt, {options.parse_special, options.add_special}), options) {
}

FLASHLM_ONCE Generation::Generation(std::shared_ptr<model::Session> session,
                                    std::shared_ptr<const Tokenizer> tokenizer,
                                    std::vector<Token> prompt, GenerationOptions options)
    : session_(std::move(session)),
      tokenizer_(std::move(tokenizer)),
      options_(std::move(options)),
      sampler_(options_.sampling(), session_->engine().spec().vocab_size),
      stops_(options_.stop),
      text_(std::move(prompt)),
      n_prompt_(text_.size()) {
  if (n_prompt_ == 0)
    throw ShapeError("[generation] prompt: expected 1 token or more, got an empty text");
  tokenizer_->check_rows(text_, "generation");
  if (n_prompt_ > session_->context()) {
    throw ShapeError(concat("[generation] prompt: expected at most the context of ",
                            session_->context(), " tokens, got ", n_prompt_,
                            ". A larger context takes more memory."));
  }
  // Once and for all: other threads look at what is there while it grows.
  text_.reserve(n_prompt_ + std::min(options_.max_new_tokens, session_->context() + 1 - n_prompt_));
  n_shown_ = n_prompt_;
  if (options_.grammar) start_guide();
  if (options_.max_new_tokens == 0) finish(FinishReason::length);
}

FLASHLM_INLINE std::optional<std::string_view> Generation::next() {
  const Turns::Turn turn = take_turn();
  return make_piece() ? std::optional<std::string_view>(piece_) : std::nullopt;
}

FLASHLM_INLINE std::optional<std::string> Generation::next_copy() {
  const Turns::Turn turn = take_turn();
  return make_piece() ? std::optional(piece_) : std::nullopt;
}

FLASHLM_INLINE std::string Generation::rest() {
  const Turns::Turn turn = take_turn();
  std::string text;
  while (make_piece()) text += piece_;
  return text;
}

FLASHLM_INLINE Generation::Iterator& Generation::Iterator::operator++() {
  piece_ = generation_->next();
  return *this;
}

FLASHLM_INLINE Turns::Turn Generation::take_turn() {
  return Turns::Turn(session_->turns(), session_->engine().on_wait());
}

FLASHLM_INLINE bool Generation::make_piece() {
  piece_.clear();
  while (piece_.empty() && finish_reason() == FinishReason::none) advance();
  return !piece_.empty();
}

FLASHLM_INLINE void Generation::advance() {
  if (guide_) {
    const std::vector<Token> forced = guide_->forced(room());
    // They are computed together with the next step, if there is one.
    for (std::size_t index = 0; index < forced.size() && finish_reason() == FinishReason::none;
         ++index)
      append(forced[index]);
    if (!forced.empty() || guide_->is_complete()) return finish_if_full();
  }
  if (text_.size() > session_->context()) return finish(FinishReason::context);
  const std::span<float> row = logits();
  const std::optional<Token> token =
      guide_ ? guide_->choose(sampler_, row, text_, room()) : sampler_.sample(row, text_);
  if (!token) return;
  const std::vector<Token>& eos = session_->engine().model().manifest().eos;
  if (std::find(eos.begin(), eos.end(), *token) != eos.end()) {
    push(*token);
    return finish(FinishReason::eos);
  }
  append(*token);
  finish_if_full();
}

FLASHLM_INLINE void Generation::push(Token token) {
  text_.push_back(token);
  n_shown_ = text_.size();
}

FLASHLM_INLINE void Generation::append(Token token) {
  push(token);
  emit(characters_.push(tokenizer_->bytes(token)));
}

FLASHLM_INLINE void Generation::finish_if_full() {
  if (finish_reason() != FinishReason::none) return;
  if (guide_ && guide_->is_complete() && !guide_->is_cut()) return finish(FinishReason::eos);
  if (tokens().size() == options_.max_new_tokens || (guide_ && guide_->is_complete()))
    finish(FinishReason::length);
}

FLASHLM_INLINE std::size_t Generation::room() const noexcept {
  return std::min(options_.max_new_tokens - tokens().size(),
                  session_->context() + 1 - text_.size());
}

FLASHLM_ONCE void Generation::start_guide() {
  const model::Model& model = session_->engine().model();
  guide_ = options_.grammar->guide(tokenizer_, model.manifest().eos, model.spec().vocab_size);
  const std::size_t least = guide_->least_room();
  if (least > options_.max_new_tokens) {
    throw ArgumentError(concat("[generation] max_new_tokens: expected at least ", least,
                               ", which the grammar's shortest text takes, got ",
                               options_.max_new_tokens));
  }
  if (least > room()) {
    throw ShapeError(concat("[generation] prompt: expected at most ",
                            session_->context() + 1 - least, " tokens, so that the context of ",
                            session_->context(), " holds the grammar's shortest text, got ",
                            n_prompt_, ". A larger context takes more memory."));
  }
}

FLASHLM_INLINE std::span<float> Generation::logits() {
  const std::span<const Token> held = session_->tokens();
  // Ours is what has the same tokens, whoever computed them; a read that failed may have left less.
  const bool ours = has_read_ && held.size() >= n_prompt_ && held.size() < text_.size() &&
                    session_->common_prefix(text_) == held.size();
  const std::span<const Token> unread =
      std::span<const Token>(text_).subspan(ours ? held.size() : 0);
  const std::span<const float> logits = !ours ? read_text()
                                        : unread.size() == 1
                                            ? session_->step(text_.back())
                                            : session_->extend(unread);  // forced tokens, together
  has_read_ = true;
  return scratch_.assign(logits.begin(), logits.end()), scratch_;
}

FLASHLM_INLINE std::span<const float> Generation::read_text() {
  const model::Session::Progress told = has_read_ ? nullptr : options_.on_prefill;
  return options_.kv_store ? options_.kv_store->prefill(*session_, text_, told)
                           : session_->prefill(text_, told);
}

FLASHLM_INLINE void Generation::emit(std::string_view characters) {
  piece_ += stops_.push(characters);
  if (stops_.stopped()) reason_.change(FinishReason::none, FinishReason::stop);
}

FLASHLM_INLINE void Generation::finish(FinishReason reason) {
  emit(characters_.flush());
  if (stops_.stopped()) return;
  piece_ += stops_.flush();
  reason_.change(FinishReason::none, reason);
}

}  // namespace flashlm::inline FLASHLM_ABI::text
