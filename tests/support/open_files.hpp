// SPDX-License-Identifier: Apache-2.0
/// open_files.hpp: files of a temporary folder, opened in either mode.
#pragma once

#include <initializer_list>
#include <vector>

#include "flashlm/storage/io/file.hpp"
#include "support/temp_folder.hpp"

namespace support {

inline constexpr flashlm::storage::FileMode kFileModes[] = {flashlm::storage::FileMode::buffered,
                                                            flashlm::storage::FileMode::direct};

inline std::vector<flashlm::storage::File> open_all(const TempFolder& folder,
                                                    std::initializer_list<const char*> names,
                                                    flashlm::storage::FileMode mode) {
  std::vector<flashlm::storage::File> files;
  for (const char* name : names) files.push_back(flashlm::storage::File::open(folder / name, mode));
  return files;
}

}  // namespace support
