// SPDX-License-Identifier: Apache-2.0
/// tokenizer.ipp: the bodies of tokenizer.hpp.
#pragma once

#include "flashlm/text/tokenizer/tokenizer.hpp"

#include <algorithm>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/text/unicode/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_ONCE Tokenizer Tokenizer::open(const std::filesystem::path& path) {
  return parse(storage::read_text(path), path.string());
}

FLASHLM_ONCE Tokenizer Tokenizer::parse(std::string_view json, const std::string& name) {
  const storage::Json document = storage::parse_foreign_json(json, "tokenizer", name);
  const storage::JsonField root(document, "tokenizer", name);
  Tokenizer result;
  result.normalizer_ = Normalizer::parse(root["normalizer"]);
  result.pre_tokenizer_ = PreTokenizer::parse(root["pre_tokenizer"]);
  result.decoder_ = Decoder::parse(root["decoder"]);
  const bool of_bytes = result.pre_tokenizer_.is_byte_level();
  if (of_bytes != result.decoder_.is_byte_level())
    root["decoder"].wrong(of_bytes ? "ByteLevel, as the pre-tokenizer is"
                                   : "no ByteLevel, since the pre-tokenizer is none");
  const storage::JsonField model = root["model"];
  const bool is_unigram = !model["type"].is_null() && model["type"].string() == "Unigram";
  if (is_unigram && of_bytes) root["pre_tokenizer"].wrong("no ByteLevel for a Unigram");
  if (is_unigram) {
    result.model_ = Unigram::parse(model, special_contents(root["added_tokens"]));
  } else {
    result.model_ = Bpe::parse(model, of_bytes);
  }
  result.read_added_tokens(root["added_tokens"]);
  result.fill_table(root["added_tokens"]);
  result.read_post_processor(root["post_processor"], 0);
  return result;
}

FLASHLM_INLINE std::vector<Token> Tokenizer::encode(std::string_view text,
                                                    EncodeOptions options) const {
  if (text.size() > kMaxTextBytes) {
    throw ArgumentError(
        concat("[tokenizer] text: expected at most ", kMaxTextBytes, " bytes, got ", text.size()));
  }
  if (!is_utf8(text)) return encode(utf8_lossy(text), options);
  std::vector<Token> tokens;
  if (options.add_special) tokens = prefix_;
  encode(text, TrustedBytes(options.parse_special), tokens);
  if (options.add_special) tokens.insert(tokens.end(), suffix_.begin(), suffix_.end());
  return tokens;
}

FLASHLM_INLINE std::vector<Token> Tokenizer::encode(std::span<const TextPart> parts) const {
  std::string text;
  TrustedBytes trusted(false);
  for (const TextPart& part : parts) {
    const std::size_t begin = text.size();
    text += is_utf8(part.text) ? std::string(part.text) : utf8_lossy(part.text);
    if (text.size() > kMaxTextBytes) {
      throw ArgumentError(
          concat("[tokenizer] text: expected at most ", kMaxTextBytes, " bytes, got more"));
    }
    if (part.trusted) trusted.add(begin, text.size());
  }
  std::vector<Token> tokens;
  encode(text, trusted, tokens);
  return tokens;
}

FLASHLM_INLINE std::string Tokenizer::decode(std::span<const Token> tokens,
                                             bool skip_special) const {
  std::string joined;
  std::size_t first = 0;  // bytes of the first token
  for (const Token token : tokens) {
    if (skip_special && is_special(token)) continue;
    joined += bytes(token);
    if (first == 0) first = joined.size();
  }
  joined.erase(0, decoder_.stripped(joined, first));
  return is_utf8(joined) ? joined : utf8_lossy(joined);
}

FLASHLM_INLINE std::string_view Tokenizer::bytes(Token token) const {
  if (token < 0)
    throw ArgumentError(concat("[tokenizer] token: expected an id of at least 0, got ", token));
  return static_cast<std::size_t>(token) < table_.size()
             ? table_[static_cast<std::size_t>(token)].bytes
             : std::string_view();
}

FLASHLM_INLINE std::optional<Token> Tokenizer::id(std::string_view written) const {
  for (const AddedToken& token : added_.tokens()) {
    if (token.content == written) return token.id;
  }
  return model_id(written);
}

FLASHLM_INLINE const TokenMap& Tokenizer::vocabulary() const {
  return std::visit([](const auto& model) -> const TokenMap& { return model.vocabulary(); },
                    model_);
}

FLASHLM_INLINE std::optional<Token> Tokenizer::model_id(std::string_view written) const {
  return std::visit([&](const auto& model) { return model.id(written); }, model_);
}

FLASHLM_ONCE std::vector<std::string> Tokenizer::special_tokens() const {
  std::vector<std::string> texts;
  for (const AddedToken& token : added_.tokens()) {
    if (token.special) texts.push_back(token.content);
  }
  return texts;
}

FLASHLM_INLINE bool Tokenizer::is_special(Token token) const noexcept {
  return token >= 0 && static_cast<std::size_t>(token) < table_.size() &&
         table_[static_cast<std::size_t>(token)].special;
}

FLASHLM_ONCE Tokenizer Tokenizer::within(std::size_t n_rows) const {
  Tokenizer result = *this;
  result.n_rows_ = n_rows;
  result.trie_ = std::make_shared<LazyTrie>();
  return result;
}

FLASHLM_ONCE void Tokenizer::check_rows(std::span<const Token> tokens,
                                        std::string_view where) const {
  for (const Token token : tokens) {
    if (has_row(token)) continue;
    throw ArgumentError(concat("[", where,
                               "] text: expected tokens that the model has a row for, ids below ",
                               n_rows_, ", got ", token, ", which is '", bytes(token),
                               "'. The model was not trained with it: leave it out."));
  }
}

FLASHLM_ONCE std::shared_ptr<const ByteTrie> Tokenizer::trie() const {
  std::call_once(trie_->once, [&] {
    std::vector<std::pair<std::string_view, Token>> tokens;
    for (std::size_t index = 0; index < std::min(table_.size(), n_rows_); ++index) {
      if (!table_[index].special)
        tokens.emplace_back(table_[index].bytes, static_cast<Token>(index));
    }
    trie_->value = std::make_shared<const ByteTrie>(std::move(tokens));
  });
  return trie_->value;
}

FLASHLM_INLINE void Tokenizer::encode(std::string_view text, const TrustedBytes& trusted,
                                      std::vector<Token>& tokens) const {
  const auto take = [&](Token token) { tokens.push_back(token); };
  std::visit(
      [&](const auto& model) {
        const auto cut = [&](std::string_view piece, bool begins) {
          pre_tokenizer_.split(piece, begins,
                               [&](std::string_view word) { model.encode(word, tokens); });
        };
        if (normalizer_.is_identity()) {
          added_.split(text, trusted, [](std::string_view piece) { return piece; }, cut, take);
        } else {
          const auto normal = [&](std::string_view piece) { return normalizer_.run(piece); };
          added_.split(text, trusted, normal, cut, take);
        }
      },
      model_);
}

FLASHLM_ONCE std::vector<std::string> Tokenizer::special_contents(const storage::JsonField& added) {
  std::vector<std::string> contents;
  const auto read = [&](const storage::JsonField& entry) {
    if (entry["special"].flag(false)) contents.push_back(entry["content"].word());
  };
  if (!added.is_null()) added.elements(read);
  return contents;
}

FLASHLM_ONCE void Tokenizer::read_added_tokens(const storage::JsonField& field) {
  std::vector<AddedToken> tokens;
  const auto read = [&](const storage::JsonField& entry) {
    AddedToken token;
    token.id = static_cast<Token>(entry["id"].count(0, kMaxTokens - 1));
    token.content = entry["content"].word();
    token.special = entry["special"].flag(false);
    token.single_word = entry["single_word"].flag(false);
    token.lstrip = entry["lstrip"].flag(false);
    token.rstrip = entry["rstrip"].flag(false);
    token.normalized = entry["normalized"].flag(!token.special);
    const std::optional<Token> same = model_id(token.content);
    if (same && *same != token.id) entry["id"].wrong(concat(*same, ", the id in model.vocab"));
    tokens.push_back(std::move(token));
  };
  if (!field.is_null()) field.elements(read);
  added_ = AddedTokens(std::move(tokens),
                       [&](std::string_view content) { return normalizer_.run(content); });
}

FLASHLM_ONCE void Tokenizer::fill_table(const storage::JsonField& added) {
  Token largest = -1;
  const std::size_t count = vocabulary().size() + added_.tokens().size();
  for (const auto& [written, token] : vocabulary()) largest = std::max(largest, token);
  for (const AddedToken& token : added_.tokens()) largest = std::max(largest, token.id);
  // A table with a few holes is fine; a small file may not ask for a large one.
  if (static_cast<std::size_t>(largest + 1) > 8 * count + 65536) {
    added.refuse(
        concat("expected ids of about the number of tokens, which is ", count, ", got ", largest));
  }
  table_.resize(static_cast<std::size_t>(largest + 1));
  for (const auto& [written, token] : vocabulary()) {
    table_[static_cast<std::size_t>(token)] = {decoder_.bytes(written), true, false};
  }
  for (std::size_t index = 0; index < added_.tokens().size(); ++index) {
    const AddedToken& token = added_.tokens()[index];
    Entry& entry = table_[static_cast<std::size_t>(token.id)];
    if (entry.used && model_id(token.content) != token.id && entry.bytes != token.content) {
      added.at(index)["id"].wrong("an id that no other token has");
    }
    const bool as_piece = token.normalized && !decoder_.is_byte_level();
    entry = {as_piece ? decoder_.bytes(normalizer_.run(token.content)) : token.content, true,
             token.special};
  }
}

FLASHLM_ONCE void Tokenizer::read_post_processor(const storage::JsonField& field, int depth) {
  if (field.is_null()) return;
  const std::string& type = field["type"].string();
  if (type == "ByteLevel") return;  // changes offsets only
  if (type == "Sequence" && depth < 8) {
    field["processors"].elements(
        [&](const storage::JsonField& part) { read_post_processor(part, depth + 1); });
  } else if (type == "TemplateProcessing") {
    read_template(field);
  } else {
    field["type"].wrong("ByteLevel, TemplateProcessing or a Sequence of them");
  }
}

FLASHLM_ONCE void Tokenizer::read_template(const storage::JsonField& field) {
  const storage::JsonField single = field["single"];
  std::vector<Token> prefix;
  std::vector<Token> suffix;
  bool seen = false;
  single.elements([&](const storage::JsonField& part) {
    if (!part["Sequence"].is_null()) {
      if (seen) part.wrong("the text once");
      seen = true;
      return;
    }
    const std::string& name = part["SpecialToken"]["id"].string();
    field["special_tokens"][name]["ids"].elements([&](const storage::JsonField& id) {
      if (table_.empty()) id.wrong("an id of the vocabulary, which is empty");
      (seen ? suffix : prefix).push_back(static_cast<Token>(id.count(0, table_.size() - 1)));
    });
  });
  if (!seen) single.wrong("the text once");
  prefix_.insert(prefix_.begin(), prefix.begin(), prefix.end());
  suffix_.insert(suffix_.end(), suffix.begin(), suffix.end());
}

}  // namespace flashlm::inline FLASHLM_ABI::text
