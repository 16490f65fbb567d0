// SPDX-License-Identifier: Apache-2.0
/// arrays.hpp: numpy arrays as rows of weights, without a copy.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/storage/format/safetensors.hpp"

/// The numpy type that holds numbers of that format. numpy knows f32 and f16: other numbers are
/// passed as their bits, blocks as their bytes.
inline pybind11::dtype numpy_of(flashlm::DType dtype) {
  using flashlm::DType;
  if (dtype == DType::f32) return pybind11::dtype("float32");
  if (dtype == DType::f16) return pybind11::dtype("float16");
  return pybind11::dtype(
      flashlm::concat("uint", flashlm::is_block(dtype) ? 8 : 8 * flashlm::row_bytes(dtype, 1)));
}

/// Throws ShapeError unless the array has the numpy type of `dtype`.
inline void check_type(const pybind11::array& array, flashlm::DType dtype,
                       const std::string& what) {
  const pybind11::dtype expected = numpy_of(dtype);
  if (array.dtype().equal(expected)) return;
  throw flashlm::ShapeError(
      flashlm::concat("[python] array: expected ", std::string(pybind11::str(expected)), ", got ",
                      std::string(pybind11::str(array.dtype())), " (", what, ")"));
}

inline flashlm::ShapeError order_error(const std::string& what) {
  return flashlm::ShapeError(
      flashlm::concat("[python] array: expected C order without gaps, got another (", what,
                      "). numpy.ascontiguousarray makes it so."));
}

/// The bytes of a C-contiguous array of the numpy type of `dtype`; nothing is converted or copied.
inline std::span<const std::byte> bytes_of(const pybind11::array& array, flashlm::DType dtype,
                                           const std::string& what) {
  check_type(array, dtype, what);
  if ((array.flags() & pybind11::array::c_style) == 0) throw order_error(what);
  return {static_cast<const std::byte*>(array.data()), static_cast<std::size_t>(array.nbytes())};
}

/// The rows of a matrix of the numpy type of `dtype`, each without gaps; other rows may lie between
/// them.
inline flashlm::MatrixView matrix_of(const pybind11::array& array, flashlm::DType dtype,
                                     const char* what) {
  check_type(array, dtype, what);
  if (array.ndim() != 2) {
    throw flashlm::ShapeError(flashlm::concat("[python] array: expected 2 dimensions, got ",
                                              array.ndim(), " (", what, ")"));
  }
  const auto rows = static_cast<std::size_t>(array.shape(0)),
             items = static_cast<std::size_t>(array.shape(1));
  const bool has_gaps = items > 1 && array.strides(1) != array.itemsize();
  if (has_gaps || (rows > 1 && array.strides(0) < array.shape(1) * array.itemsize()))
    throw order_error(what);
  std::size_t cols = items;
  if (flashlm::is_block(dtype)) {
    const flashlm::NumberFormat& format = flashlm::format_of(dtype);
    if (items % format.bytes != 0) {
      throw flashlm::ShapeError(flashlm::concat("[python] array: expected rows of whole blocks of ",
                                                format.bytes, " bytes, got ", items, " (", what,
                                                ")"));
    }
    cols = items / format.bytes * format.numbers;
  }
  const std::size_t stride =
      rows > 1 ? static_cast<std::size_t>(array.strides(0)) : flashlm::row_bytes(dtype, cols);
  return {static_cast<const std::byte*>(array.data()), dtype, rows, cols, stride};
}

/// "f16" as flashlm writes it or "F16" as safetensors does.
inline flashlm::DType dtype_of(const std::string& word) {
  try {
    const bool is_tag = !word.empty() && word.front() >= 'A' && word.front() <= 'Z';
    return is_tag ? flashlm::storage::parse_tag(word) : flashlm::parse_dtype(word);
  } catch (const flashlm::FormatError&) {
    constexpr auto any = [](flashlm::DType) { return true; };
    throw flashlm::ArgumentError(
        flashlm::concat("[python] dtype: expected ", flashlm::names_of(any), ", got '", word, "'"));
  }
}
