// SPDX-License-Identifier: Apache-2.0
/// checked_calls.hpp: what Python passes to an extension module is looked at before pybind11 sees
/// it.
///
/// pybind11 takes bytes for text and cuts numbers off, refuses text with lone surrogates, and
/// refuses with a TypeError that prints every argument. Each function of a module is replaced by
/// one that passes what is surely right straight on, and everything else to
/// `flashlm._engine.checked_calls.call`: that mends text, or raises an ArgumentError that names the
/// value.
#pragma once

#include <cmath>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pybind11/pybind11.h>

/// How far a value can be taken as it is; found from the type that pybind11 writes into a
/// signature.
enum class ArgumentKind { text, path, whole, number, group, wholes, function, other };

/// A function of pybind11's behind one that looks at its arguments.
struct CheckedCall {
  pybind11::object function;
  std::string where;  // what errors call it: "Tokenizer.encode"
  std::string name;   // as pybind11 calls it
  std::string doc;
  std::vector<std::pair<std::string, ArgumentKind>> parameters;
  PyMethodDef definition{};
};

inline ArgumentKind argument_kind(std::string_view type) {
  const auto begins = [&](std::string_view word) { return type.substr(0, word.size()) == word; };
  if (type.find("os.PathLike") != std::string_view::npos) return ArgumentKind::path;
  if (begins("str")) return ArgumentKind::text;
  if (begins("typing.SupportsInt") || begins("int")) return ArgumentKind::whole;
  if (begins("typing.SupportsFloat") || begins("float")) return ArgumentKind::number;
  for (const char* wholes :
       {"collections.abc.Sequence[typing.SupportsInt", "collections.abc.Sequence[int"}) {
    if (begins(wholes)) return ArgumentKind::wholes;
  }
  for (const char* group :
       {"collections.abc.Sequence", "collections.abc.Mapping", "list", "tuple", "dict"}) {
    if (begins(group)) return ArgumentKind::group;
  }
  const bool optional = type.find("| None") != std::string_view::npos;
  return begins("collections.abc.Callable") && !optional ? ArgumentKind::function
                                                         : ArgumentKind::other;
}

/// Names and kinds from a first line such as "f(text: str, *, n: int = 1) -> str".
inline std::vector<std::pair<std::string, ArgumentKind>> parameters_of(std::string_view doc) {
  std::vector<std::pair<std::string, ArgumentKind>> found;
  const std::size_t open = doc.find('(');
  if (open == std::string_view::npos) return found;
  int depth = 0;
  char quote = 0;
  std::size_t begin = open + 1;
  for (std::size_t i = open; i < doc.size() && doc[i] != '\n'; ++i) {
    const char c = doc[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
      continue;
    }
    if (c == '\'' || c == '"') quote = c;
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') --depth;
    if (depth != 0 && (c != ',' || depth != 1)) continue;
    const std::string_view parameter = doc.substr(begin, i - begin);
    begin = i + 2;
    if (const std::size_t colon = parameter.find(": "); colon != std::string_view::npos) {
      found.emplace_back(parameter.substr(0, colon), argument_kind(parameter.substr(colon + 2)));
    }
    if (depth == 0) break;
  }
  return found;
}

/// Whether pybind11 takes the value as `flashlm._engine.checked_calls` would. False asks that
/// module. No exception is left behind.
inline bool is_plain(PyObject* value, ArgumentKind kind, int depth = 0) {
  constexpr int kDeepest = 3;
  if (value == Py_None)
    return kind != ArgumentKind::function;  // pybind11 makes it a function that cannot be called
  if (PyBool_Check(value)) return kind != ArgumentKind::whole && kind != ArgumentKind::number;
  if (PyLong_CheckExact(value)) {
    int overflow = 0;
    PyLong_AsLongLongAndOverflow(value, &overflow);
    return overflow == 0;
  }
  if (PyFloat_CheckExact(value)) return std::isfinite(PyFloat_AS_DOUBLE(value));
  if (PyUnicode_CheckExact(value)) {
    if (kind == ArgumentKind::path || PyUnicode_IS_ASCII(value)) return true;
    Py_ssize_t size = 0;
    if (PyUnicode_AsUTF8AndSize(value, &size) != nullptr)
      return true;  // kept in the object for the next reader
    PyErr_Clear();
    return false;
  }
  if (PyBytes_Check(value) || PyByteArray_Check(value)) return false;
  if (kind == ArgumentKind::other || kind == ArgumentKind::path || kind == ArgumentKind::function)
    return true;
  if ((PyList_CheckExact(value) || PyTuple_CheckExact(value)) && depth < kDeepest) {
    const ArgumentKind of_items =
        kind == ArgumentKind::wholes ? ArgumentKind::whole : ArgumentKind::group;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value); ++i) {
      if (!is_plain(PySequence_Fast_GET_ITEM(value, i), of_items, depth + 1)) return false;
    }
    return true;
  }
  return false;
}

inline bool are_plain(const CheckedCall& call, PyObject* const* args, Py_ssize_t n_args,
                      PyObject* names) {
  const auto& parameters = call.parameters;
  for (Py_ssize_t i = 0; i < n_args; ++i) {
    const bool known = static_cast<std::size_t>(i) < parameters.size();
    if (!is_plain(args[i],
                  known ? parameters[static_cast<std::size_t>(i)].second : ArgumentKind::other))
      return false;
  }
  for (Py_ssize_t i = 0; names != nullptr && i < PyTuple_GET_SIZE(names); ++i) {
    ArgumentKind kind = ArgumentKind::other;
    for (const auto& [name, its_kind] : parameters) {
      if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, i), name.c_str()) == 0)
        kind = its_kind;
    }
    if (!is_plain(args[n_args + i], kind)) return false;
  }
  return true;
}

/// Whether the current exception is pybind11's refusal of this function's own arguments, before it
/// ran.
inline bool was_refused(const CheckedCall& call) {
  if (PyErr_ExceptionMatches(PyExc_TypeError) == 0) return false;
  PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  bool refused = false;
  if (traceback == nullptr) {
    PyObject* text = PyObject_Str(value);
    const char* message = text == nullptr ? nullptr : PyUnicode_AsUTF8(text);
    refused = message != nullptr && std::string_view(message).substr(0, call.name.size() + 17) ==
                                        call.name + "(): incompatible ";
    Py_XDECREF(text);
    PyErr_Clear();
  }
  PyErr_Restore(type, value, traceback);
  return refused;
}

/// The function that Python calls.
inline PyObject* call_checked(PyObject* self, PyObject* const* args, Py_ssize_t n_args,
                              PyObject* names) {
  const auto& call = *static_cast<const CheckedCall*>(PyCapsule_GetPointer(self, nullptr));
  if (are_plain(call, args, n_args, names)) {
    PyObject* result =
        PyObject_Vectorcall(call.function.ptr(), args, static_cast<std::size_t>(n_args), names);
    if (result != nullptr || !was_refused(call)) return result;
    PyErr_Clear();
  }
  try {
    pybind11::tuple positional(static_cast<std::size_t>(n_args));
    for (Py_ssize_t i = 0; i < n_args; ++i) {
      positional[static_cast<std::size_t>(i)] =
          pybind11::reinterpret_borrow<pybind11::object>(args[i]);
    }
    pybind11::dict named;
    for (Py_ssize_t i = 0; names != nullptr && i < PyTuple_GET_SIZE(names); ++i) {
      named[pybind11::handle(PyTuple_GET_ITEM(names, i))] = pybind11::handle(args[n_args + i]);
    }
    const pybind11::object answer =
        pybind11::module_::import("flashlm._engine.checked_calls").attr("call");
    return answer(call.function, call.where, positional, named).release().ptr();
  } catch (pybind11::error_already_set& error) {
    error.restore();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

/// The checked function that stands for one of pybind11's.
inline pybind11::object checked(const pybind11::object& function, const std::string& owner) {
  auto call = std::make_unique<CheckedCall>();
  call->function = function;
  call->name = function.attr("__name__").cast<std::string>();
  call->where = owner.empty()              ? call->name
                : call->name == "__init__" ? owner
                                           : owner + "." + call->name;
  const pybind11::object doc = function.attr("__doc__");
  call->doc = doc.is_none() ? "" : doc.cast<std::string>();
  call->parameters = parameters_of(call->doc);
  call->definition = {call->name.c_str(),
                      reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&call_checked)),
                      METH_FASTCALL | METH_KEYWORDS, call->doc.c_str()};
  const pybind11::object home = function.attr("__module__");
  CheckedCall* const raw = call.get();
  pybind11::capsule self(call.release(),
                         [](void* pointer) { delete static_cast<CheckedCall*>(pointer); });
  PyObject* made = PyCFunction_NewEx(&raw->definition, self.ptr(), home.ptr());
  if (made == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::object>(made);
}

/// Replaces the public functions and methods of a module. To be called when all of them are bound.
inline void check_calls(pybind11::module_& module) {
  const auto is_open = [](const std::string& name) {
    return name == "__init__" || name.front() != '_';
  };
  const auto items_of = [](const pybind11::object& owner) {
    return pybind11::list(pybind11::dict(owner.attr("__dict__")).attr("items")());
  };
  for (const pybind11::handle item : items_of(module)) {
    const auto [name, value] = item.cast<std::pair<std::string, pybind11::object>>();
    if (PyCFunction_Check(value.ptr())) {
      if (is_open(name)) module.attr(name.c_str()) = checked(value, "");
      continue;
    }
    if (!PyType_Check(value.ptr())) continue;
    for (const pybind11::handle member : items_of(value)) {
      const auto [member_name, found] = member.cast<std::pair<std::string, pybind11::object>>();
      if (!is_open(member_name)) continue;
      PyObject* made = nullptr;
      if (PyInstanceMethod_Check(found.ptr())) {
        const pybind11::handle function = PyInstanceMethod_GET_FUNCTION(found.ptr());
        made = PyInstanceMethod_New(
            checked(pybind11::reinterpret_borrow<pybind11::object>(function), name).ptr());
      } else if (Py_TYPE(found.ptr()) == &PyStaticMethod_Type) {
        made = PyStaticMethod_New(checked(found.attr("__func__"), name).ptr());
      } else {
        continue;
      }
      if (made == nullptr) throw pybind11::error_already_set();
      pybind11::setattr(value, member_name.c_str(),
                        pybind11::reinterpret_steal<pybind11::object>(made));
    }
  }
}
