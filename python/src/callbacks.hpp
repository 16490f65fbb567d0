// SPDX-License-Identifier: Apache-2.0
/// callbacks.hpp: functions of Python that C++ calls while it works.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <utility>

#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

/// A progress function; None is none.
using Callback = std::optional<std::function<void(std::size_t, std::size_t)>>;

/// Throws what a signal handler raised, such as KeyboardInterrupt. Needs the GIL.
inline void check_signals() {
  if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
}

/// A progress function for C++ that lets Ctrl-C through, and calls `callback` if there is one.
inline std::function<void(std::size_t, std::size_t)> progress(Callback callback) {
  return [callback = std::move(callback)](std::size_t done, std::size_t total) {
    const pybind11::gil_scoped_acquire acquire;
    check_signals();
    if (callback) (*callback)(done, total);
  };
}
