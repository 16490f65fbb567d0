// SPDX-License-Identifier: Apache-2.0
/// pdf_text_fuzz.cpp: whatever boxes and bytes a PDF gives, every word stays, text is UTF-8, and
/// hyphens alone are lost.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/text/unicode/utf8.hpp"
#include "flashlm/tools/pdf/pdf_message.hpp"
#include "flashlm/tools/pdf/pdf_text.hpp"
#include "flashlm/tools/pdf/reading_order.hpp"

using namespace flashlm;

namespace {

/// What joining keeps: all but spaces, line ends and hyphens.
std::string kept(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const text::Utf8Step step = text::utf8_step(text.substr(at));
    const bool is_mark =
        step.code == ' ' || step.code == '\n' || tools::detail::is_hyphen(step.code);
    if (!is_mark) result += text.substr(at, step.length);
    at += step.length;
  }
  return result;
}

/// Eight bytes a word: four edges, flags, and three of text.
std::vector<tools::WordBox> boxes(const std::uint8_t* data, std::size_t size) {
  std::vector<tools::WordBox> words;
  for (std::size_t at = 0; at + 8 <= size; at += 8) {
    const std::uint8_t* byte = data + at;
    const double x = 3.0 * byte[0] - 50;
    const double y = 4.0 * byte[1] - 50;
    const std::string_view text(reinterpret_cast<const char*>(byte) + 5, 3);
    words.push_back({tools::clean_text(text), x, y, x + byte[2] - 8, y + byte[3] / 8.0 - 1,
                     byte[4] % 2 == 0, byte[4] / 2});
  }
  return words;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);

  const std::string clean = tools::clean_text(bytes);
  if (!text::is_utf8(clean)) std::abort();
  tools::HyphenGuide guide;
  guide.add(clean);
  const std::string joined = tools::join_hyphens(clean, guide);
  if (!text::is_utf8(joined) || kept(joined) != kept(clean)) std::abort();
  tools::join_hyphens(bytes, guide);

  const std::vector<tools::WordBox> words = boxes(data, size);
  std::string expected;
  for (const tools::WordBox& word : words) expected += kept(word.text);
  std::string got = kept(tools::reading_order(words));
  std::sort(expected.begin(), expected.end());
  std::sort(got.begin(), got.end());
  if (got != expected) std::abort();

  try {
    tools::unpack_info(bytes);
    tools::unpack_page(bytes);
  } catch (const FormatError&) {
  }
  return 0;
}
