// SPDX-License-Identifier: Apache-2.0
/// language_model.ipp: the bodies of language_model.hpp.
#pragma once

#include "flashlm/text/language_model.hpp"

#include <algorithm>
#include <cmath>
#include <thread>
#include <type_traits>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/base/process.hpp"
#include "flashlm/base/units.hpp"
#include "flashlm/model/engine.hpp"
#include "flashlm/model/graph/model.hpp"
#include "flashlm/model/plan/memory_needs.hpp"
#include "flashlm/text/options.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE LanguageModel LanguageModel::open(const std::filesystem::path& folder,
                                                 LanguageModelOptions options) {
  model::EngineOptions engine = engine_options(options);
  engine.on_progress = std::move(options.on_progress);
  engine.on_wait = std::move(options.on_wait);
  if (options.on_warning) {
    engine.on_stall = [warn = options.on_warning](const storage::Stall& stall) {
      warn(concat("[reader] no answer for ", stall.seconds, " s: ", stall.bytes, " bytes at ",
                  stall.offset, " (", stall.path, "). Is the device busy, or failing?"));
    };
  }
  auto tokenizer = std::make_shared<const Tokenizer>(Tokenizer::open(folder / "tokenizer.json"));
  std::shared_ptr<KvStore> store;
  if (!options.kv_store.empty()) {
    store = std::make_shared<KvStore>(options.kv_store, options.kv_store_bytes,
                                      std::move(options.on_warning));
  }
  auto opened = model::Model::open(folder, options.selector, options.manifest);
  return {std::shared_ptr<model::Engine>(new model::Engine(std::move(opened), std::move(engine)),
                                         DeleteUnlessTorn()),
          std::move(tokenizer), std::move(store)};
}

FLASHLM_INLINE model::MemoryPlan LanguageModel::plan(const std::filesystem::path& folder,
                                                     const LanguageModelOptions& options) {
  return model::plan_memory(*model::Model::open(folder, options.selector, options.manifest),
                            engine_options(options));
}

FLASHLM_INLINE std::size_t LanguageModel::largest_context(const std::filesystem::path& folder,
                                                          const LanguageModelOptions& options) {
  return model::largest_context(*model::Model::open(folder, options.selector, options.manifest),
                                engine_options(options));
}

FLASHLM_INLINE LanguageModel::LanguageModel(std::shared_ptr<model::Engine> engine,
                                            std::shared_ptr<const Tokenizer> tokenizer,
                                            std::shared_ptr<KvStore> kv_store)
    : engine_(std::move(engine)),
      tokenizer_(within_rows(std::move(tokenizer), engine_->spec().vocab_size)),
      kv_store_(std::move(kv_store)),
      session_(session()) {}

FLASHLM_INLINE Generation LanguageModel::stream(std::string_view prompt,
                                                GenerationOptions options) {
  return {session_, tokenizer_, prompt, with_store(std::move(options))};
}

FLASHLM_INLINE Generation LanguageModel::stream(const std::shared_ptr<model::Session>& session,
                                                std::string_view prompt,
                                                GenerationOptions options) const {
  return {session, tokenizer_, prompt, with_store(std::move(options))};
}

FLASHLM_INLINE Generation LanguageModel::stream(std::vector<Token> prompt,
                                                GenerationOptions options) {
  return {session_, tokenizer_, std::move(prompt), with_store(std::move(options))};
}

FLASHLM_INLINE Generation LanguageModel::stream(const std::shared_ptr<model::Session>& session,
                                                std::vector<Token> prompt,
                                                GenerationOptions options) const {
  return {session, tokenizer_, std::move(prompt), with_store(std::move(options))};
}

FLASHLM_INLINE std::string LanguageModel::generate(std::string_view prompt,
                                                   GenerationOptions options) {
  return stream(prompt, std::move(options)).rest();
}

FLASHLM_INLINE Turns::Turn LanguageModel::take_turn() const {
  return Turns::Turn(session_->turns(), engine_->on_wait());
}

FLASHLM_INLINE const model::ModelSpec& LanguageModel::spec() const noexcept {
  return engine_->spec();
}

FLASHLM_INLINE model::MemoryPlan LanguageModel::memory_plan() const {
  return engine_->memory_plan();
}

FLASHLM_INLINE std::shared_ptr<model::Session> LanguageModel::session() const {
  return {new model::Session(engine_), DeleteUnlessTorn()};
}

FLASHLM_INLINE std::shared_ptr<model::Session> LanguageModel::load_session(
    const std::filesystem::path& path) const {
  auto loaded = session();
  loaded->load(path);
  return loaded;
}

FLASHLM_INLINE std::vector<float> LanguageModel::logits(
    std::span<const Token> tokens, const model::Session::Progress& on_progress) {
  const Turns::Turn turn = take_turn();
  std::vector<float> rows(tokens.size() * spec().vocab_size);
  session_->score(tokens, rows, on_progress);
  return rows;
}

FLASHLM_INLINE void LanguageModel::collect(std::span<const Token> tokens, Observer observer) {
  struct Observing {
    ~Observing() { engine.observe({}); }
    model::Engine& engine;
  };
  const Turns::Turn turn = take_turn();
  // Other sessions may step between two batches of this one, in threads of their own.
  engine_->observe([&observer, mine = std::this_thread::get_id()](
                       std::size_t layer, std::size_t n_tokens, std::span<const float> x,
                       std::span<const float> h) {
    if (std::this_thread::get_id() == mine) observer(layer, n_tokens, x, h);
  });
  const Observing observing{*engine_};
  session_->reset();
  session_->extend(tokens);
}

FLASHLM_INLINE model::EngineOptions LanguageModel::engine_options(
    const LanguageModelOptions& options) {
  check_options(kOpeningOptions, options, "language_model");
  model::EngineOptions engine;
  visit_options(kOpeningOptions, [&](const auto& option) {
    if constexpr (requires { option.of(engine); }) {
      using Here = std::remove_cvref_t<decltype(option.of(options))>;
      if constexpr (std::is_same_v<Here, std::remove_cvref_t<decltype(option.of(engine))>>) {
        option.of(engine) = option.of(options);
      }
    }
  });
  engine.memory = parse_memory(options.memory);  // a text here, a size there
  engine.sensor = options.sensor;
  return engine;
}

FLASHLM_INLINE std::shared_ptr<const Tokenizer> LanguageModel::within_rows(
    std::shared_ptr<const Tokenizer> tokenizer, std::size_t n_rows) {
  if (tokenizer->vocab_size() <= n_rows) return tokenizer;
  return std::make_shared<const Tokenizer>(tokenizer->within(n_rows));
}

FLASHLM_INLINE GenerationOptions LanguageModel::with_store(GenerationOptions options) const {
  if (!options.kv_store) options.kv_store = kv_store_;
  return options;
}

namespace detail {

inline constexpr std::size_t kPerplexityBytes =
    16u << 20;  // of logits at once: some rows of any vocabulary

/// -log softmax(logits)[token], summed in double.
inline double negative_log_likelihood(std::span<const float> logits, Token token) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return std::log(sum) + largest - logits[static_cast<std::size_t>(token)];
}

}  // namespace detail

FLASHLM_INLINE double LanguageModel::perplexity(std::string_view text,
                                                const model::Session::Progress& on_progress) {
  const std::vector<Token> tokens = tokenizer_->encode(text);
  tokenizer_->check_rows(tokens, "language_model");
  if (tokens.size() < 2) {
    throw ShapeError(concat(
        "[language_model] perplexity: expected a text of 2 tokens or more, got ", tokens.size()));
  }
  const std::size_t vocab_size = spec().vocab_size;
  const std::size_t window = session_->context();
  const std::size_t batch =
      std::clamp<std::size_t>(detail::kPerplexityBytes / (vocab_size * sizeof(float)), 1,
                              std::min(engine_->max_batch(), tokens.size()));
  std::vector<float> rows(batch * vocab_size);
  if (window < 2)
    throw ShapeError("[language_model] perplexity: expected a context of 2 or more, got 1");
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
        sum += detail::negative_log_likelihood(
            std::span(rows).subspan(row * vocab_size, vocab_size), tokens[at + row + 1]);
      }
      at += n;
      if (on_progress) on_progress(at, tokens.size() - 1);
    }
  }
  return std::exp(sum / static_cast<double>(tokens.size() - 1));
}

}  // namespace flashlm::inline FLASHLM_ABI::text
