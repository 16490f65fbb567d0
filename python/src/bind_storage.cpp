// SPDX-License-Identifier: Apache-2.0
/// bind_storage.cpp: reading tensors and the files of a model folder in Python.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
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
#include "flashlm/storage/format/checksum.hpp"
#include "flashlm/storage/format/manifest.hpp"
#include "flashlm/storage/format/safetensors.hpp"
#include "flashlm/storage/io/beside_file.hpp"
#include "flashlm/storage/io/foreign_file.hpp"
#include "flashlm/units/select/selector.hpp"

namespace py = pybind11;
using namespace py::literals;
using namespace flashlm;
using namespace flashlm::storage;

namespace {

using Path = std::filesystem::path;
using Release = py::gil_scoped_release;

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

  module.def(
      "write_manifest", &write_manifest, "folder"_a, "json"_a, py::call_guard<Release>(),
      R"(Check a manifest and the files that it lists, and write flashlm.json with its checksum.

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
}
