// SPDX-License-Identifier: Apache-2.0
/// session.hpp: one conversation with a model: its tokens, its KV cache, its statistics.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "flashlm/base/process.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/base/turns.hpp"
#include "flashlm/storage/format/sha256.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

class Engine;
class KvCache;
enum class Phase;

/// The mutable state of one conversation. It goes on from the longest common prefix of what it is
/// given.
///
/// Several sessions of one engine may be used from several threads. Threads that share one session
/// take turns: each holds a Turn of `turns` for as long as the session has to stay as it is.
/// `stats` and `copy_tokens` need none.
class Session {
 public:
  /// on_progress(done, total) counts the tokens of a prompt after every batch; it may throw to
  /// stop.
  using Progress = std::function<void(std::size_t done, std::size_t total)>;

  /// Throws BudgetError if the engine has no room for another KV cache.
  explicit Session(std::shared_ptr<Engine> engine);

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// Makes `tokens` the whole text of the session and returns the logits after its last token
  /// [vocab_size].
  ///
  /// What the session has already computed of it is kept; at least the last token is computed
  /// again. tokens: 1 to `context`. The logits stay valid until the next call. Throws ShapeError
  /// for a bad length, IoError if a read fails; the session then holds what was computed.
  std::span<const float> prefill(std::span<const Token> tokens, const Progress& on_progress = {});

  /// Appends some tokens and returns the logits after the last one [vocab_size], valid until the
  /// next call.
  ///
  /// Throws ShapeError beyond the context, IoError if a read fails; the session then holds what was
  /// computed.
  std::span<const float> extend(std::span<const Token> tokens, const Progress& on_progress = {});

  /// Appends one token and returns the logits after it [vocab_size], valid until the next call.
  ///
  /// Throws ShapeError when the context is full, IoError if a read fails; the session is then as
  /// before.
  std::span<const float> step(Token token);

  /// Appends up to max_batch tokens and writes the logits after each: logits [tokens.size(),
  /// vocab_size].
  ///
  /// Throws ShapeError beyond the context, IoError if a read fails; the session is then as before.
  void append(std::span<const Token> tokens, std::span<float> logits);

  /// Makes `tokens` the whole text and writes the logits after every token: logits [tokens.size(),
  /// vocab_size].
  ///
  /// Throws ShapeError for a bad length, IoError if a read fails; the session then holds what was
  /// computed.
  void score(std::span<const Token> tokens, std::span<float> logits,
             const Progress& on_progress = {});

  /// Forgets the text; the memory stays.
  void reset() noexcept { hold({}); }

  /// Writes the text with its keys and values to `path`, so that `load` goes on from there, in any
  /// process.
  ///
  /// The file appears whole, and only when it is on the device. Throws IoError; what stood there is
  /// then untouched.
  void save(const std::filesystem::path& path) const;

  /// Takes the text of a saved session in place of its own.
  ///
  /// Throws FormatError if the file is damaged or of another model, ShapeError if the text is
  /// longer than the context, IoError; the session is then as before. (Should the file change while
  /// it is read, the session is empty.)
  void load(const std::filesystem::path& path);

  /// Writes positions [first, first + n_tokens) to a file of their own; `before` is the SHA-256 of
  /// the tokens before them. A power cut may leave a damaged file, which `load_block` refuses.
  /// Throws IoError.
  void save_block(const std::filesystem::path& path, std::size_t first, std::size_t n_tokens,
                  const storage::Digest& before) const;

  /// Makes text[0, first + n_tokens) the text of the session; it has text[0, first) already, `path`
  /// has the rest.
  ///
  /// Throws FormatError if the file is damaged or holds other tokens, IoError; the session then
  /// holds a beginning of what it held, at least text[0, first).
  void load_block(const std::filesystem::path& path, std::span<const Token> text, std::size_t first,
                  std::size_t n_tokens, const storage::Digest& before);

  /// Names the model and everything else that the keys and values depend on.
  const storage::Digest& fingerprint() const noexcept { return fingerprint_; }
  /// Bytes of a file of `n_tokens` positions.
  std::uint64_t file_bytes(std::size_t n_tokens) const noexcept;

  /// How many of the first tokens are those of the session.
  std::size_t common_prefix(std::span<const Token> tokens) const noexcept;

  /// The tokens whose keys and values the session holds.
  std::span<const Token> tokens() const noexcept { return tokens_; }
  /// The same for a thread that has not the turn.
  std::vector<Token> copy_tokens() const;
  std::size_t context() const noexcept;
  Stats stats() const noexcept;
  const Engine& engine() const noexcept { return *engine_; }

  /// Whose turn it is among threads that share the session.
  Turns& turns() noexcept { return turns_; }
  /// Whether this is a forked child, and the session was in use at the fork.
  bool is_torn() const noexcept;

 private:
  /// Gives the session's place in the engine back, also when the constructor fails half-way.
  struct Place {
    explicit Place(Engine& owner) : engine(&owner) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place();
    Engine* engine;
    bool taken = false;
  };

  void check_vocabulary(std::span<const Token> tokens, const std::filesystem::path& path) const;

  void run(std::span<const Token> tokens, std::span<float> logits, Phase phase);

  /// Keeps the first tokens, of which so many were reused.
  void cut(std::size_t n_tokens, std::size_t n_reused = 0) noexcept;

  /// The session's text is now this.
  void hold(std::span<const Token> tokens) noexcept;

  std::shared_ptr<Engine> engine_;
  Place place_;
  std::unique_ptr<KvCache> kv_;
  storage::Digest fingerprint_;
  std::vector<float> logits_;  // [vocab_size]
  Turns turns_;
  mutable ForkMutex
      shown_;  // what follows is written with it, and read with it by those who have not the turn
  std::vector<Token> tokens_;  // at most context
  Stats stats_;
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/session.ipp"
#endif
