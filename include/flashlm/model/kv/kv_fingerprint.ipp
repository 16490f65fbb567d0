// SPDX-License-Identifier: Apache-2.0
/// kv_fingerprint.ipp: the bodies of kv_fingerprint.hpp.
#pragma once

#include "flashlm/model/kv/kv_fingerprint.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/compute/backend.hpp"
#include "flashlm/storage/format/file_record.hpp"
#include "flashlm/storage/format/layer_record.hpp"
#include "flashlm/storage/format/manifest.hpp"
#include "flashlm/units/select/selector.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE storage::Digest kv_fingerprint(const Model& model, DType kv_dtype,
                                              std::string_view engine_numerics) {
  const storage::Manifest& manifest = model.manifest();
  std::string text =
      concat("flashlm kv\nnumerics ", kNumerics, "\nisa ", compute::Backend::name(), "\nkv ",
             name(kv_dtype), "\nselector ", model.selector().numerics(), "\nmodel ",
             manifest.identity.empty() ? manifest.graph.dump() : manifest.identity);
  for (const storage::LayerRecord& layer : manifest.layers)
    text += concat("\nlayer ", storage::json_of(layer).dump());
  if (!engine_numerics.empty()) text += concat("\npolicy ", engine_numerics);
  std::vector<storage::FileRecord> files = manifest.files;
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const storage::FileRecord& file : files) {
    if (file.is_weights()) text += concat("\nfile ", storage::json_of(file).dump());
  }
  storage::Sha256 hash;
  hash.update(text);
  return hash.digest();
}

}  // namespace flashlm::inline FLASHLM_ABI::model
