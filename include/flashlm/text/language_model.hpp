// SPDX-License-Identifier: Apache-2.0
/// language_model.hpp: text in, text out, from a packed folder.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/process.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/base/turns.hpp"
#include "flashlm/base/units.hpp"
#include "flashlm/model/engine.hpp"
#include "flashlm/model/model.hpp"
#include "flashlm/model/session.hpp"
#include "flashlm/sparse/activation_tap.hpp"
#include "flashlm/sparse/neuron_reads.hpp"
#include "flashlm/text/generation.hpp"
#include "flashlm/text/kv_store.hpp"
#include "flashlm/text/tokenizer.hpp"

namespace flashlm::inline v0::text {

/// How a model is opened. Nothing here changes a result, but a predictor, which may miss neurons.
struct LanguageModelOptions {
  std::string memory = "50%";     // "4GiB" for everything, or a share of the packed weights
  std::size_t context = 0;        // positions a session; 0: the model's, at most 4096
  int n_threads = 0;              // for computing; 0: one a hardware thread
  std::size_t max_batch = 256;    // tokens of a prompt that share one pass over the weights
  std::string reader = "auto";    // auto, threads, uring
  std::string selector = "auto";  // auto, dense, predictor, gate
  /// Which neurons leave DRAM first: combined, window, lru, frequency, none; paper, which changes results.
  std::string policy = "auto";
  std::optional<std::uint32_t> window{};     // tokens whose neurons stay, for the policies window and paper
  sparse::NeuronReadOptions neuron_reads{};  // how the neurons that a selector chose are read
  bool lock_memory = false;                  // keeps everything that is allocated out of swap
  bool governed = true;                      // gives pinned weights back when memory becomes short
  double stall_seconds = 5;                  // after so long without an answer of the device, on_warning is told
  /// Called about ten times a second while a step computes or waits; may throw to stop it.
  std::function<void()> on_wait{};
  std::function<void(std::size_t, std::size_t)> on_progress{};  // bytes read at opening, and in total; may throw
  std::filesystem::path kv_store{};  // folder of prompts computed before, of any model; empty: none
  std::uint64_t kv_store_bytes = std::uint64_t{8} << 30;  // what that folder may hold
  KvStore::Warning on_warning{};  // told what is wrong with it, or with the device; may be empty
};

/// A model, its tokenizer and a session for those who need only one.
///
///     auto lm = flashlm::LanguageModel::open("smollm2.flash", {.memory = "50%"});
///     for (std::string_view piece : lm.stream("The moon is", {.max_new_tokens = 64})) std::cout << piece;
///
/// Copies share everything. Thread-safe but for `step`, `tokens` and what they return: calls that use the model's own
/// session take turns, a whole `generate`, `logits`, `collect` or `perplexity` at a time, and a `stream` piece by
/// piece; each gives what it would give alone. Threads that have a `session` each wait only for steps of the others.
///
/// A forked child can read numbers and destroy it; what computes throws Error (docs/threads_and_fork.md).
class LanguageModel {
 public:
  /// Opens a packed folder. Throws IoError, FormatError, ArgumentError, or BudgetError before weights are read.
  static LanguageModel open(const std::filesystem::path& folder, LanguageModelOptions options = {}) {
    model::EngineOptions engine = engine_options(options);
    engine.on_progress = std::move(options.on_progress);
    engine.on_wait = std::move(options.on_wait);
    if (options.on_warning) {
      engine.on_stall = [warn = options.on_warning](const storage::Stall& stall) {
        warn(concat("[reader] no answer for ", stall.seconds, " s: ", stall.bytes, " bytes at ", stall.offset, " (",
                    stall.path, "). Is the device busy, or failing?"));
      };
    }
    auto tokenizer = std::make_shared<const Tokenizer>(Tokenizer::open(folder / "tokenizer.json"));
    std::shared_ptr<KvStore> store;
    if (!options.kv_store.empty()) {
      store = std::make_shared<KvStore>(options.kv_store, options.kv_store_bytes, std::move(options.on_warning));
    }
    auto opened = model::Model::open(folder, options.selector);
    return {std::shared_ptr<model::Engine>(new model::Engine(std::move(opened), std::move(engine)), DeleteUnlessTorn()),
            std::move(tokenizer), std::move(store)};
  }

  /// How `open` would split its memory. Reads no weights; throws as `open` does.
  static model::MemoryPlan plan(const std::filesystem::path& folder, const LanguageModelOptions& options = {}) {
    return model::plan_memory(*model::Model::open(folder, options.selector), engine_options(options));
  }

  LanguageModel(std::shared_ptr<model::Engine> engine, std::shared_ptr<const Tokenizer> tokenizer,
                std::shared_ptr<KvStore> kv_store = nullptr)
      : engine_(std::move(engine)),
        tokenizer_(within_rows(std::move(tokenizer), engine_->config().vocab_size)),
        kv_store_(std::move(kv_store)),
        session_(session()) {}

  /// The continuation of `prompt` in the model's own session, which keeps what the prompt shares with the last one.
  Generation stream(std::string_view prompt, GenerationOptions options = {}) {
    return {session_, tokenizer_, prompt, with_store(std::move(options))};
  }

  /// The same in a session of the caller's.
  Generation stream(const std::shared_ptr<model::Session>& session, std::string_view prompt,
                    GenerationOptions options = {}) const {
    return {session, tokenizer_, prompt, with_store(std::move(options))};
  }

  /// The same for prompts that are encoded already.
  Generation stream(std::vector<Token> prompt, GenerationOptions options = {}) {
    return {session_, tokenizer_, std::move(prompt), with_store(std::move(options))};
  }
  Generation stream(const std::shared_ptr<model::Session>& session, std::vector<Token> prompt,
                    GenerationOptions options = {}) const {
    return {session, tokenizer_, std::move(prompt), with_store(std::move(options))};
  }

  /// The whole continuation at once.
  std::string generate(std::string_view prompt, GenerationOptions options = {}) {
    return stream(prompt, std::move(options)).rest();
  }

  /// Appends one token to the model's own session, whatever it would have chosen, and returns the logits after it
  /// [vocab_size], valid until the next call. Throws as Session::step. Threads that step the same model hold
  /// `take_turn`.
  std::span<const float> step(Token token) { return session_->step(token); }

  /// While it lives, the model's own session is this thread's.
  Turns::Turn take_turn() const { return Turns::Turn(session_->turns(), engine_->on_wait()); }

  /// A conversation of its own. Throws BudgetError if there is no room for another KV cache.
  std::shared_ptr<model::Session> session() const { return {new model::Session(engine_), DeleteUnlessTorn()}; }

  /// The conversation that Session::save wrote, as a new one. Throws as `session` and Session::load do.
  std::shared_ptr<model::Session> load_session(const std::filesystem::path& path) const {
    auto loaded = session();
    loaded->load(path);
    return loaded;
  }

  /// The logits after every token: [tokens.size(), vocab_size], row-major. Throws ShapeError beyond the context.
  std::vector<float> logits(std::span<const Token> tokens, const model::Session::Progress& on_progress = {}) {
    const Turns::Turn turn = take_turn();
    std::vector<float> rows(tokens.size() * config().vocab_size);
    session_->score(tokens, rows, on_progress);
    return rows;
  }

  /// Runs `tokens` densely, as a text of its own, and shows what every neuron does: a call a layer and batch.
  ///
  /// Throws ShapeError beyond the context, FormatError for activations that are not finite, ArgumentError unless the
  /// selector is dense, and what the observer throws; the model is usable after.
  void collect(std::span<const Token> tokens, sparse::ActivationTap::Observer observer) {
    struct Observing {
      ~Observing() { engine.observe({}); }
      model::Engine& engine;
    };
    const Turns::Turn turn = take_turn();
    // Other sessions may step between two batches of this one, in threads of their own.
    engine_->observe([&observer, mine = std::this_thread::get_id()](
                         std::size_t layer, std::size_t n_tokens, std::span<const float> x, std::span<const float> h) {
      if (std::this_thread::get_id() == mine) observer(layer, n_tokens, x, h);
    });
    const Observing observing{*engine_};
    session_->reset();
    session_->extend(tokens);
  }

  /// exp(mean negative log-likelihood of tokens 2..n), each given the tokens before it in its window.
  ///
  /// Windows hold `context` tokens and overlap by one, so that every token but the first counts once.
  /// Throws ShapeError for fewer than two tokens.
  double perplexity(std::string_view text, const model::Session::Progress& on_progress = {});

  const Tokenizer& tokenizer() const noexcept { return *tokenizer_; }
  const model::ModelConfig& config() const noexcept { return engine_->config(); }
  model::MemoryPlan memory_plan() const { return engine_->memory_plan(); }
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
  static model::EngineOptions engine_options(const LanguageModelOptions& options) {
    model::EngineOptions engine;
    engine.memory = parse_memory(options.memory);
    engine.context = options.context;
    engine.n_threads = options.n_threads;
    engine.max_batch = options.max_batch;
    engine.reader = options.reader;
    engine.policy = options.policy;
    engine.window = options.window;
    engine.neuron_reads = options.neuron_reads;
    engine.lock_memory = options.lock_memory;
    engine.governed = options.governed;
    engine.stall_seconds = options.stall_seconds;
    return engine;
  }

  /// Tokenizers may have more tokens than the model has rows, such as a padding token that was added and never trained.
  static std::shared_ptr<const Tokenizer> within_rows(std::shared_ptr<const Tokenizer> tokenizer, std::size_t n_rows) {
    if (tokenizer->vocab_size() <= n_rows) return tokenizer;
    return std::make_shared<const Tokenizer>(tokenizer->within(n_rows));
  }

  GenerationOptions with_store(GenerationOptions options) const {
    if (!options.kv_store) options.kv_store = kv_store_;
    return options;
  }

  std::shared_ptr<model::Engine> engine_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::shared_ptr<KvStore> kv_store_;  // may be null
  std::shared_ptr<model::Session> session_;
};

namespace detail {

inline constexpr std::size_t kPerplexityBytes = 16u << 20;  // of logits at once: some rows of any vocabulary

/// -log softmax(logits)[token], summed in double.
inline double negative_log_likelihood(std::span<const float> logits, Token token) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return std::log(sum) + largest - logits[static_cast<std::size_t>(token)];
}

}  // namespace detail

inline double LanguageModel::perplexity(std::string_view text, const model::Session::Progress& on_progress) {
  const std::vector<Token> tokens = tokenizer_->encode(text);
  tokenizer_->check_rows(tokens, "language_model");
  if (tokens.size() < 2) {
    throw ShapeError(concat("[language_model] perplexity: expected a text of 2 tokens or more, got ", tokens.size()));
  }
  const std::size_t vocab_size = config().vocab_size;
  const std::size_t window = session_->context();
  const std::size_t batch = std::clamp<std::size_t>(detail::kPerplexityBytes / (vocab_size * sizeof(float)), 1,
                                                    std::min(engine_->max_batch(), tokens.size()));
  std::vector<float> rows(batch * vocab_size);
  if (window < 2) throw ShapeError("[language_model] perplexity: expected a context of 2 or more, got 1");
  double sum = 0;
  const Turns::Turn turn = take_turn();
  for (std::size_t begin = 0; begin + 1 < tokens.size(); begin += window - 1) {
    const std::size_t end = std::min(begin + window, tokens.size());
    session_->reset();
    // The last token of a window is only a target.
    for (std::size_t at = begin; at + 1 < end;) {
      const std::size_t n = std::min(batch, end - 1 - at);
      session_->append(std::span(tokens).subspan(at, n), std::span(rows).first(n * vocab_size));
      for (std::size_t row = 0; row < n; ++row) {
        sum += detail::negative_log_likelihood(std::span(rows).subspan(row * vocab_size, vocab_size),
                                               tokens[at + row + 1]);
      }
      at += n;
      if (on_progress) on_progress(at, tokens.size() - 1);
    }
  }
  return std::exp(sum / static_cast<double>(tokens.size() - 1));
}

}  // namespace flashlm::inline v0::text
