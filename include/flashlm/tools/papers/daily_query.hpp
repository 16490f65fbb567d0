// SPDX-License-Identifier: Apache-2.0
/// daily_query.hpp: which of the hub's daily papers are wanted.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// By votes, most first (then by comments); or by trend, as the hub orders them.
enum class DailyOrder { votes, trend };

/// A selection of daily papers. At most one of date, week and month is given; none is the newest
/// list.
struct DailyQuery {
  std::string topic{};   // see `Topic`; empty: all papers
  std::size_t top = 10;  // at least 1
  std::string date{};    // "2025-02-28"
  std::string week{};    // "2025-W09"
  std::string month{};   // "2025-02"
  DailyOrder order = DailyOrder::votes;
  int days =
      1;  // with more, days before the first are looked at until there are `top` papers; up to 31

  /// Whether `text` is a day of the calendar.
  static bool is_date(std::string_view text) {
    return fits(text, "dddd-dd-dd") && day_of(text).ok();
  }

  /// Throws ArgumentError if a value lies outside its range.
  void check() const;

  /// What stands for it in an address: "date=2025-02-28&".
  std::string parameters() const;

  static std::chrono::year_month_day day_of(std::string_view date);

  static std::string text_of(std::chrono::sys_days day);

 private:
  /// Whether `text` has digits where `shape` has a d, and else the same characters.
  static bool fits(std::string_view text, std::string_view shape);

  [[noreturn]] static void refuse(std::string_view what, std::string_view expected,
                                  std::string_view got);
};

/// The day before a valid one.
std::string day_before(std::string_view date);

/// Today, where the hub's day begins: in UTC.
std::string today();

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/papers/daily_query.ipp"
#endif
