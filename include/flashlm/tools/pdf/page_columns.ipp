// SPDX-License-Identifier: Apache-2.0
/// page_columns.ipp: the bodies of page_columns.hpp.
#pragma once

#include "flashlm/tools/pdf/page_columns.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace flashlm::inline FLASHLM_ABI::tools {

namespace detail {

FLASHLM_INLINE double centre(const WordBox& word) { return (word.y_min + word.y_max) / 2; }

FLASHLM_INLINE std::vector<PageColumn::Row> PageColumn::rows() const {
  std::vector<Row> result;
  double bottom = -1e30;
  for (const WordBox* word : words) {
    const double width = word->x_max - word->x_min;
    if (centre(*word) > bottom) {
      result.push_back({word->y_min, word->y_max, word->x_min, word->x_max, width, width, 1});
      bottom = word->y_max;
      continue;
    }
    Row& row = result.back();
    if (word->x_min < row.x_min) row.x_min = word->x_min, row.first_width = width;
    row.x_max = std::max(row.x_max, word->x_max);
    row.y_max = std::max(row.y_max, word->y_max);
    row.width += width;
    ++row.n_words;
  }
  return result;
}

FLASHLM_INLINE bool PageColumn::is_prose(const std::vector<Row>& rows, double height) {
  const auto n = static_cast<double>(rows.size());
  double width = 0;
  double n_words = 0;
  for (const Row& row : rows) width += row.width, n_words += static_cast<double>(row.n_words);
  return !rows.empty() && width >= kCell * height * n &&
         (n_words >= kWordsPerRow * n || width >= 2 * kCell * height * n);
}

FLASHLM_INLINE bool PageColumn::is_wrapped(const std::vector<Row>& rows, double height) {
  constexpr double kIndent = 3;
  double left = 1e30;
  double right = -1e30;
  for (const Row& row : rows) left = std::min(left, row.x_min), right = std::max(right, row.x_max);
  for (std::size_t n = 0; n < rows.size(); ++n) {
    const bool may_be_indented = n == 0 && rows.size() > 1;
    const bool may_be_short = n > 0 && n + 1 == rows.size();
    if (rows[n].x_min - left > (may_be_indented ? kIndent : 0.3) * height) return false;
    if (rows[n].n_words < 3 && !may_be_short) return false;
    if (n + 1 == rows.size()) break;
    const double with_next = rows[n].x_max + rows[n + 1].first_width;
    if (with_next + 0.2 * height <= right || with_next - left < 2 * kCell * height) return false;
  }
  return true;
}

FLASHLM_INLINE void PageColumn::append_spaces(std::vector<double>& spaces) const {
  double bottom = -1e30;
  Words row;
  const auto finish = [&] {
    std::sort(row.begin(), row.end(), [](auto a, auto b) { return a->x_min < b->x_min; });
    for (std::size_t n = 1; n < row.size(); ++n)
      spaces.push_back(row[n]->x_min - row[n - 1]->x_max);
    row.clear();
  };
  for (const WordBox* word : words) {
    if (centre(*word) > bottom) finish(), bottom = word->y_max;
    row.push_back(word);
  }
  finish();
}

FLASHLM_INLINE void PageBand::decide(double gutter, double height) {
  if (left.words.empty() || right.words.empty()) return;
  take_lone_row(true, height);
  take_lone_row(false, height);
  const std::vector<PageColumn::Row> left_rows = left.rows();
  const std::vector<PageColumn::Row> right_rows = right.rows();
  const std::size_t fewer = std::min(left_rows.size(), right_rows.size());
  const std::size_t more = std::max(left_rows.size(), right_rows.size());
  // A column of a line or two beside a long one ends a text; beside a few lines it has to look
  // like one.
  if (more >= (fewer < 3 ? 8u : 3u)) {
    is_columns =
        PageColumn::is_prose(left_rows, height) && PageColumn::is_prose(right_rows, height);
  }
  if (!is_columns && fewer < 3) is_columns = are_few_lines(left_rows, right_rows, gutter, height);
}

FLASHLM_INLINE bool PageBand::are_few_lines(const std::vector<PageColumn::Row>& left_rows,
                                            const std::vector<PageColumn::Row>& right_rows,
                                            double gutter, double height) const {
  constexpr double kWidestGutter = 5;
  if (std::max(left_rows.size(), right_rows.size()) < 2)
    return false;  // one row reads the same both ways
  double end = -1e30;
  double begin = 1e30;
  for (std::size_t n = 0; n < left_rows.size(); ++n) {
    end = std::max(end, left_rows[n].x_max);
    const bool is_last = n + 1 == left_rows.size();
    if (!is_last &&
        left_rows[n].x_max + left_rows[n + 1].first_width < gutter - kWidestGutter * height)
      return false;
  }
  for (const PageColumn::Row& row : right_rows) begin = std::min(begin, row.x_min);
  return begin - gutter <= 0.3 * height && PageColumn::is_wrapped(left_rows, height) &&
         PageColumn::is_wrapped(right_rows, height) && begin - end >= 1.5 * usual_space();
}

FLASHLM_INLINE double PageBand::usual_space() const {
  std::vector<double> spaces{0};
  left.append_spaces(spaces);
  right.append_spaces(spaces);
  return median(std::move(spaces));
}

FLASHLM_INLINE void PageBand::take_lone_row(bool first, double height) {
  const double sign = first ? 1 : -1;
  const auto top = [&](const WordBox* word) { return first ? word->y_min : -word->y_max; };
  const auto bottom = [&](const WordBox* word) { return first ? word->y_max : -word->y_min; };
  double row_top = 1e30;
  double row_bottom = 0;
  for (const Words* side : {&left.words, &right.words}) {
    for (const WordBox* word : *side) {
      if (top(word) < row_top) row_top = top(word), row_bottom = bottom(word);
    }
  }
  const auto in_row = [&](const WordBox* word) { return sign * centre(*word) <= row_bottom; };
  double next_top = 1e30;
  std::size_t n_left = 0;
  std::size_t n_right = 0;
  for (const Words* side : {&left.words, &right.words}) {
    for (const WordBox* word : *side) {
      if (in_row(word)) {
        ++(side == &left.words ? n_left : n_right);
      } else {
        next_top = std::min(next_top, top(word));
      }
    }
  }
  const bool leaves_both = n_left < left.words.size() && n_right < right.words.size();
  const double gap = next_top - row_bottom;
  if (!leaves_both || gap < 0.7 * height || gap < usual_gap(first) + 0.5 * height) return;
  Words& into = first ? above : below;
  for (Words* side : {&left.words, &right.words}) {
    std::copy_if(side->begin(), side->end(), std::back_inserter(into), in_row);
    std::erase_if(*side, in_row);
  }
}

FLASHLM_INLINE double PageBand::usual_gap(bool without_first) const {
  const std::vector<PageColumn::Row> left_rows = left.rows();
  const std::vector<PageColumn::Row> right_rows = right.rows();
  const std::vector<PageColumn::Row>& rows =
      left_rows.size() < right_rows.size() ? right_rows : left_rows;
  std::vector<double> gaps;
  for (std::size_t n = 1; n < rows.size(); ++n)
    gaps.push_back(std::max(0.0, rows[n].y_min - rows[n - 1].y_max));
  if (gaps.size() < 2) return gaps.empty() ? 0 : gaps.front();
  gaps.erase(without_first ? gaps.begin() : gaps.end() - 1);
  return median(std::move(gaps));
}

}  // namespace detail

}  // namespace flashlm::inline FLASHLM_ABI::tools
