// SPDX-License-Identifier: Apache-2.0
/// http.hpp: fetching from the web, with checked redirections and patient retries.
#pragma once

#include "flashlm/tools/http/http_message.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// Fetches `request.url`.
///
/// A redirection never leads from https to http, never from another machine to this one, never to a
/// file, and never takes the token to another host. A busy server (408, 429, 500, 502, 503, 504)
/// and a broken connection get further tries, after the time that the server asks for in
/// Retry-After, or else after a time that doubles.
///
/// Throws ArgumentError for an address that is not allowed; HttpError for a status that is no
/// success; IoError for all that goes wrong on the way, with EFBIG for too many bytes, ETIMEDOUT
/// for too much time, ELOOP for too many redirections and EPERM for one that is not allowed; and
/// what a callback throws. Thread-safe.
HttpResponse http_get(const HttpRequest& request, const HttpOptions& options = {});

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/http/http.ipp"
#endif
