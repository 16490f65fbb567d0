// SPDX-License-Identifier: Apache-2.0
/// system_text.hpp: text that names files, or quotes them, as Python holds it; it need not be
/// UTF-8.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

#include <pybind11/pybind11.h>

/// A path as `os.fsdecode` gives it, which leads back to the same file. Throws what Python throws.
inline pybind11::str path_text(const std::string& path) {
  PyObject* text =
      PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<Py_ssize_t>(path.size()));
  if (text == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::str>(text);
}

/// A message that can be printed: U+FFFD stands for what is no UTF-8. Throws what Python throws.
inline pybind11::str message_text(std::string_view message) {
  PyObject* text =
      PyUnicode_DecodeUTF8(message.data(), static_cast<Py_ssize_t>(message.size()), "replace");
  if (text == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::str>(text);
}

/// A message in one line that any terminal can print: line ends and other control characters are
/// escaped, U+FFFD stands for lone surrogates, and a long one is cut in its middle, since its place
/// stands first and its hint last. What a message quotes may be anything. Throws what Python
/// throws.
inline pybind11::str one_line(const pybind11::str& message) {
  constexpr std::size_t kLongest = 500, kBegin = 320, kEnd = 170;
  std::u32string line;
  const Py_ssize_t size = PyUnicode_GetLength(message.ptr());
  for (Py_ssize_t i = 0; i < size; ++i) {
    const auto c = static_cast<char32_t>(PyUnicode_ReadChar(message.ptr(), i));
    if (c == U'\n' || c == U'\r' || c == U'\t') {
      line += c == U'\n' ? U"\\n" : c == U'\r' ? U"\\r" : U"\\t";
    } else if (c < 0x20 || (c >= 0x7F && c < 0xA0)) {
      char escape[8];
      const int length = std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned>(c));
      line.append(escape, escape + length);
    } else if (c == 0x2028 || c == 0x2029) {  // ends of lines too
      line += c == 0x2028 ? U"\\u2028" : U"\\u2029";
    } else {
      line += c >= 0xD800 && c < 0xE000 ? char32_t{0xFFFD} : c;
    }
  }
  if (line.size() > kLongest)
    line = line.substr(0, kBegin) + U" ... " + line.substr(line.size() - kEnd);
  PyObject* text = PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, line.data(),
                                             static_cast<Py_ssize_t>(line.size()));
  if (text == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::str>(text);
}
