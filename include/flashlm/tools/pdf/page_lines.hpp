// SPDX-License-Identifier: Apache-2.0
/// page_lines.hpp: the boxes of words, and the lines that they make.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// A word and where it stands: y grows downwards, in points or any other unit.
struct WordBox {
  std::string text;  // UTF-8
  double x_min = 0;
  double y_min = 0;
  double x_max = 0;
  double y_max = 0;
  bool space_after =
      true;  // false: the next word may belong to the same word, such as an accent or another font
  int rotation = 0;  // quarter turns clockwise of its writing direction
};

namespace detail {

/// The middle one. `values` may not be empty.
double median(std::vector<double> values);

/// Appends rows from top to bottom, words from left to right; an empty line where the distance of
/// lines is wider than usual. `words` are sorted by y_min; `height` is that of a usual word. An
/// empty line comes first unless `text` is empty.
void append_lines(std::span<const WordBox* const> words, double height, std::string& text);

}  // namespace detail

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/pdf/page_lines.ipp"
#endif
