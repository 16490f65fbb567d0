// SPDX-License-Identifier: Apache-2.0
/// json_value.hpp: JSON values from text, and when two are the same.
#pragma once

#include <concepts>
#include <optional>
#include <string_view>
#include <type_traits>

#include <nlohmann/json.hpp>

namespace flashlm::inline v0::text {

/// What a call takes for JSON that is not parsed yet.
template <class T>
concept JsonText =
    std::convertible_to<T, std::string_view> && !std::same_as<std::remove_cvref_t<T>, nlohmann::ordered_json>;

/// `text` as a JSON value; nothing if it is none.
inline std::optional<nlohmann::ordered_json> parse_value(std::string_view text) {
  auto parsed = nlohmann::ordered_json::parse(text.begin(), text.end(), nullptr, false);
  if (parsed.is_discarded()) return std::nullopt;
  return parsed;
}

/// Whether two values are the same to JSON: members in any order, 1 and 1.0 one number.
inline bool same_value(const nlohmann::ordered_json& left, const nlohmann::ordered_json& right) {
  if (!left.is_structured() || left.type() != right.type()) return left == right;
  if (left.size() != right.size()) return false;
  for (auto each = left.begin(); each != left.end(); ++each) {
    if (left.is_array()) {
      if (!same_value(*each, right[static_cast<std::size_t>(each - left.begin())])) return false;
    } else {
      const auto other = right.find(each.key());
      if (other == right.end() || !same_value(each.value(), other.value())) return false;
    }
  }
  return true;
}

}  // namespace flashlm::inline v0::text
