// SPDX-License-Identifier: Apache-2.0
/// reading_order.ipp: the bodies of reading_order.hpp.
#pragma once

#include "flashlm/tools/pdf/reading_order.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "flashlm/tools/pdf/page_columns.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

namespace detail {

/// Lays out one page; made for one call of `reading_order`.
class PageLayout {
 public:
  /// Appends lines, with an empty line between blocks.
  void lay_out(std::vector<const WordBox*> words, std::string& text) {
    if (words.empty()) return;
    std::vector<double> heights;
    for (const WordBox* word : words) heights.push_back(word->y_max - word->y_min);
    height_ = std::max(median(heights), 1e-3);
    std::stable_sort(words.begin(), words.end(),
                     [](auto a, auto b) { return a->y_min < b->y_min; });
    cut(words, 0, text);
  }

 private:
  using Words = PageColumn::Words;

  static constexpr std::size_t kMostWords = 50'000;  // of a part that is searched for columns
  static constexpr std::size_t kGutters = 64;        // places that are tried
  static constexpr int kDeepest = 8;
  void cut(const Words& words, int depth, std::string& text) {
    if (words.empty()) return;
    std::vector<PageBand> best;
    std::size_t most = 0;  // words in columns
    if (depth < kDeepest && words.size() <= kMostWords) {
      for (const double gutter : candidates(words)) {
        std::vector<PageBand> bands = split(words, gutter);
        std::size_t n = 0;
        for (const PageBand& band : bands)
          n += band.is_columns ? band.left.words.size() + band.right.words.size() : 0;
        if (n > most) {
          most = n;
          best = std::move(bands);
        }
      }
    }
    if (most == 0) return append_lines(words, height_, text);
    Words together;
    const auto flush = [&] {
      std::stable_sort(together.begin(), together.end(),
                       [](auto a, auto b) { return a->y_min < b->y_min; });
      cut(together, depth + 1, text);
      together.clear();
    };
    for (const PageBand& band : best) {
      const auto add = [&](const Words& some) {
        together.insert(together.end(), some.begin(), some.end());
      };
      add(band.above);
      if (band.is_columns) {
        flush();
        cut(band.left.words, depth + 1, text);
        cut(band.right.words, depth + 1, text);
      } else {
        add(band.left.words);
        add(band.right.words);
      }
      add(band.below);
    }
    flush();
  }

  /// Where right columns may begin: the places at which most words begin, but the leftmost.
  std::vector<double> candidates(const Words& words) const {
    const double bin = height_ / 10;
    double leftmost = words.front()->x_min;
    for (const WordBox* word : words) leftmost = std::min(leftmost, word->x_min);
    std::map<double, std::size_t> counts;
    for (const WordBox* word : words) {
      const double place = std::floor(word->x_min / bin) * bin;
      if (place > leftmost + height_) ++counts[place];
    }
    std::vector<std::pair<double, std::size_t>> ranked(counts.begin(), counts.end());
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](auto& a, auto& b) { return a.second > b.second; });
    std::vector<double> places;
    for (std::size_t index = 0; index < std::min(ranked.size(), kGutters); ++index)
      places.push_back(ranked[index].first);
    return places;
  }

  /// The bands from top to bottom when columns begin at `gutter`: free ones, and between them what
  /// crosses it.
  std::vector<PageBand> split(const Words& words, double gutter) const {
    std::vector<std::pair<double, double>> crossed;  // in y, disjoint, rising
    for (const WordBox* word : words) {
      if (word->x_min >= gutter || word->x_max <= gutter - PageBand::kGutter * height_) continue;
      const double top =
          word->y_min + 0.2 * (word->y_max - word->y_min);  // boxes of neighbouring lines may touch
      const double bottom = word->y_max - 0.2 * (word->y_max - word->y_min);
      if (!crossed.empty() && top <= crossed.back().second) {
        crossed.back().second = std::max(crossed.back().second, bottom);
      } else {
        crossed.emplace_back(top, bottom);
      }
    }
    std::vector<PageBand> bands(2 * crossed.size() + 1);  // free, crossed, free, ...
    for (const WordBox* word : words) {
      const double y = centre(*word);
      const auto after =
          std::upper_bound(crossed.begin(), crossed.end(), y,
                           [](double value, const auto& range) { return value < range.first; });
      const auto n = static_cast<std::size_t>(after - crossed.begin());
      const std::size_t index = n > 0 && y <= crossed[n - 1].second ? 2 * n - 1 : 2 * n;
      PageBand& band = bands[index];
      (word->x_min < gutter ? band.left : band.right).words.push_back(word);
    }
    for (std::size_t index = 0; index < bands.size(); index += 2)
      bands[index].decide(gutter, height_);
    return bands;
  }

  double height_ = 1;  // of a usual word
};

/// The box as it is after turning the page until its text is upright.
inline WordBox upright(WordBox word) {
  const WordBox box = word;
  switch (box.rotation & 3) {
    case 1:
      word.x_min = box.y_min, word.x_max = box.y_max, word.y_min = -box.x_max,
      word.y_max = -box.x_min;
      break;
    case 2:
      word.x_min = -box.x_max, word.x_max = -box.x_min, word.y_min = -box.y_max,
      word.y_max = -box.y_min;
      break;
    case 3:
      word.x_min = -box.y_max, word.x_max = -box.y_min, word.y_min = box.x_min,
      word.y_max = box.x_max;
      break;
    default: break;
  }
  return word;
}

}  // namespace detail

FLASHLM_INLINE std::string reading_order(std::span<const WordBox> words) {
  std::size_t counts[4] = {};
  for (const WordBox& word : words) ++counts[word.rotation & 3];
  std::vector<int> rotations{0, 1, 2, 3};
  std::stable_sort(rotations.begin(), rotations.end(),
                   [&](int a, int b) { return counts[a] > counts[b]; });
  const auto is_sane = [](const WordBox& word) {
    const auto inside = [](double value) {
      return std::abs(value) < 1e7;
    };  // false for what is no number
    return inside(word.x_min) && inside(word.x_max) && inside(word.y_min) && inside(word.y_max) &&
           word.x_min <= word.x_max && word.y_min <= word.y_max;
  };
  std::string text;
  for (const int rotation : rotations) {
    std::vector<WordBox> turned;
    for (const WordBox& word : words) {
      if ((word.rotation & 3) == rotation && is_sane(word)) turned.push_back(detail::upright(word));
    }
    std::vector<const WordBox*> pointers;
    for (const WordBox& word : turned) pointers.push_back(&word);
    detail::PageLayout().lay_out(std::move(pointers), text);
  }
  for (const WordBox& word : words) {
    if (!is_sane(word)) text += word.text + '\n';
  }
  return text;
}

}  // namespace flashlm::inline FLASHLM_ABI::tools
