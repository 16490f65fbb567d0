// SPDX-License-Identifier: Apache-2.0
/// page_columns.hpp: whether the words beside a gutter are columns of prose, or rows of a table.
#pragma once

#include <cstddef>
#include <vector>

#include "flashlm/tools/pdf/page_lines.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

namespace detail {

double centre(const WordBox& word);

/// One side of a gutter. All lengths are in the page's unit, `height` is that of a usual word.
struct PageColumn {
  using Words = std::vector<const WordBox*>;  // always by rising y_min

  struct Row {
    double y_min = 0;
    double y_max = 0;
    double x_min = 0;
    double x_max = 0;
    double first_width = 0;  // of its leftmost word
    double width = 0;        // of its words, without spaces
    std::size_t n_words = 0;
  };

  static constexpr double kWordsPerRow = 2.2;  // least of prose, on average
  static constexpr double kCell = 6;  // what is narrower, in line heights, is a table's column

  Words words;

  std::vector<Row> rows() const;

  /// Whether the rows have the words and the width of prose.
  static bool is_prose(const std::vector<Row>& rows, double height);

  /// Whether a few rows are lines of one text: they begin at one edge, but for a first line's
  /// indent, and each but the last is long, and full: the next word did not fit in. Cells of a
  /// table are as long as they happen to be.
  static bool is_wrapped(const std::vector<Row>& rows, double height);

  /// Appends the spaces between words of each row.
  void append_spaces(std::vector<double>& spaces) const;
};

/// A horizontal strip of a part of a page, right and left of a gutter: columns, or words that are
/// read together.
struct PageBand {
  using Words = PageColumn::Words;

  static constexpr double kGutter = 1.0;  // narrowest, in line heights

  Words above;  // the first row, where it stands alone as a header does
  PageColumn left;
  PageColumn right;
  Words below;  // the last row, as a footer
  bool is_columns = false;

  /// Finds out whether the words, none of which crosses the gutter, are columns.
  void decide(double gutter, double height);

 private:
  /// Whether so few rows are columns nevertheless: lines of text, the left ones filled up to the
  /// gutter, which is wider than the spaces in them; those of a justified line are all as wide.
  bool are_few_lines(const std::vector<PageColumn::Row>& left_rows,
                     const std::vector<PageColumn::Row>& right_rows, double gutter,
                     double height) const;

  double usual_space() const;

  /// Moves the first or the last row of both columns away if it stands alone, as headers and
  /// footers do: further from the others than these are from each other.
  void take_lone_row(bool first, double height);

  /// Between lines of the longer column, without the first or the last one. Of one line nothing is
  /// known: 0, or where both columns have two lines, whatever the gap.
  double usual_gap(bool without_first) const;
};

}  // namespace detail

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/pdf/page_columns.ipp"
#endif
