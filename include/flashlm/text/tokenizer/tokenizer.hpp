// SPDX-License-Identifier: Apache-2.0
/// tokenizer.hpp: text to tokens and back, by a tokenizer.json: byte-level BPE (GPT-2, Llama 3,
/// Qwen), BPE of SentencePiece (Llama 2, Mistral, Gemma) and unigram.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "flashlm/base/token.hpp"
#include "flashlm/storage/format/json.hpp"
#include "flashlm/text/tokenizer/added_tokens.hpp"
#include "flashlm/text/tokenizer/bpe.hpp"
#include "flashlm/text/tokenizer/byte_trie.hpp"
#include "flashlm/text/tokenizer/decoder.hpp"
#include "flashlm/text/tokenizer/normalizer.hpp"
#include "flashlm/text/tokenizer/pre_tokenizer.hpp"
#include "flashlm/text/tokenizer/unigram.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// How text becomes tokens.
struct EncodeOptions {
  bool parse_special = true;  // "<|im_end|>" in the text is that token; false: it is its letters
  bool add_special = true;    // with the tokens that the model wants around a text, such as BOS
};

/// A part of a text that is put together of what a program writes and of what people say.
struct TextPart {
  std::string_view text;
  bool trusted = false;  // its special tokens are tokens; else they are their letters
};

/// The tokenizer of a model. Gives the ids of the Hugging Face `tokenizers` library. Thread-safe.
class Tokenizer {
 public:
  /// Reads a tokenizer.json. Throws IoError, and FormatError for what is broken or of an unknown
  /// kind.
  static Tokenizer open(const std::filesystem::path& path);

  /// The same from memory; `name` stands for the file in errors.
  static Tokenizer parse(std::string_view json, const std::string& name = "tokenizer.json");

  /// The tokens of `text`. Broken UTF-8 is read as U+FFFD. Throws ArgumentError beyond 1 GiB.
  std::vector<Token> encode(std::string_view text, EncodeOptions options = {}) const;

  /// The tokens of the parts as one text, in which only trusted parts hold special tokens. Adds
  /// none around it.
  ///
  /// Where no part that is not trusted spells a special token, these are the tokens of the joined
  /// text. Throws as above.
  std::vector<Token> encode(std::span<const TextPart> parts) const;

  /// The text of `tokens`, without special ones if `skip_special` and without the space that
  /// SentencePiece puts before a text. Bytes that are no UTF-8 become U+FFFD.
  std::string decode(std::span<const Token> tokens, bool skip_special = false) const;

  /// The bytes of one token: possibly a part of a character; for an added token its text; the space
  /// before a text included. Empty for
  /// an id that the vocabulary lacks, because models pad their head. Throws ArgumentError below 0.
  std::string_view bytes(Token token) const;

  /// One more than the largest id.
  std::size_t vocab_size() const noexcept { return table_.size(); }

  /// The id of a token as tokenizer.json writes it, where "Ġthe" stands for " the".
  std::optional<Token> id(std::string_view written) const;

  /// Every text that is a control token where it is trusted.
  std::vector<std::string> special_tokens() const;

  /// True for control tokens. False for an id that the vocabulary lacks.
  bool is_special(Token token) const noexcept;

  /// The same for a model with rows for the first `n_rows` ids only: `trie` leaves out what it
  /// cannot take or write.
  Tokenizer within(std::size_t n_rows) const;

  bool has_row(Token token) const noexcept {
    return token < 0 || static_cast<std::size_t>(token) < n_rows_;
  }
  /// Throws ArgumentError if one of `tokens` is not `within` the model's rows. `where` names the
  /// caller.
  void check_rows(std::span<const Token> tokens, std::string_view where) const;

  /// The bytes of all tokens but the control tokens as a tree: made at the first call, shared by
  /// copies.
  std::shared_ptr<const ByteTrie> trie() const;

 private:
  struct LazyTrie {
    std::once_flag once;
    std::shared_ptr<const ByteTrie> value;
  };

  struct Entry {
    std::string bytes;
    bool used = false;
    bool special = false;
  };

  static constexpr std::size_t kMaxTextBytes = std::size_t{1} << 30;

  Tokenizer() = default;

  /// Appends the tokens of `text`, which is UTF-8.
  void encode(std::string_view text, const TrustedBytes& trusted, std::vector<Token>& tokens) const;

  /// The texts of the control tokens.
  static std::vector<std::string> special_contents(const storage::JsonField& added);

  void read_added_tokens(const storage::JsonField& field);

  void fill_table(const storage::JsonField& added);

  void read_post_processor(const storage::JsonField& field, int depth);

  void read_template(const storage::JsonField& field);

  /// The tokens as tokenizer.json writes them, by their ids; and the id of one.
  const TokenMap& vocabulary() const;
  std::optional<Token> model_id(std::string_view written) const;

  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  Decoder decoder_;
  std::variant<Bpe, Unigram> model_;
  AddedTokens added_;
  std::vector<Entry> table_;              // by id
  std::size_t n_rows_ = ~std::size_t{0};  // ids that the model has a row for
  std::vector<Token> prefix_;             // added under add_special
  std::vector<Token> suffix_;
  std::shared_ptr<LazyTrie> trie_ = std::make_shared<LazyTrie>();
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/tokenizer/tokenizer.ipp"
#endif
