// SPDX-License-Identifier: Apache-2.0
/// bind_units.cpp: what is added to a packed folder for a selector.
#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "flashlm/units/select/gate_writer.hpp"
#include "flashlm/units/select/selector.hpp"
#include "flashlm/units/select/selector_file.hpp"

namespace py = pybind11;
using namespace py::literals;

void bind_units(py::module_& module) {
  module.def(
      "weights_fingerprint",
      [](const std::filesystem::path& folder) {
        return flashlm::units::weights_fingerprint(flashlm::storage::Manifest::open(folder));
      },
      "folder"_a,
      R"(Name the weights of a packed folder, as a selector's file does to belong to no others.

Args:
    folder: What `flashlm.pack` wrote.

Returns:
    64 hexadecimal digits.

Raises:
    IoError: The manifest cannot be read.
    FormatError: Something in it is wrong.

Example:
    >>> len(_core.weights_fingerprint(folder))
    64
)");

  using Callback = std::optional<std::function<void(std::size_t, std::size_t)>>;
  module.def(
      "add_gates",
      [](const std::filesystem::path& folder, const Callback& progress) {
        const auto report = [&](std::size_t done, std::size_t total) {
          const py::gil_scoped_acquire acquire;
          if (PyErr_CheckSignals() != 0) throw py::error_already_set();
          if (progress) (*progress)(done, total);
        };
        const py::gil_scoped_release release;
        flashlm::units::write_gates(folder, report);
      },
      "folder"_a, "progress"_a = py::none(),
      R"(Add what the selector "gate" needs to a packed folder.

A copy of the gate rows in q8_0 and bounds on its error, as gates.safetensors; nothing else in the folder changes.
Opening a model with that selector does it too, where the file is not there.

Args:
    folder: What `flashlm.pack` wrote.
    progress: Called with layers done and in total.

Raises:
    ArgumentError: The size of the model's rows is no multiple of 32.
    IoError: A file cannot be read or written.

Example:
    >>> flashlm.add_gates("tiny.flash"))");
  module.def("add_hollow_gates", &flashlm::units::write_hollow_gates, "folder"_a,
             py::call_guard<py::gil_scoped_release>(),
             R"(Add to a hollow folder the header of what `add_gates` would add, to plan with.

Args:
    folder: A packed folder with holes in the place of weights.

Raises:
    ArgumentError: The size of the model's rows is no multiple of 32.
    IoError: A file cannot be read or written.)");
  module.def(
      "verify_selector",
      [](const std::string& name, const std::filesystem::path& folder) {
        const py::gil_scoped_release release;
        flashlm::units::verify_selector(name, folder);
      },
      "name"_a, "folder"_a,
      R"(Compare the file of a selector, where a packed folder has it, with its checksums.

Args:
    name: "predictor", "gate" or "threshold".
    folder: What `flashlm.pack` wrote.

Raises:
    IoError: A file cannot be read.
    FormatError: The file was changed, or it belongs to other weights.)");
}
