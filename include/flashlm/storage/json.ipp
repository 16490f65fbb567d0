// SPDX-License-Identifier: Apache-2.0
/// json.ipp: the bodies of json.hpp.
#pragma once

#include "flashlm/storage/json.hpp"

#include <set>

#include "flashlm/storage/foreign_file.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

namespace detail {

/// `text` as a JSON object, of which `check` sees every part while it is read.
inline nlohmann::json parse_object(std::string_view text, std::string_view where, std::string_view file,
                                   const nlohmann::json::parser_callback_t& check) {
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(text.begin(), text.end(), check);
  } catch (const nlohmann::json::exception& error) {
    refuse_foreign(text, FileKind::json, where, file);
    throw FormatError(concat("[", where, "] not JSON: ", error.what(), " (", file, ")"));
  }
  if (json.is_object()) {
    refuse_foreign(text, FileKind::json, where, file);  // a server's error
    return json;
  }
  throw FormatError(concat("[", where, "] JSON: expected an object, got ", json.type_name(), " (", file, ")"));
}

}  // namespace detail

FLASHLM_INLINE nlohmann::json parse_foreign_json(std::string_view text, std::string_view where, std::string_view file) {
  return detail::parse_object(text, where, file, nullptr);
}

FLASHLM_INLINE nlohmann::json parse_json(std::string_view text, std::string_view where, std::string_view file) {
  using Json = nlohmann::json;
  constexpr int kDeepest = 64;
  std::vector<std::set<std::string>> keys;
  const auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kDeepest) {
      throw FormatError(concat("[", where, "] JSON: expected at most ", kDeepest, " levels, got more (", file, ")"));
    }
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys.back().insert(key).second) {
        throw FormatError(concat("[", where, "] JSON: expected each key once, got '", key, "' twice (", file, ")"));
      }
    }
    return true;
  };
  return detail::parse_object(text, where, file, check);
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
