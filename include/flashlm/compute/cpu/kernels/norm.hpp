// SPDX-License-Identifier: Apache-2.0
/// norm.hpp: root mean square normalisation (arXiv:1910.07467, equation 4) and layer normalisation
/// (arXiv:1607.06450).
#pragma once

#include <span>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

/// out[i] = x[i] / sqrt(mean(x^2) + epsilon) * weight[i].
///
/// x, weight, out [dim]; out may be x. Allocates nothing. Thread-safe.
void rms_norm(std::span<const float> x, std::span<const float> weight, float epsilon,
              std::span<float> out);

/// out[i] = (x[i] - mean(x)) / sqrt(variance(x) + epsilon) * weight[i] + bias[i], with variance =
/// mean((x - mean)^2).
///
/// x, weight, bias, out [dim]; out may be x, and only x. Allocates nothing. Thread-safe.
void layer_norm(std::span<const float> x, std::span<const float> weight,
                std::span<const float> bias, float epsilon, std::span<float> out);

}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/kernels/norm.ipp"
#endif
