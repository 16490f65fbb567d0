// SPDX-License-Identifier: Apache-2.0
/// session.ipp: the bodies of session.hpp.
#pragma once

#include "flashlm/model/session.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/model/engine.hpp"
#include "flashlm/model/kv/kv_cache.hpp"
#include "flashlm/model/kv/kv_file.hpp"
#include "flashlm/model/kv/kv_fingerprint.hpp"
#include "flashlm/storage/io/beside_file.hpp"
#include "flashlm/storage/io/file.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE Session::Session(std::shared_ptr<Engine> engine)
    : engine_(std::move(engine)),
      place_(*engine_),
      kv_(std::make_unique<KvCache>(engine_->add_session())),
      fingerprint_(kv_fingerprint(engine_->model(), kv_->dtype(), engine_->numerics())) {
  place_.taken = true;
  tokens_.reserve(kv_->context());
  logits_.resize(engine_->spec().vocab_size);
}

FLASHLM_INLINE Session::~Session() = default;

FLASHLM_INLINE std::size_t Session::context() const noexcept { return kv_->context(); }

FLASHLM_INLINE bool Session::is_torn() const noexcept {
  return turns_.is_torn() || engine_->is_torn();
}

FLASHLM_INLINE void Session::append(std::span<const Token> tokens, std::span<float> logits) {
  run(tokens, logits, Phase::prefill);
}

FLASHLM_INLINE std::span<const float> Session::prefill(std::span<const Token> tokens,
                                                       const Progress& on_progress) {
  if (tokens.empty() || tokens.size() > kv_->context()) {
    throw ShapeError(concat("[session] prompt: expected 1 to ", kv_->context(), " tokens, got ",
                            tokens.size(), ". A larger context takes more memory."));
  }
  const std::size_t kept = std::min(common_prefix(tokens), tokens.size() - 1);
  cut(kept, kept);
  return extend(tokens.subspan(kept), on_progress);
}

FLASHLM_INLINE std::span<const float> Session::extend(std::span<const Token> tokens,
                                                      const Progress& on_progress) {
  for (std::size_t done = 0; done < tokens.size();) {
    const std::size_t n = std::min(engine_->max_batch(), tokens.size() - done);
    const bool last = done + n == tokens.size();
    run(tokens.subspan(done, n), last ? std::span<float>(logits_) : std::span<float>(),
        Phase::prefill);
    done += n;
    if (on_progress) on_progress(done, tokens.size());
  }
  return logits_;
}

FLASHLM_INLINE std::span<const float> Session::step(Token token) {
  run({&token, 1}, logits_, Phase::decode);
  return logits_;
}

FLASHLM_INLINE void Session::score(std::span<const Token> tokens, std::span<float> logits,
                                   const Progress& on_progress) {
  const std::size_t vocab_size = engine_->spec().vocab_size;
  if (tokens.size() > kv_->context() || logits.size() != tokens.size() * vocab_size) {
    throw ShapeError(concat("[session] tokens: expected at most ", kv_->context(),
                            " and as many rows of ", vocab_size, " logits, got ", tokens.size(),
                            " and ", logits.size(),
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

FLASHLM_INLINE void Session::save(const std::filesystem::path& path) const {
  engine_->require_own_process();
  write_kv_file(path, {fingerprint_, storage::Sha256().digest(), 0, tokens_.size()}, tokens_, *kv_);
}

FLASHLM_INLINE void Session::load(const std::filesystem::path& path) {
  engine_->require_own_process();
  storage::BesideFile::remove_leftovers(path);
  const KvFile file = KvFile::open(path, fingerprint_, *kv_, storage::FileMode::direct);
  if (file.range().first != 0) {
    throw FormatError(
        concat("[session] file: expected a text from its beginning, got one from token ",
               file.range().first, " (", path.string(), ")"));
  }
  file.check_room(*kv_);
  const std::vector<Token> tokens = file.tokens();
  check_vocabulary(tokens, path);
  if (!tokens_.empty()) file.check();
  reset();
  file.read(*kv_);
  hold(tokens);
}

FLASHLM_INLINE void Session::save_block(const std::filesystem::path& path, std::size_t first,
                                        std::size_t n_tokens, const storage::Digest& before) const {
  FLASHLM_ASSERT(first + n_tokens <= tokens_.size());
  write_kv_file(path, {fingerprint_, before, first, n_tokens},
                std::span(tokens_).subspan(first, n_tokens), *kv_, Durability::unsynced);
}

FLASHLM_INLINE void Session::load_block(const std::filesystem::path& path,
                                        std::span<const Token> text, std::size_t first,
                                        std::size_t n_tokens, const storage::Digest& before) {
  FLASHLM_ASSERT(common_prefix(text) >= first && first + n_tokens <= text.size());
  const KvFile file = KvFile::open(path, fingerprint_, *kv_);
  const std::span<const Token> wanted = text.subspan(first, n_tokens);
  if (file.range() != KvRange{fingerprint_, before, first, n_tokens} ||
      !std::ranges::equal(file.tokens(), wanted)) {
    throw FormatError(concat("[session] block: expected the ", n_tokens,
                             " tokens of the text from ", first, " on, got others (", path.string(),
                             ")"));
  }
  file.check_room(*kv_);
  cut(first);
  file.read(*kv_);
  hold(text.first(first + n_tokens));
}

FLASHLM_INLINE std::uint64_t Session::file_bytes(std::size_t n_tokens) const noexcept {
  return KvFile::bytes(*kv_, n_tokens);
}

FLASHLM_INLINE std::size_t Session::common_prefix(std::span<const Token> tokens) const noexcept {
  const auto end = std::mismatch(tokens_.begin(), tokens_.end(), tokens.begin(), tokens.end());
  return static_cast<std::size_t>(end.first - tokens_.begin());
}

FLASHLM_INLINE std::vector<Token> Session::copy_tokens() const {
  const std::lock_guard lock(shown_);
  return tokens_;
}

FLASHLM_INLINE Stats Session::stats() const noexcept {
  Stats stats;
  {
    const std::lock_guard lock(shown_);
    stats = stats_;
  }
  stats.peak_bytes = peak_resident_bytes();
  return stats;
}

FLASHLM_INLINE Session::Place::~Place() {
  if (taken) engine->remove_session();
}

FLASHLM_INLINE void Session::check_vocabulary(std::span<const Token> tokens,
                                              const std::filesystem::path& path) const {
  const std::size_t vocab_size = engine_->spec().vocab_size;
  for (const Token token : tokens) {
    if (token >= 0 && static_cast<std::size_t>(token) < vocab_size) continue;
    throw FormatError(concat("[session] token: expected an id below ", vocab_size, ", got ", token,
                             " (", path.string(), ")"));
  }
}

FLASHLM_INLINE void Session::run(std::span<const Token> tokens, std::span<float> logits,
                                 Phase phase) {
  Stats stats = stats_;
  try {
    engine_->forward(*kv_, tokens_.size(), tokens, logits, phase, stats);
  } catch (...) {
    const std::lock_guard lock(shown_);
    stats_ = stats;
    throw;
  }
  const std::lock_guard lock(shown_);
  stats_ = stats;
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
}

FLASHLM_INLINE void Session::cut(std::size_t n_tokens, std::size_t n_reused) noexcept {
  const std::lock_guard lock(shown_);
  tokens_.resize(n_tokens);
  stats_.reused_tokens += n_reused;
}

FLASHLM_INLINE void Session::hold(std::span<const Token> tokens) noexcept {
  const std::lock_guard lock(shown_);
  tokens_.assign(tokens.begin(), tokens.end());  // there is room for the whole context
}

}  // namespace flashlm::inline FLASHLM_ABI::model
