// SPDX-License-Identifier: Apache-2.0
/// tool_errors.hpp: the errors of an extension module of the tools are those of flashlm._core.
#pragma once

#include <exception>
#include <filesystem>

#include <pybind11/pybind11.h>

#include "flashlm/base/error.hpp"
#include "system_text.hpp"

/// An instance of the class `name` of flashlm._core with the text of `error`.
inline pybind11::object make_tool_error(const char* name, const std::exception& error) {
  return pybind11::module_::import("flashlm._core").attr(name)(message_text(error.what()));
}

/// The same for an IoError, with errno and filename.
inline pybind11::object make_tool_error(const flashlm::IoError& error) {
  pybind11::object instance = make_tool_error("IoError", static_cast<const std::exception&>(error));
  instance.attr("errno") = error.code();
  instance.attr("filename") = path_text(error.path());
  return instance;
}

/// Sets it as Python's current exception.
inline void raise_tool_error(const pybind11::object& instance) {
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(instance.ptr())), instance.ptr());
}

/// Turns the errors of C++ into those of Python. To be registered with
/// `py::register_local_exception_translator`.
inline void translate_tool_error(std::exception_ptr pointer) {
  try {
    std::rethrow_exception(pointer);
  } catch (const flashlm::IoError& error) {
    raise_tool_error(make_tool_error(error));
  } catch (const std::filesystem::filesystem_error& error) {
    raise_tool_error(make_tool_error(
        flashlm::IoError("[file] look", error.code().value(), error.path1().string())));
  } catch (const flashlm::FormatError& error) {
    raise_tool_error(make_tool_error("FormatError", error));
  } catch (const flashlm::ArgumentError& error) {
    raise_tool_error(make_tool_error("ArgumentError", error));
  } catch (const flashlm::Error& error) {
    raise_tool_error(make_tool_error("Error", error));
  }
}
