// SPDX-License-Identifier: Apache-2.0
/// page_lines.ipp: the bodies of page_lines.hpp.
#pragma once

#include "flashlm/tools/pdf/page_lines.hpp"

#include <algorithm>
#include <cstddef>

namespace flashlm::inline FLASHLM_ABI::tools {

namespace detail {

FLASHLM_INLINE double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// A row of a page, or of a column.
struct PageLine {
  double y_min;  // of its tallest word
  double y_max;
  std::vector<const WordBox*> words;
};

inline void append_line(PageLine& line, std::string& text) {
  std::stable_sort(line.words.begin(), line.words.end(),
                   [](auto a, auto b) { return a->x_min < b->x_min; });
  const WordBox* last = nullptr;
  for (const WordBox* word : line.words) {
    const bool touches = last != nullptr && !last->space_after &&
                         word->x_min - last->x_max < 0.2 * (line.y_max - line.y_min);
    if (last != nullptr && !touches) text += ' ';
    text += word->text;
    last = word;
  }
  text += '\n';
}

FLASHLM_INLINE void append_lines(std::span<const WordBox* const> words, double height,
                                 std::string& text) {
  std::vector<PageLine> lines;
  for (const WordBox* word : words) {
    PageLine* home = nullptr;
    double most = 0;
    for (std::size_t back = 1; back <= std::min<std::size_t>(lines.size(), 4); ++back) {
      PageLine& line = lines[lines.size() - back];
      const double overlap = std::min(line.y_max, word->y_max) - std::max(line.y_min, word->y_min);
      const double smaller = std::min(line.y_max - line.y_min, word->y_max - word->y_min);
      if (overlap >= 0.5 * smaller && (home == nullptr || overlap > most))
        home = &line, most = overlap;
    }
    if (home == nullptr) home = &lines.emplace_back(PageLine{word->y_min, word->y_max, {}});
    if (word->y_max - word->y_min > home->y_max - home->y_min)
      home->y_min = word->y_min, home->y_max = word->y_max;
    home->words.push_back(word);
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](auto& a, auto& b) { return a.y_min + a.y_max < b.y_min + b.y_max; });
  std::vector<double> gaps{0};
  for (std::size_t index = 1; index < lines.size(); ++index) {
    gaps.push_back(std::max(0.0, lines[index].y_min - lines[index - 1].y_max));
  }
  const double usual = lines.size() > 2 ? median({gaps.begin() + 1, gaps.end()}) : 0;
  if (!text.empty()) text += '\n';
  for (std::size_t index = 0; index < lines.size(); ++index) {
    if (index > 0 && gaps[index] > usual + 0.5 * height) text += '\n';
    append_line(lines[index], text);
  }
}

}  // namespace detail

}  // namespace flashlm::inline FLASHLM_ABI::tools
