// SPDX-License-Identifier: Apache-2.0
/// vocabulary.hpp: the tokens of a model by how they are written.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "flashlm/base/token.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

namespace detail {

/// Lets a map of strings be asked with a string_view.
struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>()(text);
  }
};

}  // namespace detail

/// From a string to its id.
using TokenMap = std::unordered_map<std::string, Token, detail::StringHash, std::equal_to<>>;

/// An id is below this: embeddings with more rows than that do not exist.
inline constexpr std::uint64_t kMaxTokens = std::uint64_t{1} << 24;

/// The byte that a token such as <0x0A> stands for.
std::optional<char> byte_of(std::string_view written);

/// The ids of <0x00> to <0xFF>, -1 where there is none.
std::array<Token, 256> byte_tokens(const TokenMap& vocabulary);

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/tokenizer/vocabulary.ipp"
#endif
