// SPDX-License-Identifier: Apache-2.0
/// session.hpp: one conversation with a model: its tokens, its KV cache, its statistics.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/model/engine.hpp"
#include "flashlm/model/kv_cache.hpp"

namespace flashlm::inline v0::model {

/// The mutable state of one conversation. It goes on from the longest common prefix of what it is given.
///
/// Not thread-safe; several sessions of one engine may be used from several threads.
class Session {
 public:
  /// on_progress(done, total) counts the tokens of a prompt after every batch; it may throw to stop.
  using Progress = std::function<void(std::size_t done, std::size_t total)>;

  /// Throws BudgetError if the engine has no room for another KV cache.
  explicit Session(std::shared_ptr<Engine> engine)
      : engine_(std::move(engine)), place_(*engine_), kv_(engine_->add_session()) {
    place_.taken = true;
    tokens_.reserve(kv_.context());
    logits_.resize(engine_->config().vocab_size);
  }

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Makes `tokens` the whole text of the session and returns the logits after its last token [vocab_size].
  ///
  /// What the session has already computed of it is kept; at least the last token is computed again.
  /// tokens: 1 to `context`. The logits stay valid until the next call.
  /// Throws ShapeError for a bad length, IoError if a read fails; the session then holds what was computed.
  std::span<const float> prefill(std::span<const Token> tokens, const Progress& on_progress = {}) {
    if (tokens.empty() || tokens.size() > kv_.context()) {
      throw ShapeError(concat("[session] prompt: expected 1 to ", kv_.context(), " tokens, got ", tokens.size(),
                              ". A larger context takes more memory."));
    }
    const std::size_t kept = std::min(common_prefix(tokens), tokens.size() - 1);
    tokens_.resize(kept);
    stats_.reused_tokens += kept;
    while (tokens_.size() < tokens.size()) {
      const std::size_t n = std::min(engine_->max_batch(), tokens.size() - tokens_.size());
      const bool last = tokens_.size() + n == tokens.size();
      run(tokens.subspan(tokens_.size(), n), last ? std::span<float>(logits_) : std::span<float>(), Phase::prefill);
      if (on_progress) on_progress(tokens_.size() - kept, tokens.size() - kept);
    }
    return logits_;
  }

  /// Appends one token and returns the logits after it [vocab_size], valid until the next call.
  ///
  /// Throws ShapeError when the context is full, IoError if a read fails; the session is then as before.
  std::span<const float> step(Token token) {
    run({&token, 1}, logits_, Phase::decode);
    return logits_;
  }

  /// Appends up to max_batch tokens and writes the logits after each: logits [tokens.size(), vocab_size].
  ///
  /// Throws ShapeError beyond the context, IoError if a read fails; the session is then as before.
  void append(std::span<const Token> tokens, std::span<float> logits) { run(tokens, logits, Phase::prefill); }

  /// Makes `tokens` the whole text and writes the logits after every token: logits [tokens.size(), vocab_size].
  ///
  /// Throws ShapeError for a bad length, IoError if a read fails; the session then holds what was computed.
  void score(std::span<const Token> tokens, std::span<float> logits, const Progress& on_progress = {}) {
    const std::size_t vocab_size = engine_->config().vocab_size;
    if (tokens.size() > kv_.context() || logits.size() != tokens.size() * vocab_size) {
      throw ShapeError(concat("[session] tokens: expected at most ", kv_.context(), " and as many rows of ", vocab_size,
                              " logits, got ", tokens.size(), " and ", logits.size(),
                              " floats. A larger context takes more memory."));
    }
    reset();
    while (tokens_.size() < tokens.size()) {
      const std::size_t done = tokens_.size();
      const std::size_t n = std::min(engine_->max_batch(), tokens.size() - done);
      append(tokens.subspan(done, n), logits.subspan(done * vocab_size, n * vocab_size));
      if (on_progress) on_progress(tokens_.size(), tokens.size());
    }
  }

  /// Forgets the text; the memory stays.
  void reset() noexcept { tokens_.clear(); }

  /// How many of the first tokens are those of the session.
  std::size_t common_prefix(std::span<const Token> tokens) const noexcept {
    const auto end = std::mismatch(tokens_.begin(), tokens_.end(), tokens.begin(), tokens.end());
    return static_cast<std::size_t>(end.first - tokens_.begin());
  }

  /// The tokens whose keys and values the session holds.
  std::span<const Token> tokens() const noexcept { return tokens_; }
  std::size_t context() const noexcept { return kv_.context(); }
  Stats stats() const noexcept {
    Stats stats = stats_;
    stats.peak_bytes = peak_resident_bytes();
    return stats;
  }
  const Engine& engine() const noexcept { return *engine_; }

 private:
  /// Gives the session's place in the engine back, also when the constructor fails half-way.
  struct Place {
    explicit Place(Engine& owner) : engine(&owner) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      if (taken) engine->remove_session();
    }
    Engine* engine;
    bool taken = false;
  };

  void run(std::span<const Token> tokens, std::span<float> logits, Phase phase) {
    engine_->forward(kv_, tokens_.size(), tokens, logits, phase, stats_);
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  }

  std::shared_ptr<Engine> engine_;
  Place place_;
  KvCache kv_;
  std::vector<Token> tokens_;  // at most context
  std::vector<float> logits_;  // [vocab_size]
  Stats stats_;
};

}  // namespace flashlm::inline v0::model
