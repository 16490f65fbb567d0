// SPDX-License-Identifier: Apache-2.0
/// spec.hpp: the graph of a model in flashlm's own words, as flashlm.json has it (docs/graph.md).
///
/// Plain data. `read_spec` makes it, `tensors` lists its weights, `require_runs`
/// refuses what the engine does not compute. A number that is absent in the file has the value
/// here.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "flashlm/compute/cpu/isa/activation_kind.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// rms: x / sqrt(mean(x^2) + epsilon) (arXiv:1910.07467); layer: the mean is taken off before
/// (arXiv:1607.06450).
enum class NormKind { rms, layer };

/// A norm, times a weight, plus a bias, where it has them.
struct NormSpec {
  NormKind kind = NormKind::rms;
  float epsilon = 0;
  bool weight = true;
  bool bias = false;
};

/// Which numbers of a head turn together: i and i + dims / 2 (transformers), or 2 i and 2 i + 1.
enum class RopeLayout { halves, pairs };

/// The angles of a session whose context is above `original_context`.
struct LongRope {
  std::size_t original_context = 0;
  std::vector<float> frequencies;  // [dims / 2]
  float attention_factor = 1;

  friend bool operator==(const LongRope&, const LongRope&) = default;
};

/// Rotary positions (arXiv:2104.09864): pair i of a head turns by position * frequencies[i]
/// radians.
///
/// Scaling of frequencies is the packer's work: it is in the numbers.
struct RopeSpec {
  RopeLayout layout = RopeLayout::halves;
  std::size_t dims = 0;            // the first of a head; the others do not turn
  std::vector<float> frequencies;  // [dims / 2], radians a position
  float attention_factor = 1;      // of cosines and sines
  std::optional<LongRope> by_context;

  friend bool operator==(const RopeSpec&, const RopeSpec&) = default;
};

/// What a norm of queries, keys or values runs over: each head, or all heads as one row.
enum class NormOver { head, whole };
enum class NormPlace { before_rope, after_rope };

/// A norm of queries, keys or values.
struct HeadNormSpec {
  NormSpec norm;
  NormOver over = NormOver::head;
  NormPlace place = NormPlace::before_rope;
  float factor = 1;  // the result times this
};

/// Queries times 1 + beta * ln(1 + floor(position / original)).
struct QueryScale {
  float beta = 0;
  std::size_t original = 0;  // positions
};

/// Where a network or attention takes a factor from: sigmoid of a product with its input.
enum class OutputGate {
  none,
  separate,   // a matrix [values, dim] of its own
  with_query  // rows behind each head's query
};

/// Where values come from: a matrix of their own, or the product for the keys before norm and rope.
enum class ValueSource { own, key };

/// Which of four products have a bias.
struct AttentionBias {
  bool query = false;
  bool key = false;
  bool value = false;
  bool output = false;
};

/// Grouped-query attention (arXiv:2305.13245). Query head h reads key head h / (heads / kv_heads).
struct AttentionSpec {
  std::size_t heads = 0;
  std::size_t kv_heads = 0;
  std::size_t head_dim = 0;      // of queries and keys
  std::size_t value_dim = 0;     // of values
  float scale = 0;               // scores are q . k times this
  std::optional<RopeSpec> rope;  // absent: positions turn nothing
  std::size_t window = 0;        // position i sees j where i - j < window; 0: all
  float softcap = 0;             // c * tanh(score / c); 0: none
  bool sinks = false;            // a logit a head that takes part in the softmax and adds no value
  AttentionBias bias;
  std::optional<HeadNormSpec> q_norm;
  std::optional<HeadNormSpec> k_norm;
  std::optional<HeadNormSpec> v_norm;
  std::optional<QueryScale> query_scale;
  float clip = 0;  // queries, keys and values are cut to +-clip before norms; 0: not
  OutputGate output_gate = OutputGate::none;
  ValueSource value = ValueSource::own;
  std::optional<std::size_t> shares_kv_of;  // a layer before this one
};

/// Which of three products have a bias.
struct FfnBias {
  bool gate = false;
  bool up = false;
  bool down = false;
};

/// down(activation(gate(x)) * up(x)), or, without a gate, down(activation(up(x))).
struct FfnSpec {
  std::size_t hidden = 0;  // neurons
  bool gated = true;
  kernels::Activation activation = kernels::Activation::silu;
  float threshold = 0;  // fatrelu
  float alpha = 0;      // clamped_swiglu
  float limit = 0;      // clamped_swiglu
  FfnBias bias;
  bool output_gate = false;  // the sum times sigmoid(w . x)
};

enum class RouterScores { softmax, sigmoid };
enum class RouterWeights { of_all, of_chosen };

/// A part's input: the residual stream, the input of the layer, or what the norm before part `part`
/// gave.
struct Reads {
  enum class From { residual, layer_input, norm_of };
  From from = From::residual;
  std::size_t part = 0;  // norm_of
};

/// The `keep` groups of experts whose best two scores have the largest sum take part.
struct RouterGroups {
  std::size_t n = 0;
  std::size_t keep = 0;
};

/// Chooses experts: the `top_k` largest of scores(matrix . x).
struct RouterSpec {
  bool reads_layer_input = false;  // else what the part reads
  std::optional<NormSpec> norm;
  RouterScores scores = RouterScores::softmax;
  bool bias = false;            // of the product
  bool selection_bias = false;  // added to scores for choosing only
  std::optional<RouterGroups> groups;
  RouterWeights weights = RouterWeights::of_all;
  bool renormalise = false;   // weights of the chosen sum to one
  float epsilon = 0;          // added to that sum
  float scale = 1;            // of the weights
  bool expert_scale = false;  // a factor an expert
};

/// A mixture: the sum of top_k of n networks, each times its weight.
struct ExpertsSpec {
  std::size_t n = 0;
  std::size_t top_k = 0;
  FfnSpec expert;
  RouterSpec router;
};

/// What a part of a layer does.
enum class PartKind { attention, ffn, experts, cross, delta, convolution, state_space };

/// A part: after(does(before(reads))) * residual_scale, added to the residual stream with its
/// group.
struct PartSpec {
  PartKind does = PartKind::attention;
  Reads reads;
  std::optional<NormSpec> before;
  std::optional<NormSpec> after;
  std::size_t group = 0;  // parts of one group read the same residual and are added together
  float residual_scale = 1;
  AttentionSpec attention;  // attention, cross
  FfnSpec ffn;              // ffn
  ExpertsSpec experts;      // experts
};

struct LayerSpec {
  std::vector<PartSpec> parts;                       // groups ascend from 0
  std::vector<std::optional<NormSpec>> group_after;  // [n_groups]: of the sum of a group
  bool output_scale = false;                         // the layer's output times a weight [1]

  /// The first part that does `kind`, or null.
  const PartSpec* find(PartKind kind) const noexcept {
    for (const PartSpec& part : parts) {
      if (part.does == kind) return &part;
    }
    return nullptr;
  }
};

enum class StackKind { decoder, encoder };

/// Layers in order. Layers that are alike share one spec.
struct StackSpec {
  StackKind kind = StackKind::decoder;
  std::vector<LayerSpec> kinds;
  std::vector<std::size_t> layers;  // [n_layers]: which of `kinds` each is

  const LayerSpec& layer(std::size_t index) const { return kinds[layers[index]]; }
};

/// A table whose row position + offset is added to the embedding.
struct PositionTable {
  std::size_t rows = 0;
  std::size_t offset = 0;
};

struct EmbeddingSpec {
  float scale = 1;
  std::optional<NormSpec> norm;
  std::optional<PositionTable> positions;
};

/// logits = cap(scale * (matrix . x + bias)), cap(y) = softcap * tanh(y / softcap) where it is not
/// 0.
struct HeadSpec {
  bool tied = false;  // the matrix is the embedding
  bool bias = false;
  float scale = 1;
  float softcap = 0;
};

/// A whole model.
struct ModelSpec {
  std::size_t dim = 0;  // of the residual stream
  std::size_t vocab_size = 0;
  std::size_t max_context = 0;  // positions
  EmbeddingSpec embedding;
  std::vector<StackSpec> stacks;
  NormSpec final_norm;
  HeadSpec head;

  /// The stack whose layers make the tokens: the last one.
  const StackSpec& decoder() const { return stacks.back(); }
  std::size_t n_layers() const { return decoder().layers.size(); }
  const LayerSpec& layer(std::size_t index) const { return decoder().layer(index); }
  /// Attention and network of the first layer: of a model that runs, all layers have their sizes.
  const AttentionSpec& attention() const { return layer(0).find(PartKind::attention)->attention; }
  const FfnSpec& ffn() const { return layer(0).find(PartKind::ffn)->ffn; }
};

}  // namespace flashlm::inline FLASHLM_ABI::model
