// SPDX-License-Identifier: Apache-2.0
/// options.hpp: what each option of opening a model and of continuing a text is called, may be and
/// is for, said once.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// What one option is called in every language, what it may be, and what it is for.
struct OptionText {
  std::string_view name;
  std::string_view doc;      // its first sentence alone is enough for a command line
  std::string_view words{};  // what a text may be, such as "auto, threads, uring"; empty: anything
  std::uint64_t least = 0;   // of whole numbers
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  bool zero_is_none = false;  // 0 leaves the choice to the model or the system
  bool measures = false;      // for those who measure and test
};

/// One option, with its place in a struct.
///
/// `of(options)` is the member of any struct that has it; what it is by default stands there, and
/// only there.
template <class Of>
struct Option : OptionText {
  Of of;
};

template <class Of>
constexpr Option<Of> make_option(Of of, const OptionText& text) {
  return {text, of};
}

/// The options of LanguageModelOptions, hooks left out.
inline constexpr std::tuple kOpeningOptions{
    make_option(
        [](auto& o) -> decltype((o.memory)) { return o.memory; },
        {.name = "memory",
         .doc = "How much DRAM the model may take: \"auto\", \"4GiB\" or \"50%\". \"auto\" is what "
                "the machine and its "
                "control groups can spare now; bytes are everything that flashlm allocates; a "
                "share is one of the "
                "packed weights, with the KV cache and scratch on top. \"auto\" leaves a tenth of "
                "what is free, and at "
                "least 1 GiB or a quarter of a smaller limit; memory_plan.limit has the numbers."}),
    make_option([](auto& o) -> decltype((o.selector)) { return o.selector; },
                {.name = "selector",
                 .doc = "Which neurons a token needs. \"dense\": all of them. \"predictor\": those "
                        "that a trained guess names "
                        "(`flashlm.train`). \"gate\": all that can fire, with dense's result, for "
                        "models of the ReLU family. "
                        "\"threshold\": those with a large gate, which is lossy "
                        "(`flashlm.add_thresholds`). The last three "
                        "need a model packed with neurons_per_bundle=1. \"auto\" is the predictor "
                        "where the folder has one, "
                        "else dense.",
                 .words = "auto, dense, predictor, gate, threshold"}),
    make_option([](auto& o) -> decltype((o.context)) { return o.context; },
                {.name = "context",
                 .doc = "Tokens of a text that fit; by default the model's, 4096 at most, and "
                        "fewer where memory holds no "
                        "more.",
                 .least = 1,
                 .most = 0x7fffffff,
                 .zero_is_none = true}),
    make_option([](auto& o) -> decltype((o.parallel)) { return o.parallel; },
                {.name = "parallel",
                 .doc = "Sessions that have room from the start, the model's own among them. Each "
                        "further one takes the place "
                        "of weights, unless there is memory to spare.",
                 .least = 1,
                 .most = 0x7fffffff}),
    make_option([](auto& o) -> decltype((o.n_threads)) { return o.n_threads; },
                {.name = "threads",
                 .doc = "Threads that compute, 1 to 1024; by default one per core. More than cores "
                        "are slower, not wrong.",
                 .least = 1,
                 .most = 1024,
                 .zero_is_none = true}),
    make_option([](auto& o) -> decltype((o.reader)) { return o.reader; },
                {.name = "reader",
                 .doc = "How flash is read: \"auto\", \"threads\" or \"uring\".",
                 .words = "auto, threads, uring"}),
    make_option([](auto& o) -> decltype((o.policy)) { return o.policy; },
                {.name = "policy",
                 .doc = "Which of the chosen neurons leave DRAM first. Those of the oldest token "
                        "(\"window\"), the least "
                        "recently used (\"lru\"), the least often used (\"frequency\"), or both in "
                        "one (\"combined\", which "
                        "\"auto\" is); \"none\" keeps nothing. None of these changes a result. "
                        "\"paper\" does: it is the cache "
                        "of arXiv:2312.11514, which multiplies whatever neurons the last tokens "
                        "left in DRAM, so that a text "
                        "depends on what was read before, on memory, and on how a prompt was cut.",
                 .words = "auto, combined, window, lru, frequency, paper, none"}),
    make_option([](auto& o) -> decltype((o.window)) { return o.window; },
                {.name = "window",
                 .doc = "Tokens whose neurons stay, for the policies \"window\" and \"paper\". By "
                        "default as many as fit, and "
                        "with \"paper\" 5 at most. With the selector dense neither may be given.",
                 .least = 1,
                 .most = 0x7fffffff}),
    make_option(
        [](auto& o) -> decltype((o.lock_memory)) { return o.lock_memory; },
        {.name = "lock_memory",
         .doc =
             "Keeps all memory of the model out of swap. The system limits that (`ulimit -l`)."}),
    make_option([](auto& o) -> decltype((o.kv_store)) { return o.kv_store; },
                {.name = "kv_store",
                 .doc = "A folder where prompts stay computed, for this process and later ones. It "
                        "holds what the model has "
                        "read, for this user's eyes only."}),
    make_option(
        [](auto& o) -> decltype((o.kv_store_bytes)) { return o.kv_store_bytes; },
        {.name = "kv_store_bytes",
         .doc =
             "What that folder may hold, of all models; what was not used for longest goes first.",
         .least = 1,
         .most = 0x7fffffffffffffff}),
    make_option(
        [](auto& o) -> decltype((o.neuron_reads.bundled)) { return o.neuron_reads.bundled; },
        {.name = "bundled",
         .doc = "False reads each matrix of a neuron on its own, to measure what bundles save.",
         .measures = true}),
    make_option([](auto& o) -> decltype((
                                o.neuron_reads.merge_bytes)) { return o.neuron_reads.merge_bytes; },
                {.name = "merge_bytes",
                 .doc = "Neurons with a gap of at most so many bytes between them are one read.",
                 .measures = true}),
    make_option([](auto& o) -> decltype((o.max_batch)) { return o.max_batch; },
                {.name = "max_batch",
                 .doc = "Tokens of a prompt that share one pass over the weights.",
                 .least = 1,
                 .measures = true}),
    make_option([](auto& o) -> decltype((o.governed)) { return o.governed; },
                {.name = "governed",
                 .doc = "Gives weights back when memory becomes short.",
                 .measures = true}),
    make_option([](auto& o) -> decltype((o.stall_seconds)) { return o.stall_seconds; },
                {.name = "stall_seconds",
                 .doc = "Warns after so long without an answer of the device.",
                 .measures = true})};

/// The options of GenerationOptions that are values.
inline constexpr std::tuple kGenerationOptions{
    make_option([](auto& o) -> decltype((o.max_new_tokens)) { return o.max_new_tokens; },
                {.name = "max_new_tokens",
                 .doc = "Ends after so many tokens.",
                 .most = 0x7fffffffffffffff}),
    make_option([](auto& o) -> decltype((o.temperature)) { return o.temperature; },
                {.name = "temperature",
                 .doc = "0 takes the likeliest token; more than 0 draws, the flatter the higher."}),
    make_option([](auto& o) -> decltype((o.top_k)) { return o.top_k; },
                {.name = "top_k",
                 .doc = "Draws from the likeliest k tokens only; 0 for all.",
                 .most = 0x7fffffff}),
    make_option([](auto& o) -> decltype((o.top_p)) { return o.top_p; },
                {.name = "top_p",
                 .doc = "Draws from the likeliest tokens that together have this probability."}),
    make_option(
        [](auto& o) -> decltype((o.min_p)) { return o.min_p; },
        {.name = "min_p",
         .doc =
             "Draws from the tokens with at least this share of the likeliest one's probability."}),
    make_option([](auto& o) -> decltype((o.repetition_penalty)) { return o.repetition_penalty; },
                {.name = "repetition_penalty",
                 .doc = "Above 1 makes tokens of the text so far less likely."}),
    make_option([](auto& o) -> decltype((o.seed)) { return o.seed; },
                {.name = "seed", .doc = "The same seed draws the same tokens."}),
    make_option([](auto& o) -> decltype((o.stop)) { return o.stop; },
                {.name = "stop", .doc = "Ends before the first of these texts."}),
    make_option([](auto& o) -> decltype((o.parse_special)) { return o.parse_special; },
                {.name = "parse_special",
                 .doc = "Reads special tokens in the prompt, such as `<|im_end|>`, as such."}),
    make_option(
        [](auto& o) -> decltype((o.add_special)) { return o.add_special; },
        {.name = "add_special", .doc = "Adds the tokens that the tokenizer puts around a text."}),
    make_option([](auto& o) -> decltype((o.on_prefill)) { return o.on_prefill; },
                {.name = "on_prefill",
                 .doc = "Told after each batch of the prompt how many of its tokens are computed, "
                        "and of how many."}),
    make_option(
        [](auto& o) -> decltype((o.grammar)) { return o.grammar; },
        {.name = "grammar",
         .doc =
             "The text is always one of these. Near max_new_tokens the shortest end is taken."})};

/// Calls visit(option) for every option of a table, in its order.
template <class Table, class Visit>
constexpr void visit_options(const Table& table, Visit&& visit) {
  std::apply([&](const auto&... option) { (visit(option), ...); }, table);
}

/// Whether `text` is one of some words, which ", " separates.
bool is_word(std::string_view text, std::string_view words);

/// "auto, dense or gate" of "auto, dense, gate".
std::string listed(std::string_view words);

/// Throws ArgumentError, naming `where`, for the first option that is none of its words, or a whole
/// number outside its range.
template <class Table, class Options>
void check_options(const Table& table, const Options& options, std::string_view where) {
  visit_options(table, [&](const auto& option) {
    const auto& value = option.of(options);
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::same_as<Value, std::string>) {
      if (option.words.empty() || is_word(value, option.words)) return;
      throw ArgumentError(concat('[', where, "] ", option.name, ": expected ", listed(option.words),
                                 ", got '", value, "'"));
    } else if constexpr (std::integral<Value> && !std::same_as<Value, bool>) {
      if (option.zero_is_none && value == 0) return;
      if (std::cmp_greater_equal(value, option.least) && std::cmp_less_equal(value, option.most))
        return;
      throw ArgumentError(concat('[', where, "] ", option.name, ": expected ", option.least, " to ",
                                 option.most, ", got ", value));
    }
  });
}

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/options.ipp"
#endif
