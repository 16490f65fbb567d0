// SPDX-License-Identifier: Apache-2.0
/// daily_query_test.cpp: days, weeks and months.
#include "flashlm/tools/papers/daily_query.hpp"

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using flashlm::ArgumentError;
using namespace flashlm::tools;

TEST_CASE("A query of values in their range passes, and becomes part of an address") {
  CHECK_NOTHROW(DailyQuery{}.check());
  CHECK(DailyQuery{}.parameters().empty());
  const DailyQuery day{
      .topic = "LLM", .top = 3, .date = "2024-02-29", .order = DailyOrder::trend, .days = 31};
  CHECK_NOTHROW(day.check());
  CHECK(day.parameters() == "date=2024-02-29&sort=trending&");
  CHECK(DailyQuery{.week = "2025-W09"}.parameters() == "week=2025-W09&");
  CHECK(DailyQuery{.month = "2025-02"}.parameters() == "month=2025-02&");
}

TEST_CASE("A query of other values is refused") {
  for (const char* date : {"2025-02-29", "2025-13-01", "2025-00-10", "2025-1-1", "today",
                           "2025-02-28&p=1", "2025-02-2x", " "}) {
    CAPTURE(date);
    CHECK_THROWS_AS(DailyQuery{.date = date}.check(), ArgumentError);
  }
  for (const char* week : {"2025-W00", "2025-W54", "2025-09", "2025-W9", "2025-w09"}) {
    CHECK_THROWS_AS(DailyQuery{.week = week}.check(), ArgumentError);
  }
  for (const char* month : {"2025-00", "2025-13", "2025", "2025-2"}) {
    CHECK_THROWS_AS(DailyQuery{.month = month}.check(), ArgumentError);
  }
  CHECK_THROWS_AS((DailyQuery{.date = "2025-02-28", .month = "2025-02"}).check(), ArgumentError);
  CHECK_THROWS_AS(DailyQuery{.top = 0}.check(), ArgumentError);
  CHECK_THROWS_AS(DailyQuery{.days = 0}.check(), ArgumentError);
  CHECK_THROWS_AS(DailyQuery{.days = 32}.check(), ArgumentError);
  CHECK_THROWS_AS((DailyQuery{.week = "2025-W09", .days = 2}).check(), ArgumentError);
}

TEST_CASE("The day before is known over the ends of months and years") {
  CHECK(day_before("2025-03-01") == "2025-02-28");
  CHECK(day_before("2024-03-01") == "2024-02-29");
  CHECK(day_before("2025-01-01") == "2024-12-31");
  CHECK(DailyQuery::is_date(today()));
}
