// SPDX-License-Identifier: Apache-2.0
/// reading_order.hpp: the text of a page from the boxes of its words, column by column.
///
/// A page is cut where a gutter, a strip that no word crosses, has prose on both sides; what
/// crosses the gutter (a title, a wide figure's caption) separates the columns above it from those
/// below. Each part is cut again until no gutter is left, which gives three and more columns.
/// Tables, lists and equation numbers have too few words on one side to be columns, so that they
/// are read row by row. Columns of a line or two are told from wide spaces by how their lines begin
/// and end. Scripts that run from right to left are not put in order.
#pragma once

#include <span>
#include <string>

#include "flashlm/tools/pdf/page_lines.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// The text of a page: a line for each line, an empty line between paragraphs, columns one after
/// the other.
///
/// Every word is there once, whatever the boxes say. Words of another writing direction than most
/// (an axis of a figure, a stamp in the margin) come last. Costs O(n log n) for n words of a page.
std::string reading_order(std::span<const WordBox> words);

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/pdf/reading_order.ipp"
#endif
