// SPDX-License-Identifier: Apache-2.0
/// bind_session.cpp: flashlm._core.Generation and Session.
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "callbacks.hpp"
#include "flashlm/text/language_model.hpp"
#include "generation_calls.hpp"

using namespace generation_calls;

namespace {

/// A vector of C++ that becomes a list of Python.
std::vector<Token> copy(std::span<const Token> tokens) { return {tokens.begin(), tokens.end()}; }

}  // namespace

void bind_session(py::module_& module) {
  module.attr("GENERATION_OPTIONS") = GenerationCalls::described();
  py::class_<Generation, std::unique_ptr<Generation, DeleteWithoutGil>>(
      module, "Generation",
      R"(A text that grows: an iterator of pieces of whole characters.

Texts that share a session may be pulled in any order and from any thread: each is what it would be
alone.

Example:
    >>> generation = lm.stream("The moon is", max_new_tokens=2)
    >>> text = "".join(generation)
    >>> generation.finish_reason, len(generation.tokens)
    ('length', 2))")
      .def("__iter__", [](py::object self) { return self; })
      .def("__next__",
           [](Generation& self) {
             check_signals();  // callers such as "".join run no Python between two pieces
             const std::optional<std::string> piece = [&self] {
               const Release release;
               return self.next_copy();
             }();
             if (!piece) throw py::stop_iteration();
             return *piece;
           })
      .def("rest", &Generation::rest, py::call_guard<Release>(), R"(All that is left, as one text.

Nobody else uses the session meanwhile, which costs less than its pieces where threads share one.

Returns:
    The text; empty when it has ended.

Raises:
    IoError: A read failed; `tokens` has what was computed before.

Example:
    >>> rest = lm.stream("The moon is", max_new_tokens=2).rest()
    >>> rest == lm.generate("The moon is", max_new_tokens=2)
    True)")
      .def("close", &Generation::close,
           "End the text here; a piece that another thread is just computing still comes.")
      .def_property_readonly(
          "finish_reason",
          [](const Generation& self) -> std::optional<std::string> {
            if (self.finish_reason() == flashlm::text::FinishReason::none) return std::nullopt;
            return std::string(flashlm::text::name(self.finish_reason()));
          },
          "'eos', 'stop', 'length', 'context' or 'closed'; None while it grows.")
      .def_property_readonly(
          "tokens", [](const Generation& self) { return copy(self.tokens()); },
          "The ids generated so far, the ending one included.")
      .def_property_readonly(
          "prompt_tokens", [](const Generation& self) { return copy(self.prompt_tokens()); },
          "The ids of the prompt.")
      .def_property_readonly("seed", &Generation::seed, "With this seed, the same is drawn again.");

  py::class_<PySession, std::unique_ptr<PySession, DeleteWithoutGil>> session(
      module, "Session", R"(One conversation: it goes on from the longest common prefix.

Sessions of one model may be used from several threads: each waits only for steps of the others.
Threads may share a session too: they take turns.)");
  def_generation(session,
                 [](PySession& self, const auto& prompt, const GenerationOptions& options) {
                   return self.lm.stream(self.session, prompt, options);
                 });
  session
      .def(
          "reset",
          [](PySession& self) {
            const Release release;
            const auto turn = self.take_turn();
            self.session->reset();
          },
          "Forget the text; the memory stays.")
      .def(
          "save",
          [](const PySession& self, const std::filesystem::path& path) {
            const Release release;
            const auto turn = self.take_turn();
            self.session->save(path);
          },
          "path"_a, R"(Write the text with its keys and values to a file, for `load_session`.

Args:
    path: The file appears whole, or what stood there stays.

Raises:
    IoError: It cannot be written.)")
      .def_property_readonly(
          "tokens", [](const PySession& self) { return self.session->copy_tokens(); },
          "The ids whose keys and values the session holds.")
      .def_property_readonly(
          "context", [](const PySession& self) { return self.session->context(); },
          "Positions that fit.")
      .def_property_readonly(
          "stats", [](const PySession& self) { return self.session->stats(); },
          "What this session has done.");
}
