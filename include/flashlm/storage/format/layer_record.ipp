// SPDX-License-Identifier: Apache-2.0
/// layer_record.ipp: the bodies of layer_record.hpp.
#pragma once

#include "flashlm/storage/format/layer_record.hpp"

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_ONCE Json json_of(const LayerRecord& record) {
  const BundleLayout& layout = record.layout;
  Json json;
  json.open(JsonKind::object);
  json.key("file").add(record.file);
  json.key("tensor").add(record.tensor);
  json.key("neurons").add(layout.n_neurons);
  json.key("neurons_per_bundle").add(layout.neurons_per_bundle);
  json.key("dim").add(layout.dim);
  json.key("gated").add(layout.gated);
  json.key("dtype").add(name(layout.dtype));
  json.key("stride").add(layout.stride);
  json.key("placement").add(record.placement);
  json.key("selector").add(record.selector);
  json.close();
  return json;
}

FLASHLM_ONCE LayerRecord read_layer_record(const JsonField& fields) {
  fields.only({"file", "tensor", "neurons", "neurons_per_bundle", "dim", "gated", "dtype", "stride",
               "placement", "selector"});
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
  if (const std::string problem = record.layout.problem(); !problem.empty())
    fields["stride"].refuse(problem);
  return record;
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
