// SPDX-License-Identifier: Apache-2.0
/// system_text.hpp: text that names files, or quotes them, as Python holds it; it need not be UTF-8.
#pragma once

#include <string>
#include <string_view>

#include <pybind11/pybind11.h>

/// A path as `os.fsdecode` gives it, which leads back to the same file. Throws what Python throws.
inline pybind11::str path_text(const std::string& path) {
  PyObject* text = PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<Py_ssize_t>(path.size()));
  if (text == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::str>(text);
}

/// A message that can be printed: U+FFFD stands for what is no UTF-8. Throws what Python throws.
inline pybind11::str message_text(std::string_view message) {
  PyObject* text = PyUnicode_DecodeUTF8(message.data(), static_cast<Py_ssize_t>(message.size()), "replace");
  if (text == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::str>(text);
}
