// SPDX-License-Identifier: Apache-2.0
/// layer_record.hpp: what the manifest remembers of the neurons of one layer.
#pragma once

#include <string>

#include "flashlm/storage/format/bundle_layout.hpp"
#include "flashlm/storage/format/json.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// Where the neurons of one layer are, and how they lie there.
struct LayerRecord {
  std::string file;    // a weight file of the folder
  std::string tensor;  // U8 [n_bundles, stride] in it
  BundleLayout layout;
  std::string placement = "source";  // the order of the neurons
  std::string selector = "dense";    // what may choose among them

  friend bool operator==(const LayerRecord&, const LayerRecord&) noexcept = default;
};

/// `record` as it stands in flashlm.json.
Json json_of(const LayerRecord& record);

/// The inverse of `json_of`. The layout has no problem() then. Throws FormatError.
LayerRecord read_layer_record(const JsonField& fields);

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/format/layer_record.ipp"
#endif
