// SPDX-License-Identifier: Apache-2.0
/// added_tokens.hpp: tokens that are found in the text itself, before it is cut into words:
/// <|im_start|> and its like.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "flashlm/base/token.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// One of the `added_tokens` of a tokenizer.json.
struct AddedToken {
  Token id = 0;
  std::string content;
  bool special = false;      // a control token: text that is not trusted may not make one
  bool single_word = false;  // found only where no word character touches it
  bool lstrip = false;       // swallows the whitespace before it
  bool rstrip = false;       // swallows the whitespace after it
  bool normalized = false;   // found in a second pass
};

/// The parts of a text whose special tokens are meant: what a chat format writes, and not what
/// people say.
///
/// Ranges of bytes by rising place; none overlaps another.
class TrustedBytes {
 public:
  /// All of a text, or nothing of it.
  explicit TrustedBytes(bool everything = true);

  /// Trusts the bytes from `begin` to `end`, which come after all that were added before.
  void add(std::size_t begin, std::size_t end);

  /// Where the trusted range around `place` ends; `place` itself if there is none.
  std::size_t end(std::size_t place) const noexcept;

  /// Where the first trusted range after `place` begins.
  std::size_t next_begin(std::size_t place) const noexcept;

 private:
  using Ranges = std::vector<std::pair<std::size_t, std::size_t>>;

  /// The first range that begins after `place`.
  Ranges::const_iterator next(std::size_t place) const noexcept;

  Ranges ranges_;
};

/// Finds added tokens: at each place the longest, from left to right, first those that are not
/// `normalized`. Thread-safe.
class AddedTokens {
 public:
  AddedTokens() = default;

  /// `normalize` gives the normal form of a text, empty: the text itself. That of the tokens that
  /// are `normalized` is what is looked for.
  explicit AddedTokens(std::vector<AddedToken> tokens,
                       const std::function<std::string(std::string_view)>& normalize = {});

  const std::vector<AddedToken>& tokens() const noexcept { return tokens_; }

  /// Calls `on_text(std::string_view, bool begins)` and `on_token(Token)` for the parts of `text`
  /// in order, `begins` being true for what begins the text. `normalize(std::string_view)` gives
  /// the normal form of a part, in which the second pass looks.
  ///
  /// Special ones are found only where every byte of them is trusted; in a part that `normalize`
  /// changes, only if all of it is. `text` is well-formed UTF-8.
  template <class Normalize, class OnText, class OnToken>
  void split(std::string_view text, const TrustedBytes& trusted, Normalize&& normalize,
             OnText&& on_text, OnToken&& on_token) const {
    pass(
        first_, text, 0, trusted,
        [&](std::string_view piece) {
          const auto normal = normalize(piece);
          const std::string_view changed = normal;
          const auto place = static_cast<std::size_t>(piece.data() - text.data());
          const auto put = [&](std::string_view part) {
            on_text(part, place == 0 && part.data() == changed.data());
          };
          if (changed == piece) {
            pass(second_, changed, place, trusted, put, on_token);
          } else {
            const bool whole = trusted.end(place) >= place + piece.size();
            pass(second_, changed, 0, TrustedBytes(whole), put, on_token);
          }
        },
        on_token);
  }

 private:
  /// A prefix tree of byte strings; the children of a node are a list.
  struct Trie {
    struct Node {
      std::int32_t first_child = -1;
      std::int32_t next_sibling = -1;
      std::int32_t value = -1;  // of the string that ends here
      char byte = 0;
    };

    std::int32_t child(std::int32_t node, char byte) const noexcept;

    /// The first value added for a string stays.
    void add(std::string_view text, std::int32_t value);

    /// The value and the length of the longest string that `text` begins with; -1 if none.
    std::pair<std::int32_t, std::size_t> longest(std::string_view text) const noexcept;

    std::vector<Node> nodes = std::vector<Node>(1);
  };

  static bool begins_with_word(std::string_view text) noexcept;
  static bool ends_with_word(std::string_view text) noexcept;
  static std::size_t last_character(std::string_view text) noexcept;
  static std::size_t spaces_at_begin(std::string_view text) noexcept;
  static std::size_t begin_of_last_spaces(std::string_view text) noexcept;

  bool is_special(std::int32_t index) const noexcept;

  /// `text` lies `offset` bytes behind the beginning of what `trusted` counts in.
  template <class OnText, class OnToken>
  void pass(const Trie& trie, std::string_view text, std::size_t offset,
            const TrustedBytes& trusted, OnText&& on_text, OnToken&& on_token) const {
    std::size_t done = 0;
    for (std::size_t position = 0; position < text.size();) {
      auto [value, length] = trie.longest(text.substr(position));
      if (is_special(value)) {
        const std::size_t place = offset + position;
        const std::size_t end = trusted.end(place);
        if (end == place) {
          position += std::min(length, trusted.next_begin(place) - place);
          continue;
        }
        if (end - place < length)
          std::tie(value, length) = trie.longest(text.substr(position, end - place));
      }
      if (value < 0) {
        ++position;
        continue;
      }
      // A match that is refused is passed over as a whole, as in `tokenizers`.
      std::size_t begin = position;
      std::size_t end = position + length;
      position = end;
      const AddedToken& token = tokens_[static_cast<std::size_t>(value)];
      if (token.single_word &&
          (ends_with_word(text.substr(0, begin)) || begins_with_word(text.substr(end))))
        continue;
      if (token.lstrip) begin = std::max(begin_of_last_spaces(text.substr(0, begin)), done);
      // White space that the token before has swallowed is gone, and makes no token that would
      // swallow it too. (Where it was more than this token, `tokenizers` panics.)
      if (begin >= end) continue;
      if (token.rstrip) end += spaces_at_begin(text.substr(end));
      if (done < begin) on_text(text.substr(done, begin - done));
      on_token(token.id);
      done = end;
    }
    if (done != text.size()) on_text(text.substr(done));
  }

  std::vector<AddedToken> tokens_;
  Trie first_;
  Trie second_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/tokenizer/added_tokens.ipp"
#endif
