// SPDX-License-Identifier: Apache-2.0
/// bind_kernels.cpp: converting weights between number formats in Python.
#include <cstddef>
#include <string>
#include <tuple>
#include <vector>

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "flashlm/base/dtype.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/compute/cpu/quantise/convert.hpp"
#include "flashlm/compute/cpu/quantise/requantise.hpp"

namespace py = pybind11;
using namespace py::literals;
using namespace flashlm;

namespace {

/// The rows in the new format (the array itself if that is the old one), and what was lost.
std::tuple<py::array, float, double, double> requantise(const py::array& array,
                                                        const std::string& from,
                                                        const std::string& to, int threads) {
  const DType old_type = dtype_of(from), new_type = dtype_of(to);
  const MatrixView rows = matrix_of(array, old_type, "rows");
  if (const std::size_t numbers = format_of(new_type).numbers; rows.cols % numbers != 0) {
    throw ShapeError(concat("[requantise] rows of ", to, ": expected a multiple of ", numbers,
                            " numbers, got ", rows.cols));
  }
  py::array result = array;
  std::byte* out = nullptr;
  const std::size_t out_bytes = row_bytes(new_type, rows.cols);
  if (old_type != new_type) {
    const py::dtype type = numpy_of(new_type);
    result = py::array(
        type, std::vector<py::ssize_t>{static_cast<py::ssize_t>(rows.rows),
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
  py::class_<NumberFormat>(module, "NumberFormat",
                           R"(How weights are stored: a row of flashlm's table of number formats.

Attributes:
    name: flashlm's word, "q8_0".
    gguf_name: GGUF's word, "Q8_0", which is safetensors' for plain numbers.
    gguf_type: GGUF's number of it.
    numbers: Of a block; 1 where numbers stand alone.
    bytes: Of a block.
    largest: The largest finite number.
    numpy: The numpy type of its rows here: that of the numbers, or unsigned integers that hold their bits; blocks are
        bytes.
    can_round: Whether requantise can make it.
    is_block: Whether numbers share a scale, and rows are whole blocks.)")
      .def_property_readonly("name", [](const NumberFormat& format) { return format.name; })
      .def_property_readonly("gguf_name",
                             [](const NumberFormat& format) { return format.gguf_name; })
      .def_readonly("gguf_type", &NumberFormat::gguf_type)
      .def_readonly("numbers", &NumberFormat::numbers)
      .def_readonly("bytes", &NumberFormat::bytes)
      .def_readonly("largest", &NumberFormat::largest)
      .def_property_readonly("numpy",
                             [](const NumberFormat& format) { return numpy_of(format.dtype); })
      .def_property_readonly(
          "can_round", [](const NumberFormat& format) { return kernels::can_round(format.dtype); })
      .def_property_readonly("is_block",
                             [](const NumberFormat& format) { return is_block(format.dtype); });
  module.def(
      "number_formats",
      [] {
        std::vector<const NumberFormat*> result;
        for (const NumberFormat& format : kNumberFormats) {
          if (is_number(format.dtype)) result.push_back(&format);
        }
        return result;
      },
      py::return_value_policy::reference,
      "All formats of numbers that the engine computes with, plain ones first "
      "(docs/number_formats.md).");
  module.def("requantise", &requantise, "rows"_a, "from_dtype"_a, "to_dtype"_a, "threads"_a = 0,
             R"(Convert rows of weights to another number format.

Args:
    rows: [n, k] of float32, float16 or unsigned integers (see NumberFormat.numpy); blocks lie row by row.
    from_dtype: What they are: the name of a number format.
    to_dtype: What they become; the same leaves them as they are and only looks.
    threads: How many convert; 0 means all.

Returns:
    The rows, as an array of the same kinds; the largest magnitude that came in (not finite if a number is not); the sum
    of the squares that came in; and that of the squares of the errors.

Raises:
    ArgumentError: Another number format.
    ShapeError: An array of another kind, or rows that are not whole blocks.)");
  module.def(
      "row_bytes",
      [](const std::string& dtype, std::size_t n) { return row_bytes(dtype_of(dtype), n); },
      "dtype"_a, "n"_a,
      "Bytes of a row of n numbers of a number format; n is a multiple of its numbers a block.");
}
