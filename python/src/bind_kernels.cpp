// SPDX-License-Identifier: Apache-2.0
/// bind_kernels.cpp: converting weights between number formats in Python.
#include <cstddef>
#include <string>
#include <tuple>
#include <vector>

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "arrays.hpp"
#include "flashlm/base/dtype.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/parallel.hpp"
#include "flashlm/kernels/requantise.hpp"

namespace py = pybind11;
using namespace py::literals;
using namespace flashlm;

namespace {

/// The rows in the new format (the array itself if that is the old one), and what was lost.
std::tuple<py::array, float, double, double> requantise(const py::array& array, const std::string& from,
                                                        const std::string& to, int threads) {
  const DType old_type = dtype_of(from), new_type = dtype_of(to);
  const MatrixView rows = matrix_of(array, old_type, "rows");
  if (is_block(new_type) && rows.cols % kBlockNumbers != 0) {
    throw ShapeError(
        concat("[requantise] rows of ", to, ": expected a multiple of ", kBlockNumbers, " numbers, got ", rows.cols));
  }
  py::array result = array;
  std::byte* out = nullptr;
  const std::size_t out_bytes = row_bytes(new_type, rows.cols);
  if (old_type != new_type) {
    const py::dtype type = numpy_of(new_type);
    result = py::array(type, std::vector<py::ssize_t>{static_cast<py::ssize_t>(rows.rows),
                                                      static_cast<py::ssize_t>(out_bytes) / type.itemsize()});
    out = static_cast<std::byte*>(result.mutable_data());
  }
  std::vector<kernels::Loss> losses(rows.rows);
  {
    const py::gil_scoped_release release;
    Parallel parallel(threads);
    parallel.for_range(rows.rows, 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t row = begin; row < end; ++row) {
        std::byte* const target = out == nullptr ? nullptr : out + row * out_bytes;
        losses[row] = kernels::requantise(old_type, rows.row(row), rows.cols, new_type, target);
      }
    });
  }
  // Row by row, so that the sums do not depend on the threads.
  kernels::Loss total;
  for (const kernels::Loss& loss : losses) total += loss;
  return {result, total.largest, total.squares, total.squared_error};
}

}  // namespace

void bind_kernels(py::module_& module) {
  module.def("requantise", &requantise, "rows"_a, "from_dtype"_a, "to_dtype"_a, "threads"_a = 0,
             R"(Convert rows of weights to another number format.

Args:
    rows: [n, k] of float32, float16, uint16 (the bits of bf16) or uint8 (q8_0 and q4_0: blocks, row by row).
    from_dtype: What they are: 'f32', 'f16', 'bf16', 'q8_0' or 'q4_0'.
    to_dtype: What they become; the same leaves them as they are and only looks.
    threads: How many convert; 0 means all.

Returns:
    The rows, as an array of the same kinds; the largest magnitude that came in (not finite if a number is not); the sum
    of the squares that came in; and that of the squares of the errors.

Raises:
    ArgumentError: Another number format.
    ShapeError: An array of another kind, or rows that are not whole blocks.)");
  module.def(
      "row_bytes", [](const std::string& dtype, std::size_t n) { return row_bytes(dtype_of(dtype), n); }, "dtype"_a,
      "n"_a, "Bytes of a row of n numbers of a number format; n is a multiple of 32 for q8_0 and q4_0.");
}
