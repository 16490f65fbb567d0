// SPDX-License-Identifier: Apache-2.0
/// module.cpp: the extension module flashlm._core, bound layer by layer.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "checked_calls.hpp"
#include "flashlm/base/tiles.hpp"
#include "flashlm/version.hpp"

void bind_base(pybind11::module_& module);
void bind_kernels(pybind11::module_& module);
void bind_storage(pybind11::module_& module);
void bind_writers(pybind11::module_& module);
void bind_disk_probe(pybind11::module_& module);
void bind_tokenizer(pybind11::module_& module);
void bind_units(pybind11::module_& module);
void bind_training(pybind11::module_& module);
void bind_model(pybind11::module_& module);
void bind_grammar(pybind11::module_& module);
void bind_session(pybind11::module_& module);
void bind_text(pybind11::module_& module);
void bind_agent(pybind11::module_& module);

PYBIND11_MODULE(_core, module) {
  module.doc() =
      "The C++ engine of flashlm. Use the package `flashlm`; this module's names are private.";
  module.attr("version") = FLASHLM_VERSION;
  module.attr("tile_rows") = flashlm::kTileRows;
  bind_base(module);
  bind_kernels(module);
  bind_storage(module);
  bind_writers(module);
  bind_disk_probe(module);
  bind_tokenizer(module);
  bind_units(module);
  bind_training(module);
  bind_model(module);
  bind_grammar(module);
  bind_session(module);
  bind_text(module);
  bind_agent(module);
  check_calls(module);
}
