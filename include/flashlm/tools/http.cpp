// SPDX-License-Identifier: Apache-2.0
/// http.cpp: the bodies of flashlm::http, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "http.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/tools/http/http.ipp"
#include "flashlm/tools/http/http_transfer.ipp"
#include "flashlm/tools/http/url.ipp"
