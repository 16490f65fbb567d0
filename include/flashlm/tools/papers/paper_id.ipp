// SPDX-License-Identifier: Apache-2.0
/// paper_id.ipp: the bodies of paper_id.hpp.
#pragma once

#include "flashlm/tools/papers/paper_id.hpp"

#include <algorithm>

#include "flashlm/base/error.hpp"
#include "flashlm/tools/papers/paper_address.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

FLASHLM_INLINE PaperId PaperId::parse(std::string_view text) {
  std::string why;
  PaperId id;
  if (id.read(id_written_in(text), why)) return id;
  throw ArgumentError(concat(
      "[papers] id: expected an arXiv id such as 2312.11514, 2312.11514v2 or hep-th/9901001, got '",
      shown(text), "'", why.empty() ? "" : ". ", why));
}

FLASHLM_INLINE std::string PaperId::stem() const {
  std::string name = base_;
  for (char& c : name) c = c == '/' ? '_' : c;
  return name;
}

FLASHLM_INLINE PaperId PaperId::with_version(int version) const {
  PaperId id = *this;
  id.version_ = version;
  return id;
}

FLASHLM_INLINE bool PaperId::read(std::string_view text, std::string& why) {
  std::string_view rest = text;
  const bool is_new = run(rest, is_digit, 5) == 4 && rest.substr(4).starts_with('.');
  if (!(is_new ? read_new(rest, why) : read_old(rest, why))) return false;
  base_ = text.substr(0, text.size() - rest.size());
  if (rest.empty()) return true;
  if (rest[0] != 'v' && rest[0] != 'V') return false;
  rest.remove_prefix(1);
  const std::size_t n = run(rest, is_digit, 4);
  if (n == 0 || n > 3 || n != rest.size() || rest[0] == '0') return false;
  for (const char c : rest) version_ = version_ * 10 + (c - '0');
  return true;
}

FLASHLM_INLINE bool PaperId::read_new(std::string_view& rest, std::string& why) {
  const int month = number(rest.substr(0, 4));
  rest.remove_prefix(5);
  const std::size_t n = run(rest, is_digit, 6);
  if (n != 4 && n != 5) return false;
  if (!is_month(month, why)) return false;
  if (month < 704) return refuse(why, "Such ids begin with 0704.0001");
  if (n == 5 && month < 1501)
    return refuse(why, "Ids before 1501.00001 have four digits after the point");
  if (n == 4 && month >= 1501)
    return refuse(why, "Ids from 1501.00001 on have five digits after the point");
  if (number(rest.substr(0, n)) == 0) return refuse(why, "The first of a month is 1, not 0");
  rest.remove_prefix(n);
  return true;
}

FLASHLM_INLINE bool PaperId::read_old(std::string_view& rest, std::string& why) {
  const std::size_t n = run(rest, [](char c) { return is_lower(c) || c == '-'; }, 16);
  const std::string_view archive = rest.substr(0, n);
  rest.remove_prefix(n);
  if (rest.size() > 3 && rest[0] == '.' && is_upper(rest[1]) && is_upper(rest[2]))
    rest.remove_prefix(3);
  if (n == 0 || !rest.starts_with('/')) return false;
  rest.remove_prefix(1);
  if (run(rest, is_digit, 8) != 7) return false;
  if (std::find(kArchives.begin(), kArchives.end(), archive) == kArchives.end()) {
    return refuse(why, "arXiv has no such archive");
  }
  const int month = number(rest.substr(0, 4));
  if (!is_month(month, why)) return false;
  if (month > 703 && month < 9107) return refuse(why, "Such ids are of 9107 to 0703");
  if (number(rest.substr(4, 3)) == 0) return refuse(why, "The first of a month is 1, not 0");
  rest.remove_prefix(7);
  return true;
}

FLASHLM_INLINE bool PaperId::is_month(int year_and_month, std::string& why) {
  const int month = year_and_month % 100;
  return (month >= 1 && month <= 12) || refuse(why, "The third and fourth digit are a month");
}

FLASHLM_INLINE bool PaperId::refuse(std::string& why, std::string_view reason) {
  why = reason;
  return false;
}

FLASHLM_INLINE int PaperId::number(std::string_view digits) {
  int value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  return value;
}

FLASHLM_INLINE std::string PaperId::shown(std::string_view text) {
  std::string safe(text.substr(0, 100));
  for (char& c : safe) c = c < ' ' || c > '~' ? '?' : c;
  return safe;
}

}  // namespace flashlm::inline FLASHLM_ABI::tools
