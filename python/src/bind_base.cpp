// SPDX-License-Identifier: Apache-2.0
/// bind_base.cpp: errors, memory sizes and the instruction set in Python.
#include <exception>
#include <filesystem>
#include <string>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "flashlm/base/error.hpp"
#include "flashlm/base/units.hpp"
#include "flashlm/compute/cpu/isa/cpu.hpp"
#include "system_text.hpp"

namespace py = pybind11;
using namespace py::literals;

namespace {

// The Python classes live as long as the process: an exception may outlive the module.
struct ErrorTypes {
  PyObject *error, *io, *format, *shape, *argument, *budget;
};
ErrorTypes types{};

/// A class with two parents: flashlm.Error and the builtin that other code catches.
PyObject* add_type(py::module_& module, const char* name, const char* doc, PyObject* parent,
                   PyObject* builtin) {
  const std::string full_name = std::string("flashlm._core.") + name;
  py::tuple parents = py::make_tuple(py::handle(parent));
  if (builtin != nullptr) parents = py::make_tuple(py::handle(parent), py::handle(builtin));
  PyObject* type = PyErr_NewExceptionWithDoc(full_name.c_str(), doc, parents.ptr(), nullptr);
  if (type == nullptr) throw py::error_already_set();
  module.attr(name) = py::handle(type);
  return type;
}

void raise(PyObject* type, const std::exception& error, const py::dict& attributes = {}) {
  // A message may quote bytes of a damaged file.
  const py::object instance = py::handle(type)(message_text(error.what()));
  for (const auto& [name, value] : attributes) py::setattr(instance, name, value);
  PyErr_SetObject(type, instance.ptr());
}

void translate(std::exception_ptr pointer) {
  try {
    std::rethrow_exception(pointer);
  } catch (const flashlm::IoError& error) {
    raise(types.io, error,
          py::dict("errno"_a = error.code(), "filename"_a = path_text(error.path())));
  } catch (const std::filesystem::filesystem_error& error) {
    const flashlm::IoError same("[file] look", error.code().value(), error.path1().string());
    raise(types.io, same, py::dict("errno"_a = same.code(), "filename"_a = path_text(same.path())));
  } catch (const flashlm::FormatError& error) {
    raise(types.format, error);
  } catch (const flashlm::ShapeError& error) {
    raise(types.shape, error);
  } catch (const flashlm::ArgumentError& error) {
    raise(types.argument, error);
  } catch (const flashlm::BudgetError& error) {
    raise(types.budget, error, py::dict("smallest_bytes"_a = error.smallest_bytes()));
  } catch (const flashlm::Error& error) {
    raise(types.error, error);
  }
}

void bind_errors(py::module_& module) {
  types.error = add_type(module, "Error", "The root of every error that flashlm raises.",
                         PyExc_Exception, nullptr);
  // Not OSError's, which prints errno and filename again, although the message says them.
  py::setattr(py::handle(types.error), "__str__",
              py::cpp_function(
                  [](const py::handle& self) {
                    return one_line(py::str(py::handle(PyExc_BaseException).attr("__str__")(self)));
                  },
                  py::name("__str__"), py::is_method(py::handle(types.error)),
                  "The message, in one line."));
  types.io = add_type(module, "IoError",
                      "The system refused or broke a read or a write; see errno and filename.",
                      types.error, PyExc_OSError);
  types.format = add_type(module, "FormatError", "The content of a file is wrong.", types.error,
                          PyExc_ValueError);
  types.shape =
      add_type(module, "ShapeError", "Two sizes disagree.", types.error, PyExc_ValueError);
  types.argument = add_type(module, "ArgumentError", "A value lies outside its documented range.",
                            types.error, PyExc_ValueError);
  types.budget = add_type(module, "BudgetError",
                          "It cannot fit; smallest_bytes is the smallest budget that would.",
                          types.error, PyExc_MemoryError);
  py::handle(types.budget).attr("smallest_bytes") = 0;
  py::register_exception_translator(&translate);
}

}  // namespace

void bind_base(py::module_& module) {
  bind_errors(module);

  py::class_<flashlm::MemorySize>(
      module, "MemorySize",
      "A memory budget: bytes, a share of the packed weights, or what is free.")
      .def_readonly("bytes", &flashlm::MemorySize::bytes)
      .def_readonly("share", &flashlm::MemorySize::share)
      .def_readonly("automatic", &flashlm::MemorySize::automatic);
  module.def("parse_memory", &flashlm::parse_memory, "text"_a,
             "Reads 'auto', '4GiB', '512MB', '800000000' or '50%'.");
  module.def("format_bytes", &flashlm::format_bytes, "bytes"_a,
             R"(Writes a size with three digits and a binary unit.

Example:
    >>> flashlm.format_bytes(1536)
    '1.50 KiB')");
  module.def(
      "isa", [] { return std::string(flashlm::name(flashlm::choose_isa())); },
      "The instruction set that the kernels use: 'scalar', 'avx2' or 'avx512'. FLASHLM_ISA names "
      "one.");
}
