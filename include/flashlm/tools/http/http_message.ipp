// SPDX-License-Identifier: Apache-2.0
/// http_message.ipp: the bodies of http_message.hpp.
#pragma once

#include "flashlm/tools/http/http_message.hpp"

#include <cerrno>

namespace flashlm::inline FLASHLM_ABI::tools {

FLASHLM_INLINE std::string HttpResponse::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

FLASHLM_INLINE HttpError::HttpError(const std::string& message, int status, const std::string& url)
    : IoError(message, errno_of(status), url), status_(status) {}

FLASHLM_INLINE int HttpError::errno_of(int status) noexcept {
  if (status == 404 || status == 410) return ENOENT;
  if (status == 401 || status == 403) return EACCES;
  if (status == 408 || status == 504) return ETIMEDOUT;
  if (status == 429 || status == 503) return EBUSY;
  return EIO;
}

}  // namespace flashlm::inline FLASHLM_ABI::tools
