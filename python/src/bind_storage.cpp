// SPDX-License-Identifier: Apache-2.0
/// bind_storage.cpp: reading and writing the files of a model folder in Python.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <pybind11/functional.h>
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
#include "flashlm/storage/format/checksum.hpp"
#include "flashlm/storage/format/file_record.hpp"
#include "flashlm/storage/format/manifest.hpp"
#include "flashlm/storage/format/safetensors.hpp"
#include "flashlm/storage/format/safetensors_writer.hpp"
#include "flashlm/storage/io/beside_file.hpp"
#include "flashlm/storage/io/foreign_file.hpp"
#include "flashlm/storage/readers/disk_probe.hpp"
#include "flashlm/units/select/selector.hpp"
#include "system_text.hpp"

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

py::array read_tensor(const Safetensors& file, const std::string& name) {
  const TensorInfo& tensor = file.at(name);
  const DType dtype = [&] {
    try {
      return parse_tag(tensor.dtype);
    } catch (const FormatError& error) {
      throw FormatError(concat(error.what(), " (", file.file().path().string(), ", ", name, ")"));
    }
  }();
  const std::vector<py::ssize_t> shape(tensor.shape.begin(), tensor.shape.end());
  py::array array(numpy_of(dtype == DType::bf16 ? DType::f32 : dtype), shape);
  const std::span into(static_cast<std::byte*>(array.mutable_data()),
                       static_cast<std::size_t>(array.nbytes()));
  const Release release;
  if (dtype != DType::bf16) {
    file.file().read(tensor.extent.offset, into);
    return array;
  }
  std::vector<std::uint16_t> numbers(static_cast<std::size_t>(tensor.extent.bytes / 2));
  file.file().read(tensor.extent.offset, std::as_writable_bytes(std::span(numbers)));
  auto* to = reinterpret_cast<float*>(into.data());
  for (const std::uint16_t number : numbers) *to++ = bf16_to_f32(number);
  return array;
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

using Progress = std::optional<std::function<void(std::uint64_t, std::uint64_t)>>;

void verify(const Path& folder, const Progress& progress, const std::string& manifest_text) {
  const Release release;
  const std::string name = (folder / Manifest::kFileName).string();
  const Manifest manifest =
      manifest_text.empty() ? Manifest::open(folder) : Manifest::parse(manifest_text, name);
  if (!manifest_text.empty()) manifest.check_files(folder);
  manifest.verify(folder, [&](std::uint64_t done, std::uint64_t total) {
    const py::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();  // Ctrl-C
    if (progress) (*progress)(done, total);
  });
  for (const char* selector : {"predictor", "gate", "threshold"}) {
    flashlm::units::verify_selector(selector, folder, manifest);
  }
}

py::dict to_dict(const ProbePoint& point) {
  return py::dict("chunk_bytes"_a = point.chunk_bytes, "depth"_a = point.depth,
                  "sequential"_a = point.sequential,
                  "bytes_per_second_median"_a = point.bytes_per_second_median,
                  "bytes_per_second_min"_a = point.bytes_per_second_min,
                  "bytes_per_second_max"_a = point.bytes_per_second_max,
                  "n_repetitions"_a = point.n_repetitions);
}

py::dict to_dict(const DiskProbe& probe) {
  py::list points;
  for (const ProbePoint& point : probe.points) points.append(to_dict(point));
  return py::dict("path"_a = path_text(probe.path), "reader"_a = probe.reader,
                  "date"_a = probe.date, "direct"_a = probe.direct, "alignment"_a = probe.alignment,
                  "file_bytes"_a = probe.file_bytes, "seconds"_a = probe.seconds,
                  "points"_a = points,
                  "recommended"_a =
                      probe.recommended() ? py::object(to_dict(*probe.recommended())) : py::none());
}

DiskProbe run_probe(const Path& path, std::optional<double> seconds, bool quick,
                    std::optional<std::vector<std::size_t>> chunk_bytes,
                    std::optional<std::vector<std::size_t>> depths,
                    std::optional<std::uint64_t> scratch_bytes, const std::string& reader,
                    bool page_cache, const std::optional<std::function<void(double)>>& progress) {
  DiskProbeOptions options = quick ? DiskProbeOptions::quick() : DiskProbeOptions{};
  if (seconds) options.seconds = *seconds;
  if (chunk_bytes) options.chunk_bytes = std::move(*chunk_bytes);
  if (depths) options.depths = std::move(*depths);
  if (scratch_bytes) options.scratch_bytes = *scratch_bytes;
  options.reader = reader;
  options.page_cache = page_cache;
  options.on_progress = [&](double share) {
    const py::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();  // Ctrl-C
    if (progress) (*progress)(share);
  };
  const Release release;
  return probe(path, options);
}

void write_manifest(const Path& folder, const std::string& json) {
  const std::string name = (folder / Manifest::kFileName).string();
  const Manifest manifest = Manifest::from_json(parse_json(json, "manifest", name), name);
  manifest.check_files(folder);
  manifest.save(folder);
}

}  // namespace

void bind_storage(py::module_& module) {
  py::class_<Safetensors>(module, "Safetensors",
                          R"(An open safetensors file whose header was checked completely.

Thread-safe.)")
      .def(py::init([](const Path& path) {
             const Release release;
             return Safetensors::open(path);
           }),
           "path"_a, R"(Open a file and check its header.

Args:
    path: The file.

Raises:
    IoError: The file cannot be read.
    FormatError: The header is wrong, or the file was cut short.)")
      .def(
          "names",
          [](const Safetensors& self) {
            std::vector<std::string> names;
            for (const TensorInfo& tensor : self.tensors()) names.push_back(tensor.name);
            return names;
          },
          "The names of the tensors, in the order of their bytes.")
      .def(
          "dtype",
          [](const Safetensors& self, const std::string& name) { return self.at(name).dtype; },
          "name"_a, "The number format of a tensor as the file calls it: 'F32', 'F16', 'BF16', ...")
      .def(
          "shape",
          [](const Safetensors& self, const std::string& name) { return self.at(name).shape; },
          "name"_a, "The sizes of a tensor.")
      .def("read", &read_tensor, "name"_a, R"(Read a tensor.

Args:
    name: Of a tensor in F32, F16, BF16 (becomes float32, exactly) or U8.

Returns:
    A new array.

Raises:
    IoError: The file cannot be read.
    FormatError: There is no such tensor, or its number format is another one.)")
      .def("metadata", &Safetensors::metadata, "The texts that the writer of the file left in it.");

  py::class_<PySafetensorsWriter>(module, "SafetensorsWriter",
                                  R"(Writes a safetensors file in one pass.

The data begin at a multiple of 4096 bytes. A file that is not finished is removed with its writer.)")
      .def(py::init<const Path&, const std::vector<PySafetensorsWriter::Spec>&,
                    std::map<std::string, std::string>, bool>(),
           "path"_a, "tensors"_a, "metadata"_a = std::map<std::string, std::string>{},
           py::kw_only(), "as_given"_a = false, R"(Create the file.

Args:
    path: Where it goes.
    tensors: (name, dtype, shape) of each; dtype is a number format or 'u8', which for a format of blocks is a matrix of
        blocks, [rows, numbers in a row].
    metadata: Texts to leave in the file.
    as_given: Keep the order of `tensors` where that leaves each aligned; else they are sorted by falling element size,
        then by name.

Raises:
    IoError: The file cannot be written.
    ArgumentError: A name comes twice, a dtype is unknown, a size overflows, or rows are not whole blocks.)")
      .def("header_crc32", &PySafetensorsWriter::header_crc32,
           "The checksum of everything that stands before the data.")
      .def("order", &PySafetensorsWriter::order,
           "The names in the order in which they have to be written.")
      .def("write", &PySafetensorsWriter::write, "name"_a, "array"_a,
           R"(Append to a tensor; it may come in pieces.

Args:
    name: The tensor whose turn it is.
    array: In C order, of the tensor's dtype (bf16: its bits as uint16; blocks: uint8). Nothing is converted.

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
    down: [k, dim]: row i is column i of the down matrix. k is a multiple of neurons_per_bundle, except at the end.
        Of blocks the columns as they are, [dim, bytes of k numbers].

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
    hollow: End at once, with holes in the place of missing neurons: a file to plan with, not to use.

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
  module.def(
      "write_manifest", &write_manifest, "folder"_a, "json"_a, py::call_guard<Release>(),
      R"(Check a manifest and the files that it lists, and write it as flashlm.json with its checksum.

Args:
    folder: The model folder.
    json: The manifest; a checksum in it is replaced.

Raises:
    IoError: A file cannot be read or written.
    FormatError: What `read_manifest` would refuse.)");
  module.def(
      "manifest_text",
      [](const std::string& json) {
        return Manifest::from_json(parse_json(json, "manifest", Manifest::kFileName),
                                   Manifest::kFileName)
            .text();
      },
      "json"_a, R"(Write a manifest with its checksum into a text, in place of a file.

Args:
    json: The manifest; a checksum in it is replaced.

Returns:
    The content of a flashlm.json.

Raises:
    FormatError: What `read_manifest` would refuse.)");
  module.def(
      "foreign_file",
      [](const py::bytes& begin,
         const std::string& expected) -> std::optional<std::pair<std::string, std::string>> {
        using flashlm::storage::FileKind;
        std::optional<FileKind> kind;
        for (const auto& [word, value] :
             {std::pair("json", FileKind::json), std::pair("text", FileKind::text),
              std::pair("safetensors", FileKind::safetensors), std::pair("gguf", FileKind::gguf),
              std::pair("kv", FileKind::kv)}) {
          if (expected == word) kind = value;
        }
        if (!kind) throw ArgumentError(concat("[python] expected: got '", expected, "'"));
        const auto found = flashlm::storage::foreign_file(std::string_view(begin), *kind);
        if (!found) return std::nullopt;
        return std::pair(found->what, std::string(found->hint));
      },
      "begin"_a, "expected"_a,
      R"(Tell what a file is that was refused: a Git LFS pointer, a web page, an archive.

Args:
    begin: The first bytes of the file: 512, or all it has.
    expected: What it should have been: 'json', 'text', 'safetensors', 'gguf' or 'kv'.

Returns:
    What it is and the way out; None if the bytes do not tell.)");
  module.def(
      "read_manifest", [](const Path& folder) { return Manifest::open(folder).text(); }, "folder"_a,
      py::call_guard<Release>(),
      R"(Read flashlm.json after checking it and the files of the folder, but not the weights.

Args:
    folder: The model folder.

Returns:
    The manifest as JSON.

Raises:
    IoError: A file cannot be read.
    FormatError: A file was changed, cut or is foreign.)");
  module.def("verify", &verify, "folder"_a, "progress"_a = py::none(), "manifest"_a = "",
             R"(Read every byte of a model folder and compare.

Args:
    folder: The model folder.
    progress: Called with (done, total) bytes.
    manifest: The text of a flashlm.json to take in place of the folder's; empty: the folder's.

Raises:
    IoError: A file cannot be read.
    FormatError: A file was changed, or a selector's belongs to other weights; the message names it.

Example:
    >>> flashlm.verify("tiny.flash"))");
  module.def("remove_abandoned", &remove_abandoned, "folder"_a, "prefix"_a, "tail"_a,
             "folders"_a = false, py::call_guard<Release>(),
             R"(Remove what killed processes left: of this user, and locked by nobody.

Args:
    folder: Where to look.
    prefix: How the names begin.
    tail: The characters, one or more, of the rest of the names.
    folders: Whether folders go too, with what is in them.)");
  module.def(
      "crc32",
      [](const py::bytes& data) { return crc32(std::as_bytes(std::span(std::string_view(data)))); },
      "data"_a, "The CRC-32 of some bytes, as zlib gives it.");

  py::class_<ProbePoint>(module, "ProbePoint",
                         "How fast reads of one size are with so many in flight.")
      .def_readonly("chunk_bytes", &ProbePoint::chunk_bytes, "The size of a read.")
      .def_readonly("depth", &ProbePoint::depth, "Reads in flight.")
      .def_readonly("sequential", &ProbePoint::sequential,
                    "One behind the other; else anywhere in the file.")
      .def_readonly("bytes_per_second_median", &ProbePoint::bytes_per_second_median,
                    "Of the repetitions.")
      .def_readonly("bytes_per_second_min", &ProbePoint::bytes_per_second_min, "The slowest.")
      .def_readonly("bytes_per_second_max", &ProbePoint::bytes_per_second_max, "The fastest.")
      .def_readonly("n_repetitions", &ProbePoint::n_repetitions, "How often it was measured.")
      .def("to_dict", [](const ProbePoint& self) { return to_dict(self); }, "All numbers by name.");

  py::class_<DiskProbe>(module, "DiskProbe", "How fast a disk reads, at one time; printable.")
      .def_property_readonly(
          "path", [](const DiskProbe& self) { return path_text(self.path); },
          "The file, or the folder of the scratch file.")
      .def_readonly("reader", &DiskProbe::reader, "The reader that was used.")
      .def_readonly("date", &DiskProbe::date, "ISO 8601, UTC.")
      .def_readonly("direct", &DiskProbe::direct,
                    "False: figures of the page cache, not of the disk.")
      .def_readonly("alignment", &DiskProbe::alignment,
                    "What direct reads are multiples of, in bytes.")
      .def_readonly("file_bytes", &DiskProbe::file_bytes, "The size of the file that was read.")
      .def_readonly("seconds", &DiskProbe::seconds, "That it took.")
      .def_readonly("points", &DiskProbe::points, "Those for which there was room.")
      .def_property_readonly(
          "recommended",
          [](const DiskProbe& self) {
            const ProbePoint* best = self.recommended();
            return best ? std::optional(*best) : std::nullopt;
          },
          "The smallest reads anywhere in the file that come within a tenth of the fastest such "
          "reads, or None.")
      .def(
          "to_dict", [](const DiskProbe& self) { return to_dict(self); },
          "Everything by name, as JSON can hold it.")
      .def("__str__", [](const DiskProbe& self) { return message_text(self.table()); });

  module.def("probe", &run_probe, "path"_a, py::kw_only(), "seconds"_a = py::none(),
             "quick"_a = false, "chunk_bytes"_a = py::none(), "depths"_a = py::none(),
             "scratch_bytes"_a = py::none(), "reader"_a = "auto", "page_cache"_a = false,
             "progress"_a = py::none(),
             R"(Measure how fast a disk reads, by the size of reads and by how many are in flight.

Args:
    path: A file to read, or a folder for a scratch file, which is removed in any case.
    seconds: About how long; 10 by default, 2 if quick. A slow disk takes longer, since every point is measured once.
    quick: A few points only.
    chunk_bytes: Sizes of reads; 4 KiB to 4 MiB by default.
    depths: Numbers of reads in flight; 1 to 64 by default.
    scratch_bytes: The size of the scratch file; a disk that writes slowly gets a smaller one.
    reader: 'auto', 'threads' or 'uring'.
    page_cache: Measure the page cache where there are no direct reads.
    progress: Called with the share of the time that is over.

Returns:
    The curve, with its range and date.

Raises:
    IoError: There is no room, no direct read, or a read failed.
    ArgumentError: An option is out of range, or the file is too small.

Example:
    >>> probe = flashlm.probe(".", seconds=0.1, depths=[4], scratch_bytes=1 << 20, page_cache=True)
    >>> probe.points[0].depth
    4)");
}
