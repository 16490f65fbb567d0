// SPDX-License-Identifier: Apache-2.0
/// daily_query.hpp: which of the hub's daily papers are wanted.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

#include "flashlm/base/error.hpp"

namespace flashlm::inline v0::tools {

/// By votes, most first (then by comments); or by trend, as the hub orders them.
enum class DailyOrder { votes, trend };

/// A selection of daily papers. At most one of date, week and month is given; none is the newest list.
struct DailyQuery {
  std::string topic{};   // see `Topic`; empty: all papers
  std::size_t top = 10;  // at least 1
  std::string date{};    // "2025-02-28"
  std::string week{};    // "2025-W09"
  std::string month{};   // "2025-02"
  DailyOrder order = DailyOrder::votes;
  int days = 1;  // with more, days before the first are looked at until there are `top` papers; up to 31

  /// Whether `text` is a day of the calendar.
  static bool is_date(std::string_view text) { return fits(text, "dddd-dd-dd") && day_of(text).ok(); }

  /// Throws ArgumentError if a value lies outside its range.
  void check() const {
    if (!date.empty() && !is_date(date)) refuse("date", "a day such as 2025-02-28", date);
    if (!week.empty() && !(fits(week, "dddd-Wdd") && week.substr(6) >= "01" && week.substr(6) <= "53")) {
      refuse("week", "a week such as 2025-W09", week);
    }
    if (!month.empty() && !is_date(month + "-01")) refuse("month", "a month such as 2025-02", month);
    if (!date.empty() + !week.empty() + !month.empty() > 1) refuse("time", "a date, a week or a month", "more");
    if (top < 1) refuse("top", "at least 1", "0");
    if (days < 1 || days > 31) refuse("days", "1 to 31", std::to_string(days));
    if (days > 1 && !(week.empty() && month.empty())) refuse("days", "1 with a week or a month", std::to_string(days));
  }

  /// What stands for it in an address: "date=2025-02-28&".
  std::string parameters() const {
    std::string text;
    if (!date.empty()) text += "date=" + date + "&";
    if (!week.empty()) text += "week=" + week + "&";
    if (!month.empty()) text += "month=" + month + "&";
    if (order == DailyOrder::trend) text += "sort=trending&";
    return text;
  }

  static std::chrono::year_month_day day_of(std::string_view date) {
    const auto number = [&](std::size_t at, std::size_t n) { return std::stoi(std::string(date.substr(at, n))); };
    return {std::chrono::year(number(0, 4)), std::chrono::month(static_cast<unsigned>(number(5, 2))),
            std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  }

  static std::string text_of(std::chrono::sys_days day) {
    const std::chrono::year_month_day date(day);
    char text[32];
    std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
    return text;
  }

 private:
  /// Whether `text` has digits where `shape` has a d, and else the same characters.
  static bool fits(std::string_view text, std::string_view shape) {
    if (text.size() != shape.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i]) return false;
    }
    return true;
  }

  [[noreturn]] static void refuse(std::string_view what, std::string_view expected, std::string_view got) {
    throw ArgumentError(concat("[papers] ", what, ": expected ", expected, ", got '", got.substr(0, 40), "'"));
  }
};

/// The day before a valid one.
inline std::string day_before(std::string_view date) {
  return DailyQuery::text_of(std::chrono::sys_days(DailyQuery::day_of(date)) - std::chrono::days(1));
}

/// Today, where the hub's day begins: in UTC.
inline std::string today() {
  return DailyQuery::text_of(std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()));
}

}  // namespace flashlm::inline v0::tools
