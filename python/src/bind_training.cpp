// SPDX-License-Identifier: Apache-2.0
/// bind_training.cpp: what fits the predictor of a layer, and measures it.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "callbacks.hpp"
#include "flashlm/base/dtype.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/training/activations.hpp"
#include "flashlm/training/fit.hpp"
#include "flashlm/training/low_rank.hpp"
#include "flashlm/training/threshold.hpp"

namespace py = pybind11;
using namespace py::literals;

namespace {

using flashlm::DType;
using flashlm::training::Activations;
using flashlm::training::LowRank;

void check_rows(const py::array& array, const char* what) {
  if (array.ndim() == 2) return;
  throw flashlm::ShapeError(flashlm::concat("[python] array: expected 2 dimensions, got ",
                                            array.ndim(), " (", what, ")"));
}

template <class T>
std::span<const T> numbers(const py::array& array, DType dtype, const char* what) {
  const std::span<const std::byte> bytes = bytes_of(array, dtype, what);
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}

/// The arrays of a layer, which must outlive what is returned.
Activations activations_of(const py::array& x, const py::array& codes, const py::array& scales) {
  check_rows(x, "x");
  check_rows(codes, "codes");
  return {.dim = static_cast<std::size_t>(x.shape(1)),
          .n_neurons = static_cast<std::size_t>(codes.shape(1)),
          .x = bytes_of(x, DType::f16, "x"),
          .codes = numbers<std::uint8_t>(codes, DType::u8, "codes"),
          .scales = numbers<float>(scales, DType::f32, "scales")};
}

LowRank predictor_of(const py::array& reduce, const py::array& expand, const py::array& bias) {
  check_rows(reduce, "reduce");
  check_rows(expand, "expand");
  const auto copy = [](const py::array& array, const char* what) {
    const std::span<const float> values = numbers<float>(array, DType::f32, what);
    return std::vector<float>(values.begin(), values.end());
  };
  LowRank made;
  made.rank = static_cast<std::size_t>(reduce.shape(0));
  made.dim = static_cast<std::size_t>(reduce.shape(1));
  made.n_neurons = static_cast<std::size_t>(expand.shape(0));
  made.reduce = copy(reduce, "reduce");
  made.expand = copy(expand, "expand");
  made.bias = copy(bias, "bias");
  return made;
}

py::array array_of(const std::vector<float>& values, std::size_t rows, std::size_t cols) {
  return py::array_t<float>({rows, cols}, values.data());
}

py::tuple fit(const py::array& x, const py::array& codes, const py::array& scales, std::size_t rank,
              std::size_t epochs, std::uint64_t seed, int threads, const Callback& on_step) {
  const Activations activations = activations_of(x, codes, scales);
  LowRank made;
  {
    const py::gil_scoped_release release;
    flashlm::Parallel parallel(threads);
    made = flashlm::training::fit(activations, {.rank = rank, .epochs = epochs, .seed = seed},
                                  parallel, progress(on_step));
  }
  return py::make_tuple(
      array_of(made.reduce, made.rank, made.dim), array_of(made.expand, made.n_neurons, made.rank),
      py::array_t<float>(static_cast<py::ssize_t>(made.bias.size()), made.bias.data()));
}

float find_threshold(const py::array& reduce, const py::array& expand, const py::array& bias,
                     const py::array& x, const py::array& codes, const py::array& scales,
                     double recall, int threads) {
  const LowRank predictor = predictor_of(reduce, expand, bias);
  const Activations activations = activations_of(x, codes, scales);
  const py::gil_scoped_release release;
  flashlm::Parallel parallel(threads);
  return flashlm::training::find_threshold(predictor, activations, recall, parallel);
}

py::dict measure(const py::array& reduce, const py::array& expand, const py::array& bias,
                 const py::array& x, const py::array& codes, const py::array& scales,
                 float threshold, int threads) {
  const LowRank predictor = predictor_of(reduce, expand, bias);
  const Activations activations = activations_of(x, codes, scales);
  flashlm::training::Quality quality;
  {
    const py::gil_scoped_release release;
    flashlm::Parallel parallel(threads);
    quality = flashlm::training::measure(predictor, threshold, activations, parallel);
  }
  return py::dict("active"_a = quality.active, "predicted"_a = quality.predicted,
                  "recall"_a = quality.recall, "mass_recall"_a = quality.mass_recall,
                  "precision"_a = quality.precision);
}

}  // namespace

void bind_training(py::module_& module) {
  module.def("fit_predictor", &fit, "x"_a, "codes"_a, "scales"_a, py::kw_only(), "rank"_a,
             "epochs"_a, "seed"_a, "threads"_a, "progress"_a = py::none(),
             R"(Fit the predictor of one layer to what its neurons did.

Args:
    x: Inputs of the layer, float16 of [tokens, dim].
    codes: uint8 of [tokens, neurons]: the root of an activation's share of its token's largest, times 255.
    scales: float32 of [tokens]: the largest activation of each token.
    rank: Numbers between the two matrices.
    epochs: How often each token is seen.
    seed: The same seed gives the same numbers, whatever the number of threads.
    threads: Threads that compute; 0 is one per core.
    progress: Called with steps done and in total.

Returns:
    ``reduce`` [rank, dim], ``expand`` [neurons, rank] and ``bias`` [neurons], in float32.

Raises:
    ShapeError: There are too few tokens, or arrays disagree.
    ArgumentError: The rank is larger than dim.
    FormatError: A number is not finite, or no neuron fires.)");
  module.def("find_threshold", &find_threshold, "reduce"_a, "expand"_a, "bias"_a, "x"_a, "codes"_a,
             "scales"_a, py::kw_only(), "recall"_a, "threads"_a,
             R"(Find the highest threshold above which a share of the activation mass is selected.

Args:
    reduce: float32 of [rank, dim], rounded as it will be stored.
    expand: float32 of [neurons, rank], rounded likewise.
    bias: float32 of [neurons].
    x: As for `fit_predictor`.
    codes: As for `fit_predictor`.
    scales: As for `fit_predictor`.
    recall: The share.
    threads: Threads that compute; 0 is one per core.

Returns:
    The highest float32 if nothing fires.

Raises:
    ShapeError: Arrays disagree.
    FormatError: A number is not finite.)");
  module.def("measure_predictor", &measure, "reduce"_a, "expand"_a, "bias"_a, "x"_a, "codes"_a,
             "scales"_a, py::kw_only(), "threshold"_a, "threads"_a,
             R"(Compare what a predictor selects above a threshold with what fires.

Args:
    reduce: As for `find_threshold`.
    expand: As for `find_threshold`.
    bias: As for `find_threshold`.
    x: As for `fit_predictor`.
    codes: As for `fit_predictor`.
    scales: As for `fit_predictor`.
    threshold: The logit above which a neuron is selected.
    threads: Threads that compute; 0 is one per core.

Returns:
    Shares by name: "active" and "predicted" of all neurons, "recall" and "mass_recall" of those that fire and of the
    sum of their sizes, "precision" of those selected.

Raises:
    ShapeError: Arrays disagree.
    FormatError: An input is not finite.)");
}
