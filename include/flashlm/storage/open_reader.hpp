// SPDX-License-Identifier: Apache-2.0
/// open_reader.hpp: a reader by its name.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/file.hpp"
#include "flashlm/storage/reader.hpp"
#include "flashlm/storage/threads_reader.hpp"

namespace flashlm::inline v0::storage {

/// The reader called `name` over `files`, which must outlive it; "auto" takes the best that this system allows.
///
/// Throws ArgumentError for an unknown name.
inline std::unique_ptr<Reader> open_reader(std::string_view name, const std::vector<File>& files) {
  if (name == "auto" || name == "threads") return std::make_unique<ThreadsReader>(files);
  throw ArgumentError(concat("[open_reader] name: expected auto or threads, got '", name, "'"));
}

}  // namespace flashlm::inline v0::storage
