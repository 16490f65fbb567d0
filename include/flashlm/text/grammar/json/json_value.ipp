// SPDX-License-Identifier: Apache-2.0
/// json_value.ipp: the bodies of json_value.hpp.
#pragma once

#include "flashlm/text/grammar/json/json_value.hpp"

#include <cstddef>

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE std::optional<nlohmann::ordered_json> parse_value(std::string_view text) {
  auto parsed = nlohmann::ordered_json::parse(text.begin(), text.end(), nullptr, false);
  if (parsed.is_discarded()) return std::nullopt;
  return parsed;
}

FLASHLM_INLINE bool same_value(const nlohmann::ordered_json& left,
                               const nlohmann::ordered_json& right) {
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

}  // namespace flashlm::inline FLASHLM_ABI::text
