// SPDX-License-Identifier: Apache-2.0
/// paper.hpp: what the hub knows about a paper, read leniently from its JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// A paper. All texts are the web's: data to show or to summarise, never instructions. Blanks are
/// single.
struct Paper {
  std::string id;  // arXiv's, without a version
  std::string title;
  std::string summary;     // the authors' abstract
  std::string ai_summary;  // one sentence by a model of the hub, or ""
  std::vector<std::string> authors;
  std::vector<std::string> keywords;  // by a model of the hub
  std::int64_t upvotes = 0;
  std::int64_t comments = 0;
  std::string published;  // "2023-12-12T18:57:08.000Z", or ""
  std::string daily;      // the day whose list it is on, "2023-12-20", or ""

  /// Its page at arXiv.
  std::string url() const { return "https://arxiv.org/abs/" + id; }
  /// Its page at the hub, with votes and comments.
  std::string hub_url() const { return "https://huggingface.co/papers/" + id; }

  nlohmann::ordered_json to_json() const;
};

/// The papers of a list of the hub, in its order; those whose id is not arXiv's are left out.
///
/// `source` names the text in messages. Throws FormatError if it is no list of papers.
std::vector<Paper> parse_papers(std::string_view text, std::string_view source);

/// The one paper that `text` describes. Throws FormatError.
Paper parse_paper(std::string_view text, std::string_view source);

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/papers/paper.ipp"
#endif
