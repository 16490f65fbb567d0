// SPDX-License-Identifier: Apache-2.0
/// open_weights.hpp: the weights of a tiny model behind a stream, read from memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/model/graph/model.hpp"
#include "flashlm/storage/readers/memory_reader.hpp"
#include "flashlm/stream/pass_layout.hpp"
#include "flashlm/stream/weight_stream.hpp"
#include "support/bundle_fixture.hpp"
#include "support/tiny_model.hpp"

namespace support {

/// A tiny model whose pieces are pinned as the test likes, and whose reader fails and counts.
struct OpenWeights {
  using Pinned = std::function<bool(std::size_t piece)>;

  /// By default everything is pinned.
  explicit OpenWeights(
      const TinyShape& shape = {}, std::size_t piece_bytes = 4096,
      const Pinned& pinned = [](std::size_t) { return true; }, std::size_t n_slots = 3,
      std::size_t alignment = 1)
      : tiny(shape),
        model(flashlm::model::Model::open(tiny.path())),
        reader(file_contents(model->bundles()), alignment),
        layout(std::make_shared<const flashlm::stream::PassLayout>(model->segments(),
                                                                   model->n_passed(), piece_bytes)),
        stream(layout, reader, file_bytes(), choose(pinned), {n_slots, layout->slot_bytes()},
               parallel) {
    stream.load();
  }

  std::vector<std::uint64_t> file_bytes() const {
    std::vector<std::uint64_t> sizes;
    for (const flashlm::storage::File& file : model->bundles().files())
      sizes.push_back(file.size());
    return sizes;
  }

  std::vector<bool> choose(const Pinned& pinned) const {
    std::vector<bool> chosen(layout->pieces().size());
    for (std::size_t piece = 0; piece < chosen.size(); ++piece) chosen[piece] = pinned(piece);
    return chosen;
  }

  /// Begins a pass and lets everything before a segment go by.
  void begin_at(std::size_t segment) {
    stream.begin(model->n_passed());
    for (std::size_t before = 0; before < segment; ++before) stream.use(before, [](const auto&) {});
  }

  /// Unit `unit` of a segment, as it lies in its file.
  std::vector<std::byte> unit(std::size_t segment, std::size_t unit) {
    const flashlm::stream::Segment& found = layout->segments()[segment];
    const std::byte* begin =
        reader.file(found.file).data() + found.offset + unit * found.unit_bytes;
    return {begin, begin + found.unit_bytes};
  }

  TinyModel tiny;
  std::shared_ptr<const flashlm::model::Model> model;
  flashlm::storage::MemoryReader reader;
  flashlm::Parallel parallel{2};
  std::shared_ptr<const flashlm::stream::PassLayout> layout;
  flashlm::stream::WeightStream stream;
};

}  // namespace support
