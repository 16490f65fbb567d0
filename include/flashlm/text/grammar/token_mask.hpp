// SPDX-License-Identifier: Apache-2.0
/// token_mask.hpp: which tokens may follow a text that a grammar guards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "flashlm/base/token.hpp"
#include "flashlm/text/grammar/automaton/grammar_rules.hpp"
#include "flashlm/text/grammar/automaton/grammar_states.hpp"
#include "flashlm/text/tokenizer/byte_trie.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Follows one text and says, exactly, which tokens keep it a beginning of a text of the grammar:
/// tokens that span several parts of JSON, and tokens that end within a character. Not thread-safe.
///
/// A mask has one bit a token, token i in bit i % 64 of word i / 64. Masks are kept by state, so
/// that a text within a string finds one that was made before.
class TokenMask {
 public:
  /// `ends`: the tokens that end a text; they are allowed exactly where the grammar may end.
  /// Throws FormatError if the vocabulary cannot spell any text of the grammar.
  TokenMask(std::shared_ptr<const GrammarRules> rules, std::shared_ptr<const ByteTrie> trie,
            std::span<const Token> ends, std::size_t vocab_size);

  /// Whether the text is one of the grammar.
  bool may_end() const noexcept { return states_.may_end(state_); }
  /// Whether it is, and nothing may follow.
  bool must_end() const noexcept { return states_.must_end(state_); }
  /// The same behind `bytes`.
  bool must_end(std::string_view bytes) { return states_.must_end(after(bytes)); }
  /// Whether a token is one that ends a text.
  bool is_end(Token token) const;

  /// The mask of the tokens that may follow. Valid until the next call.
  std::span<const std::uint64_t> allowed() { return mask().words; }

  /// How many may follow, and the first of them; -1 if there are none.
  std::pair<std::size_t, Token> count();

  bool is_allowed(Token token);

  /// Sets the logits of all other tokens to -inf. logits [vocab_size].
  void apply(std::span<float> logits);

  /// Appends bytes to the text. False, with nothing done, if no text of the grammar begins so.
  bool push(std::string_view bytes);

  /// The bytes that must follow, since there is no choice: as many as there are. At most
  /// kLongestForced.
  std::string forced();

  /// The tokens of a shortest text from here, or from behind `bytes`, to an end.
  std::vector<Token> to_end(std::string_view bytes = {}) { return spell(after(bytes)); }

  /// Whether behind `bytes` an end can be reached with `room` tokens.
  bool has_room(std::string_view bytes, std::size_t room);

 private:
  static constexpr std::size_t kLongestForced = 4096;
  static constexpr std::size_t kMostStateBytes = std::size_t{4} << 20;  // between masks
  static constexpr std::size_t kMostWalkBytes = std::size_t{32} << 20;  // while one is made
  static constexpr std::size_t kMostMasks = 256;
  static constexpr std::size_t kShort = 16;  // bytes

  struct Mask {
    std::vector<std::uint64_t> words;
    std::size_t count = 0;
    Token first = -1;
  };

  /// The grammar's rules. Where they want a byte that is no token by itself, they are closed:
  /// behind it a text might have no way to go on.
  static std::shared_ptr<const GrammarRules> spellable(std::shared_ptr<const GrammarRules> rules,
                                                       const ByteTrie& trie);

  std::vector<Token> spell(GrammarStates::State state);

  GrammarStates::State after(std::string_view bytes);

  const Mask& mask();

  Mask make_mask();

  bool has(const std::vector<std::uint64_t>& words, Token token) const noexcept;

  void set(std::vector<std::uint64_t>& words, Token token) const noexcept;

  /// All tokens of up to kShort bytes, or all longer ones, at once: a state for each byte of the
  /// path, and no look below a path that no text takes.
  void walk(std::vector<std::uint64_t>& words, bool long_ones);

  std::shared_ptr<const ByteTrie> trie_;
  std::shared_ptr<const GrammarRules> rules_;
  std::vector<Token> ends_;
  std::size_t vocab_size_;
  GrammarStates states_;
  GrammarStates::State state_;
  std::unordered_map<GrammarStates::State, Mask> masks_;
  std::unordered_map<std::uint32_t, std::vector<std::uint64_t>> short_tokens_;  // by kind of state
  std::vector<GrammarStates::State> path_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/token_mask.ipp"
#endif
