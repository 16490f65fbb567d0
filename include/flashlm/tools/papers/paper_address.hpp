// SPDX-License-Identifier: Apache-2.0
/// paper_address.hpp: the id in what people write for a paper: an address, a DOI, a quoted id.
#pragma once

#include <string>
#include <string_view>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// The arXiv id in a text, with or without its version, if the text is one in some dress; else
/// something that is none.
///
/// Dresses are: blanks, quotes, brackets and Markdown's marks around it; "arXiv:", "doi:" and
/// 10.48550/arXiv. before it; addresses at arXiv, alphaXiv, the hub and doi.org, in any case, with
/// or without a query, a fragment, a slash or .pdf at the end; links of Markdown to one of these.
/// Whether it is an id is for `PaperId` to say.
std::string id_written_in(std::string_view text);

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/papers/paper_address.ipp"
#endif
