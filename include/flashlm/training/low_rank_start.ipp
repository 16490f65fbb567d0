// SPDX-License-Identifier: Apache-2.0
/// low_rank_start.ipp: the bodies of low_rank_start.hpp.
#pragma once

#include "flashlm/training/low_rank_start.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/training/eigen.inc"

namespace flashlm::inline FLASHLM_ABI::training {

namespace detail {

/// The slopes of the loss at the bias alone, R [n_tokens, n_neurons], and its products. A row is a
/// token, a column a neuron divided by the root of its curvature. Made block by block, never whole.
class Slopes {
 public:
  using Matrix = Eigen::MatrixXf;

  Slopes(const Activations& activations, const Balance& balance, Parallel& parallel)
      : activations_(activations), balance_(balance), parallel_(parallel) {
    const std::size_t n = activations.n_tokens(), n_taken = std::min(n, kStartTokens);
    for (std::size_t i = 0; i < n_taken; ++i) tokens_.push_back(i * n / n_taken);
    for (std::size_t i = 0; i < activations.n_neurons; ++i) {
      probabilities_.push_back(1 / (1 + std::exp(-balance.bias[i])));
      roots_.push_back(std::sqrt(balance.curvature[i]));
    }
  }

  std::span<const std::size_t> tokens() const noexcept { return tokens_; }
  float root(std::size_t neuron) const noexcept { return roots_[neuron]; }

  /// R^T right / n_tokens: [n_neurons, k] of [n_tokens, k].
  Matrix transposed_times(const Matrix& right) const {
    Matrix out(static_cast<Eigen::Index>(roots_.size()), right.cols());
    parallel_.for_range(roots_.size(), kNeurons, [&](std::size_t begin, std::size_t end) {
      Matrix block;
      for (std::size_t first = begin; first < end; first += kNeurons) {
        const std::size_t n = std::min(kNeurons, end - first);
        fill(0, tokens_.size(), first, n, block);
        out.middleRows(static_cast<Eigen::Index>(first), static_cast<Eigen::Index>(n)).noalias() =
            block.transpose() * right / static_cast<float>(tokens_.size());
      }
    });
    return out;
  }

  /// R right: [n_tokens, k] of [n_neurons, k].
  Matrix times(const Matrix& right) const {
    Matrix out(static_cast<Eigen::Index>(tokens_.size()), right.cols());
    parallel_.for_range(tokens_.size(), kTokens, [&](std::size_t begin, std::size_t end) {
      Matrix block;
      for (std::size_t token = begin; token < end; token += kTokens) {
        const std::size_t n_tokens = std::min(kTokens, end - token);
        auto rows =
            out.middleRows(static_cast<Eigen::Index>(token), static_cast<Eigen::Index>(n_tokens));
        rows.setZero();
        for (std::size_t first = 0; first < roots_.size(); first += kNeurons) {
          const std::size_t n = std::min(kNeurons, roots_.size() - first);
          fill(token, n_tokens, first, n, block);
          rows.noalias() += block * right.middleRows(static_cast<Eigen::Index>(first),
                                                     static_cast<Eigen::Index>(n));
        }
      }
    });
    return out;
  }

 private:
  static constexpr std::size_t kNeurons = 64;
  static constexpr std::size_t kTokens = 256;

  void fill(std::size_t token, std::size_t n_tokens, std::size_t first, std::size_t n,
            Matrix& block) const {
    block.resize(static_cast<Eigen::Index>(n_tokens), static_cast<Eigen::Index>(n));
    for (std::size_t i = 0; i < n_tokens; ++i) {
      const std::size_t row = tokens_[token + i];
      for (std::size_t j = 0; j < n; ++j) {
        const std::size_t neuron = first + j;
        const float probability = probabilities_[neuron];
        const float slope =
            activations_.fires(row, neuron)
                ? balance_.weight(activations_.size(row, neuron)) * (1 - probability)
                : -probability;
        block(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) = slope / roots_[neuron];
      }
    }
  }

  const Activations& activations_;
  const Balance& balance_;
  Parallel& parallel_;
  std::vector<std::size_t> tokens_;
  std::vector<float> probabilities_, roots_;  // [n_neurons]
};

/// left^T right, split by columns of left; the split changes no bit.
inline Eigen::MatrixXf product(const Eigen::MatrixXf& left, const Eigen::MatrixXf& right,
                               Parallel& parallel) {
  constexpr std::size_t kColumns = 128;
  Eigen::MatrixXf out(left.cols(), right.cols());
  parallel.for_range(
      static_cast<std::size_t>(left.cols()), kColumns, [&](std::size_t begin, std::size_t end) {
        for (std::size_t first = begin; first < end; first += kColumns) {
          const auto at = static_cast<Eigen::Index>(first);
          const auto n = static_cast<Eigen::Index>(std::min(kColumns, end - first));
          out.middleRows(at, n).noalias() = left.middleCols(at, n).transpose() * right;
        }
      });
  return out;
}

/// The inputs of tokens [n_tokens, dim], scaled, less their mean, which is returned beside them.
inline std::pair<Eigen::MatrixXf, Eigen::RowVectorXf> centred_inputs(
    const Activations& activations, std::span<const std::size_t> tokens, float x_scale) {
  Eigen::MatrixXf x(static_cast<Eigen::Index>(tokens.size()),
                    static_cast<Eigen::Index>(activations.dim));
  std::vector<float> row(activations.dim);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    activations.read_input(tokens[i], row);
    x.row(static_cast<Eigen::Index>(i)) =
        x_scale * Eigen::Map<const Eigen::RowVectorXf>(row.data(), x.cols());
  }
  const Eigen::RowVectorXf mean = x.colwise().mean();
  x.rowwise() -= mean;
  return {std::move(x), mean};
}

}  // namespace detail

FLASHLM_ONCE LowRank low_rank_start(const Activations& activations, const Balance& balance,
                                    float x_scale, std::size_t rank, Random& random,
                                    Parallel& parallel) {
  if (rank == 0 || rank > activations.dim) {
    throw ArgumentError(concat("[train] rank: expected 1 to ", activations.dim,
                               ", the inputs of the layer, got ", rank, "."));
  }
  using Matrix = Eigen::MatrixXf;
  constexpr std::size_t kSpare = 16;  // directions beside those that are kept
  constexpr int kPasses = 2;
  const detail::Slopes slopes(activations, balance, parallel);
  const auto [x, mean] = detail::centred_inputs(activations, slopes.tokens(), x_scale);

  // The ridge is the mean eigenvalue: directions in which inputs hardly vary get small numbers.
  Matrix covariance = detail::product(x, x, parallel) / static_cast<float>(x.rows());
  const float ridge = covariance.trace() / static_cast<float>(x.cols());
  covariance.diagonal().array() += ridge > 0 ? ridge : 1.0F;
  const Eigen::LLT<Eigen::Ref<Matrix>> root(covariance);

  // M = root^-1 x^T R is [dim, n_neurons]; the columns of `basis` come to span its largest part.
  const auto n_columns = static_cast<Eigen::Index>(std::min(rank + kSpare, activations.dim));
  Matrix start(x.cols(), n_columns);
  for (float& value : start.reshaped()) value = random.uniform(-1.0F, 1.0F);
  const auto orthonormal = [&](const Matrix& columns) -> Matrix {
    return Eigen::HouseholderQR<Matrix>(columns).householderQ() *
           Matrix::Identity(x.cols(), n_columns);
  };
  Matrix basis = orthonormal(start), answers;
  for (int pass = 0;; ++pass) {
    answers = slopes.transposed_times(x * root.matrixU().solve(basis));  // M^T basis
    if (pass == kPasses) break;
    basis = orthonormal(root.matrixL().solve(detail::product(x, slopes.times(answers), parallel)));
  }
  const Eigen::SelfAdjointEigenSolver<Matrix> parts(detail::product(answers, answers, parallel));
  const Matrix kept = parts.eigenvectors().rightCols(static_cast<Eigen::Index>(rank));
  Matrix reduce = root.matrixU().solve(basis * kept);  // [dim, rank]
  Matrix expand = answers * kept;                      // [n_neurons, rank]
  for (Eigen::Index neuron = 0; neuron < expand.rows(); ++neuron)
    expand.row(neuron) /= slopes.root(static_cast<std::size_t>(neuron));
  const float deviation =
      ((x * reduce).colwise().norm() / std::sqrt(static_cast<float>(x.rows()))).mean();
  if (deviation > 0) {
    reduce /= deviation;
    expand *= deviation;
  }

  LowRank result = LowRank::zeros(rank, activations.dim, activations.n_neurons);
  Eigen::Map<Matrix>(result.reduce.data(), reduce.rows(), reduce.cols()) = reduce;
  Eigen::Map<Matrix>(result.expand.data(), expand.cols(), expand.rows()) = expand.transpose();
  const Eigen::VectorXf shift = expand * (mean * reduce).transpose();
  for (std::size_t i = 0; i < result.bias.size(); ++i)
    result.bias[i] = balance.bias[i] - shift[static_cast<Eigen::Index>(i)];
  return result;
}

}  // namespace flashlm::inline FLASHLM_ABI::training
