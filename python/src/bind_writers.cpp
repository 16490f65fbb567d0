// SPDX-License-Identifier: Apache-2.0
/// bind_writers.cpp: writing the weights of a model folder in Python.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "arrays.hpp"
#include "flashlm/base/dtype.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/tiles.hpp"
#include "flashlm/compute/cpu/quantise/tiling.hpp"
#include "flashlm/storage/format/bundle_layout.hpp"
#include "flashlm/storage/format/bundle_writer.hpp"
#include "flashlm/storage/format/file_record.hpp"
#include "flashlm/storage/format/safetensors_writer.hpp"

namespace py = pybind11;
using namespace py::literals;
using namespace flashlm;
using namespace flashlm::storage;

namespace {

using Path = std::filesystem::path;
using Release = py::gil_scoped_release;

py::dict to_dict(const Json& json) {
  return py::module_::import("json").attr("loads")(json.dump()).cast<py::dict>();
}

/// A writer and what Python needs beside it; calls of several threads come one after the other.
class PySafetensorsWriter {
 public:
  using Spec = std::tuple<std::string, std::string, std::vector<std::uint64_t>>;

  PySafetensorsWriter(const Path& path, const std::vector<Spec>& tensors,
                      std::map<std::string, std::string> metadata, bool as_given)
      : writer_(path, specs_of(tensors), std::move(metadata),
                as_given ? TensorOrder::as_given : TensorOrder::by_size) {
    for (const auto& [name, dtype, shape] : tensors) dtypes_[name] = dtype_of(dtype);
  }

  std::uint32_t header_crc32() const { return writer_.header_crc32(); }

  std::vector<std::string> order() const { return writer_.order(); }

  void write(const std::string& name, const py::array& array) {
    const auto found = dtypes_.find(name);
    if (found == dtypes_.end())
      throw ArgumentError(concat("[python] tensor: expected a known name, got '", name, "'"));
    const std::span<const std::byte> bytes = bytes_of(array, found->second, name);
    const Release release;
    const std::lock_guard lock(mutex_);
    writer_.write(name, bytes);
  }

  FileRecord finish(bool hollow) {
    const Release release;
    const std::lock_guard lock(mutex_);
    return hollow ? writer_.finish_hollow() : writer_.finish();
  }

 private:
  static std::vector<TensorSpec> specs_of(const std::vector<Spec>& tensors) {
    std::vector<TensorSpec> specs;
    for (const auto& [name, dtype, shape] : tensors)
      specs.push_back({name, dtype_of(dtype), shape});
    return specs;
  }

  SafetensorsWriter writer_;
  std::map<std::string, DType> dtypes_;
  std::mutex mutex_;
};

class PyBundleWriter {
 public:
  PyBundleWriter(const Path& path, std::size_t layer, std::size_t n_neurons,
                 std::size_t neurons_per_bundle, std::size_t dim, bool gated,
                 const std::string& dtype)
      : dtype_(dtype_of(dtype)),
        writer_(path, layer,
                BundleLayout::make(n_neurons, neurons_per_bundle, dim, gated, dtype_)) {}

  void write(const std::optional<py::array>& gate, const py::array& up, const py::array& down) {
    const MatrixView gate_rows = gate ? matrix_of(*gate, dtype_, "gate") : MatrixView{};
    const MatrixView up_rows = matrix_of(up, dtype_, "up");
    const MatrixView down_rows = matrix_of(down, dtype_, "down");
    const Release release;
    const std::lock_guard lock(mutex_);
    writer_.write(gate_rows, up_rows, down_rows);
  }

  std::pair<FileRecord, LayerRecord> finish(bool hollow) {
    const Release release;
    const std::lock_guard lock(mutex_);
    return hollow ? writer_.finish_hollow() : writer_.finish();
  }

 private:
  DType dtype_;
  BundleWriter writer_;
  std::mutex mutex_;
};

}  // namespace

void bind_writers(py::module_& module) {
  py::class_<PySafetensorsWriter>(module, "SafetensorsWriter",
                                  R"(Writes a safetensors file in one pass.

The data begin at a multiple of 4096 bytes. A file that is not finished is removed with its
writer.)")
      .def(py::init<const Path&, const std::vector<PySafetensorsWriter::Spec>&,
                    std::map<std::string, std::string>, bool>(),
           "path"_a, "tensors"_a, "metadata"_a = std::map<std::string, std::string>{},
           py::kw_only(), "as_given"_a = false, R"(Create the file.

Args:
    path: Where it goes.
    tensors: (name, dtype, shape) of each; dtype is a number format or 'u8', which for a format of
        blocks is a matrix of blocks, [rows, numbers in a row].
    metadata: Texts to leave in the file.
    as_given: Keep the order of `tensors` where that leaves each aligned; else they are sorted by
        falling element size, then by name.

Raises:
    IoError: The file cannot be written.
    ArgumentError: A name comes twice, a dtype is unknown, a size overflows, or rows are not whole
        blocks.)")
      .def("header_crc32", &PySafetensorsWriter::header_crc32,
           "The checksum of everything that stands before the data.")
      .def("order", &PySafetensorsWriter::order,
           "The names in the order in which they have to be written.")
      .def("write", &PySafetensorsWriter::write, "name"_a, "array"_a,
           R"(Append to a tensor; it may come in pieces.

Args:
    name: The tensor whose turn it is.
    array: In C order, of the tensor's dtype (bf16: its bits as uint16; blocks: uint8). Nothing is
        converted.

Raises:
    IoError: The file cannot be written.
    ArgumentError: Another tensor is next.
    ShapeError: The dtype is another one, or the tensor gets too long.)")
      .def(
          "finish",
          [](PySafetensorsWriter& self, bool hollow) {
            return to_dict(json_of(self.finish(hollow)));
          },
          py::kw_only(), "hollow"_a = false,
          R"(Wait until the file is on the device.

Args:
    hollow: End at once, with holes in the place of missing bytes: a file to plan with, not to use.

Returns:
    Its entry in the list of files of flashlm.json.

Raises:
    IoError: The file cannot be written.
    ShapeError: Bytes are missing.)");

  py::class_<PyBundleWriter>(module, "BundleWriter", R"(Writes the neurons of one layer as bundles.

Holds one bundle in memory. A file that is not finished is removed with its writer.)")
      .def(py::init<const Path&, std::size_t, std::size_t, std::size_t, std::size_t, bool,
                    const std::string&>(),
           "path"_a, "layer"_a, "n_neurons"_a, "neurons_per_bundle"_a, "dim"_a, "gated"_a,
           "dtype"_a,
           R"(Create the file.

Args:
    path: Where it goes.
    layer: The number of the layer, from 0.
    n_neurons: Rows of the up matrix.
    neurons_per_bundle: How many neurons are read together.
    dim: Columns of the up matrix.
    gated: Whether there is a gate matrix.
    dtype: A number format.

Raises:
    IoError: The file cannot be written.
    ArgumentError: A number is out of range, or cannot hold whole blocks.)")
      .def("write", &PyBundleWriter::write, "gate"_a.none(true), "up"_a, "down"_a,
           R"(Append the next neurons.

Args:
    gate: [k, dim], or None without a gate.
    up: [k, dim].
    down: [k, dim]: row i is column i of the down matrix. k is a multiple of neurons_per_bundle,
        except at the end. Of blocks the columns as they are, [dim, bytes of k numbers].

Raises:
    IoError: The file cannot be written.
    ShapeError: A shape or dtype is another one; nothing is written then.)")
      .def(
          "finish",
          [](PyBundleWriter& self, bool hollow) {
            const auto [file, layer] = self.finish(hollow);
            return std::pair(to_dict(json_of(file)), to_dict(json_of(layer)));
          },
          py::kw_only(), "hollow"_a = false,
          R"(Wait until the file is on the device.

Args:
    hollow: End at once, with holes in the place of missing neurons: a file to plan with, not to
        use.

Returns:
    Its entries in the lists of files and of layers of flashlm.json.

Raises:
    IoError: The file cannot be written.
    ShapeError: Neurons are missing.)");

  module.def(
      "tiles_bytes",
      [](const std::string& dtype, std::size_t rows, std::size_t cols) {
        return tiles_bytes(dtype_of(dtype), rows, cols);
      },
      "dtype"_a, "rows"_a, "cols"_a,
      "Bytes of a matrix of blocks in tiles; a row is whole blocks.");
  module.def(
      "to_tiles",
      [](const py::array& array, const std::string& dtype) {
        const MatrixView rows = matrix_of(array, dtype_of(dtype), "rows");
        if (!is_block(rows.dtype)) {
          throw ArgumentError(
              concat("[to_tiles] number format: expected ", names_of(is_block), ", got ", dtype));
        }
        const std::size_t strips = n_strips(rows.rows);
        py::array_t<std::uint8_t> tiles({strips, strip_bytes(rows.dtype, rows.cols)});
        std::byte* const to = reinterpret_cast<std::byte*>(tiles.mutable_data());
        const Release release;
        kernels::to_tiles(rows, to);
        return tiles;
      },
      "rows"_a, "dtype"_a,
      R"(Put the blocks of a matrix in tiles of 32 rows (docs/format.md).

Args:
    rows: [n, bytes of a row] of uint8.
    dtype: A format of blocks.

Returns:
    [ceil(n / 32), bytes] of uint8: a strip of 32 rows each, missing rows being zeros.

Raises:
    ArgumentError: Another number format.
    ShapeError: Rows that are not whole blocks.)");
  module.def(
      "bundles_bytes",
      [](std::size_t n_neurons, std::size_t neurons_per_bundle, std::size_t dim, bool gated,
         const std::string& dtype) {
        return BundleLayout::make(n_neurons, neurons_per_bundle, dim, gated, dtype_of(dtype))
            .total_bytes();
      },
      "n_neurons"_a, "neurons_per_bundle"_a, "dim"_a, "gated"_a, "dtype"_a,
      R"(Bytes of the bundles of a layer, as BundleWriter takes its numbers.

Raises:
    ArgumentError: A number is out of range, or cannot hold whole blocks.)");
  module.def(
      "file_record",
      [](const Path& path) {
        const FileRecord record = [&] {
          const Release release;
          return record_small_file(path.parent_path(), path.filename().string());
        }();
        return to_dict(json_of(record));
      },
      "path"_a, "The entry of a small file in the list of files of flashlm.json.");
}
