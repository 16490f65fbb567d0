// SPDX-License-Identifier: Apache-2.0
/// json_value.hpp: JSON values from text, and when two are the same.
#pragma once

#include <concepts>
#include <optional>
#include <string_view>
#include <type_traits>

#include <nlohmann/json.hpp>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// What a call takes for JSON that is not parsed yet.
template <class T>
concept JsonText = std::convertible_to<T, std::string_view> &&
                   !std::same_as<std::remove_cvref_t<T>, nlohmann::ordered_json>;

/// `text` as a JSON value; nothing if it is none.
std::optional<nlohmann::ordered_json> parse_value(std::string_view text);

/// Whether two values are the same to JSON: members in any order, 1 and 1.0 one number.
bool same_value(const nlohmann::ordered_json& left, const nlohmann::ordered_json& right);

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/json/json_value.ipp"
#endif
