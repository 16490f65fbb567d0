// SPDX-License-Identifier: Apache-2.0
/// generation_calls.hpp: sessions in Python, and stream and generate of whatever has one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "flashlm/base/token.hpp"
#include "flashlm/base/turns.hpp"
#include "flashlm/model/engine.hpp"
#include "flashlm/model/session.hpp"
#include "flashlm/text/language_model.hpp"
#include "flashlm/text/options.hpp"
#include "option_calls.hpp"

namespace generation_calls {

namespace py = pybind11;
using namespace py::literals;
using flashlm::Token;
using flashlm::text::Generation;
using flashlm::text::GenerationOptions;
using flashlm::text::LanguageModel;
using GenerationCalls =
    option_calls::OptionCalls<GenerationOptions, flashlm::text::kGenerationOptions>;

/// What computes, waits for a turn, or takes a lock of the engine has no GIL: the thread that it
/// waits for needs the GIL to call back. C++ lets threads take turns.
using Release = py::gil_scoped_release;

/// For what destroys an engine, or waits for one.
struct DeleteWithoutGil {
  template <class T>
  void operator()(T* object) const noexcept {
    const Release release;
    flashlm::DeleteUnlessTorn()(object);
  }
};

struct PySession {
  LanguageModel lm;
  std::shared_ptr<flashlm::model::Session> session;

  bool is_torn() const noexcept { return session->is_torn(); }
  flashlm::Turns::Turn take_turn() const {
    return flashlm::Turns::Turn(session->turns(), session->engine().on_wait());
  }
};

/// The docstring of a function that takes the options of a table behind `first`.
template <class Calls>
std::string doc(const char* first, const char* rest) {
  return first + Calls::lines() + rest;
}

/// The function that takes the arguments of `begin` and returns the whole text.
template <class Begin, class Self, class... Arguments>
auto whole(Begin begin, Generation (Begin::*)(Self&, Arguments...) const) {
  return [begin](Self& self, Arguments... arguments) {
    const std::unique_ptr<Generation, DeleteWithoutGil> generation(
        new Generation(begin(self, std::move(arguments)...)));
    const Release release;
    return generation->rest();
  };
}

/// What is continued: a text, or the ids of one.
using Prompt = std::variant<std::string, std::vector<Token>>;

/// Defines stream and generate, whose arguments are the same for the model's own session and for
/// others.
template <class Class, class Start>
void def_generation(Class& target, Start start) {
  using Self = typename Class::type;
  const auto begin = GenerationCalls::function<Self&, const Prompt&>(
      [start](Self& self, const Prompt& prompt, const GenerationOptions& options) {
        const Release release;
        return std::visit([&](const auto& given) { return start(self, given, options); }, prompt);
      });
  const auto define = [&target](const char* name, auto function, const std::string& doc) {
    GenerationCalls::with_arguments([&](auto... option) {
      target.def(name, function, "prompt"_a, py::kw_only(), option..., doc.c_str());
    });
  };
  define("stream", begin,
         doc<GenerationCalls>(R"(Continue a prompt piece by piece.

Args:
    prompt: The text to continue, or its ids; parse_special and add_special have no effect on ids.
)",
                              R"(
Returns:
    An iterator of text pieces of whole characters.

Raises:
    ArgumentError: An option is out of range, or max_new_tokens below the grammar's shortest text.
    ShapeError: The prompt is empty or longer than the context.
    IoError: A read failed; the session stays usable.)"));
  define("generate", whole(begin, &decltype(begin)::operator()),
         "Continue a prompt and return the whole text. The arguments are those of `stream`.");
}

}  // namespace generation_calls
