// SPDX-License-Identifier: Apache-2.0
/// error.hpp: the errors of flashlm, one tree.
///
///     Error                std::runtime_error
///       IoError            the system refused or broke a read or a write     (Python: OSError too)
///       FormatError        the content of a file is wrong                    (Python: ValueError
///       too) ShapeError         two sizes disagree                                (Python:
///       ValueError too) ArgumentError      a value lies outside its documented range (Python:
///       ValueError too) BudgetError        it cannot fit; says what would (Python: MemoryError
///       too)
///
/// A message reads `[where] what: expected X, got Y (path, tensor, layer). Hint.`
#pragma once

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

/// The root of every error that flashlm throws.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The system refused or broke a read or a write.
class IoError : public Error {
 public:
  /// `code` is an errno value; its text and `path` are appended to `message`.
  IoError(const std::string& message, int code, const std::string& path);

  /// The errno value.
  int code() const noexcept { return code_; }
  const std::string& path() const noexcept { return path_; }

 private:
  int code_;
  std::string path_;
};

/// The content of a file is wrong: truncated, flipped, foreign, or of an unknown kind.
class FormatError : public Error {
 public:
  using Error::Error;
};

/// Two sizes disagree.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// A value that the caller passed lies outside its documented range.
class ArgumentError : public Error {
 public:
  using Error::Error;
};

/// What was asked for does not fit into the memory budget.
class BudgetError : public Error {
 public:
  /// `smallest_bytes` is the smallest budget that would work.
  BudgetError(const std::string& message, std::uint64_t smallest_bytes);

  std::uint64_t smallest_bytes() const noexcept { return smallest_bytes_; }

 private:
  std::uint64_t smallest_bytes_;
};

/// The arguments as one string: `concat("expected ", 3, ", got ", 4)`.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace flashlm::inline FLASHLM_ABI

/// A caller's bug inside the library: checked in debug builds, where it throws; free in release
/// builds.
#ifdef NDEBUG
#define FLASHLM_ASSERT(condition) ((void)0)
#else
#define FLASHLM_ASSERT(condition)        \
  ((condition) ? (void)0                 \
               : throw std::logic_error( \
                     ::flashlm::concat("[", __FILE__, ":", __LINE__, "] not true: ", #condition)))
#endif

#if !defined(FLASHLM_COMPILED)
#include "flashlm/base/error.ipp"
#endif
