// SPDX-License-Identifier: Apache-2.0
/// language_model.hpp: text in, text out, from a packed folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/base/memory/memory_sensor.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/base/turns.hpp"
#include "flashlm/model/kv_store.hpp"
#include "flashlm/model/plan/memory_plan.hpp"
#include "flashlm/model/session.hpp"
#include "flashlm/text/generation/generation.hpp"
#include "flashlm/text/tokenizer/tokenizer.hpp"
#include "flashlm/units/neuron_read_options.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {
class Engine;
struct EngineOptions;
struct ModelSpec;
}  // namespace flashlm::inline FLASHLM_ABI::model

namespace flashlm::inline FLASHLM_ABI::text {

/// How a model is opened. Nothing here changes a result, but a predictor, which may miss neurons.
struct LanguageModelOptions {
  std::string memory =
      "auto";  // what the system can spare; "4GiB" for everything, "50%" of the packed weights
  /// Positions a session; 0: the model's, at most 4096, and fewer where a budget that is no share
  /// holds no more.
  std::size_t context = 0;
  std::size_t parallel = 1;  // sessions that have room from the start, the model's own among them
  int n_threads = 0;         // for computing; 0: one a hardware thread
  std::size_t max_batch = 256;    // tokens of a prompt that share one pass over the weights
  std::string reader = "auto";    // auto, threads, uring
  std::string selector = "auto";  // auto, dense, predictor, gate
  /// Which neurons leave DRAM first: combined, window, lru, frequency, none; paper, which changes
  /// results.
  std::string policy = "auto";
  std::optional<std::uint32_t>
      window{};  // tokens whose neurons stay, for the policies window and paper
  units::NeuronReadOptions neuron_reads{};  // how the neurons that a selector chose are read
  bool lock_memory = false;                 // keeps everything that is allocated out of swap
  bool governed = true;                     // gives pinned weights back when memory becomes short
  double stall_seconds = 5;  // after so long without an answer of the device, on_warning is told
  /// Called about ten times a second while a step computes or waits; may throw to stop it.
  std::function<void()> on_wait{};
  std::function<void(std::size_t, std::size_t)>
      on_progress{};                      // bytes read at opening, and in total; may throw
  std::function<MemoryState()> sensor{};  // of memory; empty: the system's
  std::filesystem::path kv_store{};  // folder of prompts computed before, of any model; empty: none
  std::uint64_t kv_store_bytes = std::uint64_t{8} << 30;  // what that folder may hold
  std::string manifest{};  // the text of a flashlm.json to take in place of the folder's; empty:
                           // the folder's
  KvStore::Warning on_warning{};  // told what is wrong with it, or with the device; may be empty
};

/// A model, its tokenizer and a session for those who need only one.
///
///     auto lm = flashlm::LanguageModel::open("smollm2.flash", {.memory = "50%"});
///     for (std::string_view piece : lm.stream("The moon is", {.max_new_tokens = 64})) std::cout <<
///     piece;
///
/// Copies share everything. Thread-safe but for `step`, `tokens` and what they return: calls that
/// use the model's own session take turns, a whole `generate`, `logits`, `collect` or `perplexity`
/// at a time, and a `stream` piece by piece; each gives what it would give alone. Threads that have
/// a `session` each wait only for steps of the others.
///
/// A forked child can read numbers and destroy it; what computes throws Error
/// (docs/threads_and_fork.md).
class LanguageModel {
 public:
  /// x [n_tokens, dim] is the input of the network of `layer`, h [n_tokens, hidden_dim] the
  /// activation of each neuron: the number its down column is multiplied by. Both are valid during
  /// the call, which may throw to stop.
  using Observer = std::function<void(std::size_t layer, std::size_t n_tokens,
                                      std::span<const float> x, std::span<const float> h)>;

  /// Opens a packed folder. Throws IoError, FormatError, ArgumentError, or BudgetError before
  /// weights are read.
  static LanguageModel open(const std::filesystem::path& folder, LanguageModelOptions options = {});

  /// How `open` would split its memory. Reads no weights; throws as `open` does.
  static model::MemoryPlan plan(const std::filesystem::path& folder,
                                const LanguageModelOptions& options = {});

  /// The longest context that the memory holds, as model::largest_context has it. Reads no weights.
  static std::size_t largest_context(const std::filesystem::path& folder,
                                     const LanguageModelOptions& options = {});

  LanguageModel(std::shared_ptr<model::Engine> engine, std::shared_ptr<const Tokenizer> tokenizer,
                std::shared_ptr<KvStore> kv_store = nullptr);

  /// The continuation of `prompt` in the model's own session, which keeps what the prompt shares
  /// with the last one.
  Generation stream(std::string_view prompt, GenerationOptions options = {});

  /// The same in a session of the caller's.
  Generation stream(const std::shared_ptr<model::Session>& session, std::string_view prompt,
                    GenerationOptions options = {}) const;

  /// The same for prompts that are encoded already.
  Generation stream(std::vector<Token> prompt, GenerationOptions options = {});
  Generation stream(const std::shared_ptr<model::Session>& session, std::vector<Token> prompt,
                    GenerationOptions options = {}) const;

  /// The whole continuation at once.
  std::string generate(std::string_view prompt, GenerationOptions options = {});

  /// Appends one token to the model's own session, whatever it would have chosen, and returns the
  /// logits after it [vocab_size], valid until the next call. Throws as Session::step. Threads that
  /// step the same model hold `take_turn`.
  std::span<const float> step(Token token) { return session_->step(token); }

  /// While it lives, the model's own session is this thread's.
  Turns::Turn take_turn() const;

  /// A conversation of its own. Throws BudgetError if there is no room for another KV cache.
  std::shared_ptr<model::Session> session() const;

  /// The conversation that Session::save wrote, as a new one. Throws as `session` and Session::load
  /// do.
  std::shared_ptr<model::Session> load_session(const std::filesystem::path& path) const;

  /// The logits after every token: [tokens.size(), vocab_size], row-major. Throws ShapeError beyond
  /// the context.
  std::vector<float> logits(std::span<const Token> tokens,
                            const model::Session::Progress& on_progress = {});

  /// Runs `tokens` densely, as a text of its own, and shows what every neuron does: a call a layer
  /// and batch.
  ///
  /// Throws ShapeError beyond the context, FormatError for activations that are not finite,
  /// ArgumentError unless the selector is dense, and what the observer throws; the model is usable
  /// after.
  void collect(std::span<const Token> tokens, Observer observer);

  /// exp(mean negative log-likelihood of tokens 2..n), each given the tokens before it in its
  /// window.
  ///
  /// Windows hold `context` tokens and overlap by one, so that every token but the first counts
  /// once. Throws ShapeError for fewer than two tokens.
  double perplexity(std::string_view text, const model::Session::Progress& on_progress = {});

  const Tokenizer& tokenizer() const noexcept { return *tokenizer_; }
  const model::ModelSpec& spec() const noexcept;
  model::MemoryPlan memory_plan() const;
  const model::Engine& engine() const noexcept { return *engine_; }
  /// Null without one.
  const std::shared_ptr<KvStore>& kv_store() const noexcept { return kv_store_; }
  /// What the model's own session has read and written. Valid until it is used again.
  std::span<const Token> tokens() const noexcept { return session_->tokens(); }
  /// The same as they are now, whoever uses it.
  std::vector<Token> copy_tokens() const { return session_->copy_tokens(); }
  /// Of the model's own session.
  Stats stats() const noexcept { return session_->stats(); }

 private:
  /// Without the hooks.
  static model::EngineOptions engine_options(const LanguageModelOptions& options);

  /// Tokenizers may have more tokens than the model has rows, such as a padding token that was
  /// added and never trained.
  static std::shared_ptr<const Tokenizer> within_rows(std::shared_ptr<const Tokenizer> tokenizer,
                                                      std::size_t n_rows);

  GenerationOptions with_store(GenerationOptions options) const;

  std::shared_ptr<model::Engine> engine_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::shared_ptr<KvStore> kv_store_;  // may be null
  std::shared_ptr<model::Session> session_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/language_model.ipp"
#endif
