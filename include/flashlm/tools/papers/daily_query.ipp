// SPDX-License-Identifier: Apache-2.0
/// daily_query.ipp: the bodies of daily_query.hpp.
#pragma once

#include "flashlm/tools/papers/daily_query.hpp"

#include <cstdio>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

FLASHLM_INLINE void DailyQuery::check() const {
  if (!date.empty() && !is_date(date)) refuse("date", "a day such as 2025-02-28", date);
  if (!week.empty() &&
      !(fits(week, "dddd-Wdd") && week.substr(6) >= "01" && week.substr(6) <= "53")) {
    refuse("week", "a week such as 2025-W09", week);
  }
  if (!month.empty() && !is_date(month + "-01")) refuse("month", "a month such as 2025-02", month);
  if (!date.empty() + !week.empty() + !month.empty() > 1)
    refuse("time", "a date, a week or a month", "more");
  if (top < 1) refuse("top", "at least 1", "0");
  if (days < 1 || days > 31) refuse("days", "1 to 31", std::to_string(days));
  if (days > 1 && !(week.empty() && month.empty()))
    refuse("days", "1 with a week or a month", std::to_string(days));
}

FLASHLM_INLINE std::string DailyQuery::parameters() const {
  std::string text;
  if (!date.empty()) text += "date=" + date + "&";
  if (!week.empty()) text += "week=" + week + "&";
  if (!month.empty()) text += "month=" + month + "&";
  if (order == DailyOrder::trend) text += "sort=trending&";
  return text;
}

FLASHLM_INLINE std::chrono::year_month_day DailyQuery::day_of(std::string_view date) {
  const auto number = [&](std::size_t at, std::size_t n) {
    return std::stoi(std::string(date.substr(at, n)));
  };
  return {std::chrono::year(number(0, 4)), std::chrono::month(static_cast<unsigned>(number(5, 2))),
          std::chrono::day(static_cast<unsigned>(number(8, 2)))};
}

FLASHLM_INLINE std::string DailyQuery::text_of(std::chrono::sys_days day) {
  const std::chrono::year_month_day date(day);
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return text;
}

FLASHLM_INLINE bool DailyQuery::fits(std::string_view text, std::string_view shape) {
  if (text.size() != shape.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i]) return false;
  }
  return true;
}

FLASHLM_INLINE void DailyQuery::refuse(std::string_view what, std::string_view expected,
                                       std::string_view got) {
  throw ArgumentError(
      concat("[papers] ", what, ": expected ", expected, ", got '", got.substr(0, 40), "'"));
}

FLASHLM_INLINE std::string day_before(std::string_view date) {
  return DailyQuery::text_of(std::chrono::sys_days(DailyQuery::day_of(date)) -
                             std::chrono::days(1));
}

FLASHLM_INLINE std::string today() {
  return DailyQuery::text_of(
      std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()));
}

}  // namespace flashlm::inline FLASHLM_ABI::tools
