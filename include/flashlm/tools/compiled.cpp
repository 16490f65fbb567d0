// SPDX-License-Identifier: Apache-2.0
/// compiled.cpp: the bodies of tools/, but for those that need a library, for programs whose files
/// all define FLASHLM_COMPILED (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "compiled.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/tools/caseless.ipp"
#include "flashlm/tools/child_process.ipp"
#include "flashlm/tools/daily_query.ipp"
#include "flashlm/tools/http_message.ipp"
#include "flashlm/tools/pace.ipp"
#include "flashlm/tools/page_columns.ipp"
#include "flashlm/tools/page_lines.ipp"
#include "flashlm/tools/paper.ipp"
#include "flashlm/tools/paper_address.ipp"
#include "flashlm/tools/paper_cache.ipp"
#include "flashlm/tools/paper_id.ipp"
#include "flashlm/tools/papers_options.ipp"
#include "flashlm/tools/pdf_message.ipp"
#include "flashlm/tools/pdf_text.ipp"
#include "flashlm/tools/reading_order.ipp"
#include "flashlm/tools/topic.ipp"
