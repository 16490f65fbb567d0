// SPDX-License-Identifier: Apache-2.0
/// layer_record.ipp: the bodies of layer_record.hpp.
#pragma once

#include "flashlm/storage/layer_record.hpp"

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_INLINE nlohmann::ordered_json json_of(const LayerRecord& record) {
  const BundleLayout& layout = record.layout;
  nlohmann::ordered_json json;
  json["file"] = record.file;
  json["tensor"] = record.tensor;
  json["neurons"] = layout.n_neurons;
  json["neurons_per_bundle"] = layout.neurons_per_bundle;
  json["dim"] = layout.dim;
  json["gated"] = layout.gated;
  json["dtype"] = std::string(name(layout.dtype));
  json["stride"] = layout.stride;
  json["placement"] = record.placement;
  json["selector"] = record.selector;
  return json;
}

FLASHLM_INLINE LayerRecord read_layer_record(const JsonField& fields) {
  fields.only(
      {"file", "tensor", "neurons", "neurons_per_bundle", "dim", "gated", "dtype", "stride", "placement", "selector"});
  LayerRecord record;
  record.file = fields["file"].word();
  record.tensor = fields["tensor"].word();
  record.layout.n_neurons = fields["neurons"].count();
  record.layout.neurons_per_bundle = fields["neurons_per_bundle"].count();
  record.layout.dim = fields["dim"].count();
  record.layout.gated = fields["gated"].flag();
  try {
    record.layout.dtype = parse_dtype(fields["dtype"].string());
  } catch (const FormatError&) {
    fields["dtype"].wrong(names_of(is_number));
  }
  record.layout.stride = fields["stride"].count();
  record.placement = fields["placement"].word();
  record.selector = fields["selector"].word();
  if (const std::string problem = record.layout.problem(); !problem.empty()) fields["stride"].refuse(problem);
  return record;
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
