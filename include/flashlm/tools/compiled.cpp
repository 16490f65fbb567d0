// SPDX-License-Identifier: Apache-2.0
/// compiled.cpp: the bodies of tools/, but for those that need a library, for programs whose files
/// all define FLASHLM_COMPILED (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "compiled.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/tools/http/caseless.ipp"
#include "flashlm/tools/http/http_message.ipp"
#include "flashlm/tools/http/pace.ipp"
#include "flashlm/tools/papers/daily_query.ipp"
#include "flashlm/tools/papers/paper.ipp"
#include "flashlm/tools/papers/paper_address.ipp"
#include "flashlm/tools/papers/paper_cache.ipp"
#include "flashlm/tools/papers/paper_id.ipp"
#include "flashlm/tools/papers/papers_options.ipp"
#include "flashlm/tools/papers/topic.ipp"
#include "flashlm/tools/pdf/child_process.ipp"
#include "flashlm/tools/pdf/page_columns.ipp"
#include "flashlm/tools/pdf/page_lines.ipp"
#include "flashlm/tools/pdf/pdf_message.ipp"
#include "flashlm/tools/pdf/pdf_text.ipp"
#include "flashlm/tools/pdf/reading_order.ipp"
