// SPDX-License-Identifier: Apache-2.0
/// requantise.ipp: the bodies of requantise.hpp.
#pragma once

#include "flashlm/compute/cpu/quantise/requantise.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "flashlm/compute/cpu/quantise/convert.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

FLASHLM_INLINE Loss& Loss::operator+=(const Loss& other) noexcept {
  // As whole numbers infinity is above every finite magnitude, and NaN above infinity.
  if (std::bit_cast<std::uint32_t>(other.largest) > std::bit_cast<std::uint32_t>(largest))
    largest = other.largest;
  squares += other.squares;
  squared_error += other.squared_error;
  return *this;
}

namespace detail {

/// The largest magnitude; not finite if one of the numbers is not.
inline float largest_of(std::span<const float> numbers) noexcept {
  std::uint32_t largest = 0;
  for (const float number : numbers)
    largest = std::max(largest, std::bit_cast<std::uint32_t>(number) & 0x7fffffffu);
  return std::bit_cast<float>(largest);
}

/// The loss between numbers that came in and what became of them; sums in eight lanes, so that they
/// can be vectors.
inline Loss loss_of(std::span<const float> in, std::span<const float> out) noexcept {
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> squares{}, errors{};
  const auto add = [&](std::size_t i, std::size_t lane) {
    const double number = in[i], error = double{out[i]} - number;
    squares[lane] += number * number;
    errors[lane] += error * error;
  };
  std::size_t i = 0;
  for (; i + kLanes <= in.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) add(i + lane, lane);
  }
  for (; i < in.size(); ++i) add(i, i % kLanes);
  Loss loss{largest_of(in), 0, 0};
  for (std::size_t lane = 0; lane < kLanes; ++lane) loss += {0, squares[lane], errors[lane]};
  return loss;
}

}  // namespace detail

FLASHLM_INLINE Loss requantise(DType from, const std::byte* row, std::size_t n, DType to,
                               std::byte* out) {
  constexpr std::size_t kRun = 1024;  // numbers at a time: whole blocks, in cache
  std::array<float, kRun> numbers, result;
  Loss loss;
  for (std::size_t first = 0; first < n; first += kRun) {
    const std::size_t count = std::min(kRun, n - first);
    const std::span in(numbers.data(), count), back(result.data(), count);
    const std::byte* piece = row + row_bytes(from, first);
    to_f32(from, piece, in);
    if (from == to) {
      loss += {detail::largest_of(in), 0, 0};
    } else {
      std::byte* target = out + row_bytes(to, first);
      from_f32(in, to, target);
      to_f32(to, target, back);
      loss += detail::loss_of(in, back);
    }
  }
  return loss;
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels
