// SPDX-License-Identifier: Apache-2.0
/// model.ipp: the bodies of model.hpp.
#pragma once

#include "flashlm/model/graph/model.hpp"

#include <algorithm>
#include <iterator>
#include <set>

#include "flashlm/base/error.hpp"
#include "flashlm/model/graph/read_spec.hpp"
#include "flashlm/model/graph/runs.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

namespace detail {

inline storage::Manifest open_manifest(const std::filesystem::path& folder,
                                       const std::string& text) {
  if (text.empty()) return storage::Manifest::open(folder);
  storage::Manifest manifest =
      storage::Manifest::parse(text, (folder / storage::Manifest::kFileName).string());
  manifest.check_files(folder);
  return manifest;
}

}  // namespace detail

FLASHLM_INLINE std::shared_ptr<const Model> Model::open(const std::filesystem::path& folder,
                                                        std::string_view selector,
                                                        const std::string& manifest) {
  return std::shared_ptr<const Model>(new Model(folder, selector, manifest));
}

FLASHLM_INLINE std::size_t Model::tile_cols() const noexcept {
  std::size_t cols = 0;
  for (const Matrix& matrix : weights_.matrices()) {
    if (matrix.tiled) cols = std::max(cols, matrix.cols);
  }
  return cols;
}

FLASHLM_INLINE DType Model::kv_dtype() const noexcept {
  for (std::size_t layer = 0; layer < spec_.n_layers(); ++layer) {
    if (bundled() && bundles_.layout(layer).dtype != DType::f32) return DType::f16;
    for (const PartWeights& part : weights_.layer(layer).parts) {
      for (const Matrix* matrix : {&part.ffn.gate, &part.ffn.up, &part.ffn.down}) {
        if (matrix->dtype != DType::f32) return DType::f16;
      }
    }
  }
  return DType::f32;
}

FLASHLM_INLINE Model::Model(const std::filesystem::path& folder, std::string_view selector,
                            const std::string& manifest)
    : folder_(folder),
      manifest_(detail::open_manifest(folder, manifest)),
      bundles_(storage::BundleFile::open(folder, manifest_, storage::FileMode::direct)) {
  const std::string path = (folder_ / storage::Manifest::kFileName).string();
  spec_ = read_spec(manifest_.graph, path);
  require_runs(spec_, path);
  tensors_ = model::tensors(spec_, bundled());
  check();
  selector_ =
      units::choose_selector(selector, folder_, manifest_, bundles_, spec_.ffn().activation);
  open_weights();
}

FLASHLM_INLINE void Model::open_weights() {
  std::set<std::string> others;  // files of bundles
  for (const storage::LayerRecord& layer : manifest_.layers) others.insert(layer.file);
  std::vector<std::filesystem::path> paths;
  for (const storage::FileRecord& file : manifest_.files) {
    if (file.is_weights() && !others.contains(file.name)) paths.push_back(folder_ / file.name);
  }
  std::vector<GraphTensor> wanted;
  std::copy_if(
      tensors_.begin(), tensors_.end(), std::back_inserter(wanted),
      [&](const GraphTensor& tensor) { return !bundled() || tensor.kind != TensorKind::neurons; });
  weights_ = Weights::open(paths, spec_, wanted);
  const std::size_t first = bundles_.files().size();
  for (const std::filesystem::path& path : paths)
    bundles_.add(storage::File::open(path, storage::FileMode::direct));
  place_segments(first);
}

FLASHLM_INLINE void Model::check() const {
  const auto is_resident = [](const storage::FileRecord& file) {
    return file.name == kResidentFile && file.is_weights();
  };
  if (std::none_of(manifest_.files.begin(), manifest_.files.end(), is_resident)) {
    throw FormatError(concat("[model] file: flashlm.json does not list ", kResidentFile, " (",
                             folder_.string(), ")"));
  }
  const auto check_token = [&](Token token, std::string_view what) {
    if (static_cast<std::size_t>(token) < spec_.vocab_size) return;
    throw FormatError(concat("[model] tokens.", what, ": expected an id below ", spec_.vocab_size,
                             ", got ", token, " (", folder_.string(), ")"));
  };
  if (manifest_.bos) check_token(*manifest_.bos, "bos");
  for (const Token token : manifest_.eos) check_token(token, "eos");
  if (bundled() && bundles_.n_layers() != spec_.n_layers())
    mismatch("layers", spec_.n_layers(), bundles_.n_layers(), 0);
  for (std::size_t layer = 0; layer < bundles_.n_layers(); ++layer) {
    const storage::BundleLayout& layout = bundles_.layout(layer);
    const FfnSpec& ffn = spec_.layer(layer).find(PartKind::ffn)->ffn;
    if (layout.dim != spec_.dim) mismatch("dim", spec_.dim, layout.dim, layer);
    if (layout.n_neurons != ffn.hidden) mismatch("neurons", ffn.hidden, layout.n_neurons, layer);
    if (layout.gated != ffn.gated) mismatch("gate rows", ffn.gated, layout.gated, layer);
  }
}

FLASHLM_INLINE void Model::place_segments(std::size_t first) {
  for (const GraphTensor& tensor : tensors_) {
    if (!tensor.segment) continue;
    segments_.resize(std::max(segments_.size(), *tensor.segment + 1));
    // The one matrix that every network has.
    if (!bundled() || tensor.role != TensorRole::up) continue;
    const storage::BundleLayout& layout = bundles_.layout(tensor.layer);
    const storage::Place all = bundles_.locate(tensor.layer, 0, layout.n_bundles());
    segments_[*tensor.segment] = {all.file, all.extent.offset, layout.n_bundles(), layout.stride};
    neuron_segments_.push_back(*tensor.segment);
  }
  for (const Matrix& matrix : weights_.matrices()) {
    segments_[matrix.segment] = {static_cast<std::uint32_t>(first + matrix.file),
                                 matrix.extent.offset, matrix.n_units(), matrix.unit_bytes()};
  }
}

FLASHLM_INLINE void Model::mismatch(std::string_view what, std::size_t expected, std::size_t got,
                                    std::size_t layer) const {
  throw FormatError(
      concat("[model] ", what, ": the graph says ", expected, ", the record of the layer says ",
             got, " (", (folder_ / storage::Manifest::kFileName).string(), ", layer ", layer, ")"));
}

}  // namespace flashlm::inline FLASHLM_ABI::model
