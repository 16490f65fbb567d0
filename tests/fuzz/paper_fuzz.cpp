// SPDX-License-Identifier: Apache-2.0
/// paper_fuzz.cpp: any answer of a hub is refused with a FormatError, or is papers with ids of
/// arXiv and texts of one line, which have words or can be searched for them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "flashlm/base/error.hpp"
#include "flashlm/text/unicode/utf8.hpp"
#include "flashlm/tools/papers/paper.hpp"
#include "flashlm/tools/papers/paper_id.hpp"
#include "flashlm/tools/papers/topic.hpp"

using namespace flashlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const tools::Paper& paper : tools::parse_papers(text, "input")) {
      if (tools::PaperId::parse(paper.id).text() != paper.id) std::abort();
      for (const std::string& line : {paper.title, paper.summary}) {
        if (line.find('\n') != std::string::npos || line.find("  ") != std::string::npos)
          std::abort();
        if (!text::is_utf8(line)) std::abort();
      }
      paper.to_json().dump();
      try {
        const tools::Topic topic(paper.title);
        if (paper.title.find_first_of(".,;|") == std::string::npos &&
            topic.match(paper) != tools::TopicMatch::title) {
          std::abort();  // a title is about itself
        }
      } catch (const ArgumentError&) {
      }
    }
  } catch (const FormatError&) {
  }
  return 0;
}
