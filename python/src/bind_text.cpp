// SPDX-License-Identifier: Apache-2.0
/// bind_text.cpp: flashlm._core.LanguageModel, Session and Generation.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "callbacks.hpp"
#include "flashlm/model/engine.hpp"
#include "flashlm/text/grammar/grammar.hpp"
#include "flashlm/text/grammar/json_schema_subset.hpp"
#include "flashlm/text/language_model.hpp"
#include "flashlm/text/options.hpp"
#include "option_calls.hpp"
#include "system_text.hpp"

namespace py = pybind11;
using namespace py::literals;
using flashlm::Token;
using flashlm::text::Generation;
using flashlm::text::GenerationOptions;
using flashlm::text::Grammar;
using flashlm::text::LanguageModel;
using flashlm::text::LanguageModelOptions;
using flashlm::text::Tokenizer;
using GenerationCalls =
    option_calls::OptionCalls<GenerationOptions, flashlm::text::kGenerationOptions>;
using OpeningCalls =
    option_calls::OptionCalls<LanguageModelOptions, flashlm::text::kOpeningOptions>;

namespace {

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

/// Lets Ctrl-C into a step that takes long.
void let_signals_in() {
  const py::gil_scoped_acquire acquire;
  check_signals();
}

/// Tells Python users of what is wrong with a store or a device, as a RuntimeWarning.
void warn(const std::string& text) {
  const py::gil_scoped_acquire acquire;
  if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "%U", message_text(text).ptr()) != 0)
    throw py::error_already_set();
}

struct PyModel {
  LanguageModel lm;
  std::filesystem::path folder;

  bool is_torn() const noexcept { return lm.engine().is_torn(); }
};

struct PySession {
  LanguageModel lm;
  std::shared_ptr<flashlm::model::Session> session;

  bool is_torn() const noexcept { return session->is_torn(); }
  flashlm::Turns::Turn take_turn() const {
    return flashlm::Turns::Turn(session->turns(), session->engine().on_wait());
  }
};

/// A vector of C++ that becomes a list of Python.
std::vector<Token> copy(std::span<const Token> tokens) { return {tokens.begin(), tokens.end()}; }

/// The memory of the system below another root: a test makes its own /proc and /sys.
std::function<flashlm::MemoryState()> sensor(const std::optional<std::filesystem::path>& root) {
  if (!root) return {};
  return [sensor = flashlm::MemorySensor(root->string())] { return sensor.read(); };
}

using Path = std::optional<std::filesystem::path>;

PyModel open_model(const std::filesystem::path& folder, Callback on_progress, const Path& system,
                   const std::string& manifest, LanguageModelOptions options) {
  options.manifest = manifest;
  options.on_progress = progress(std::move(on_progress));
  options.on_wait = &let_signals_in;
  options.on_warning = &warn;
  options.sensor = sensor(system);
  const Release release;
  return {LanguageModel::open(folder, std::move(options)), folder};
}

flashlm::model::MemoryPlan plan_model(const std::filesystem::path& folder, const Path& system,
                                      const std::string& manifest, LanguageModelOptions options) {
  options.manifest = manifest;
  options.sensor = sensor(system);
  const Release release;
  return LanguageModel::plan(folder, options);
}

std::size_t largest_context(const std::filesystem::path& folder, const Path& system,
                            const std::string& manifest, LanguageModelOptions options) {
  options.manifest = manifest;
  options.sensor = sensor(system);
  const Release release;
  return LanguageModel::largest_context(folder, options);
}

py::array_t<float> logits(PyModel& self, const std::vector<Token>& ids, Callback on_progress) {
  const auto vocab_size = static_cast<py::ssize_t>(self.lm.spec().vocab_size);
  std::vector<float> rows;
  {
    const auto report = progress(std::move(on_progress));
    const Release release;
    rows = self.lm.logits(ids, report);
  }
  auto* owned = new std::vector<float>(std::move(rows));
  const py::capsule owner(owned,
                          [](void* pointer) { delete static_cast<std::vector<float>*>(pointer); });
  return py::array_t<float>({static_cast<py::ssize_t>(ids.size()), vocab_size}, owned->data(),
                            owner);
}

double perplexity(PyModel& self, const std::string& text, Callback on_progress) {
  const auto report = progress(std::move(on_progress));
  const Release release;
  return self.lm.perplexity(text, report);
}

using OnLayer = std::function<void(std::size_t, py::array_t<float>, py::array_t<float>)>;

void collect(PyModel& self, const std::vector<Token>& ids, const OnLayer& on_layer) {
  const auto observer = [&](std::size_t layer, std::size_t n_tokens, std::span<const float> x,
                            std::span<const float> h) {
    const py::gil_scoped_acquire acquire;
    check_signals();
    const auto rows = [n = static_cast<py::ssize_t>(n_tokens)](std::span<const float> values) {
      return py::array_t<float>({n, static_cast<py::ssize_t>(values.size()) / n}, values.data());
    };
    on_layer(layer, rows(x), rows(h));
  };
  const Release release;
  self.lm.collect(ids, observer);
}

py::dict config(const PyModel& self) {
  const flashlm::model::ModelSpec& spec = self.lm.spec();
  const flashlm::model::AttentionSpec& attention = spec.attention();
  const flashlm::storage::Manifest& manifest = self.lm.engine().model().manifest();
  return py::dict("family"_a = manifest.family, "dim"_a = spec.dim,
                  "hidden_dim"_a = spec.ffn().hidden, "n_layers"_a = spec.n_layers(),
                  "n_heads"_a = attention.heads, "n_kv_heads"_a = attention.kv_heads,
                  "head_dim"_a = attention.head_dim, "vocab_size"_a = spec.vocab_size,
                  "max_context"_a = spec.max_context, "bos"_a = manifest.bos,
                  "eos"_a = manifest.eos, "dtype"_a = manifest.dtype,
                  "selector"_a = self.lm.engine().model().selector().name(),
                  "reader"_a = std::string(self.lm.engine().reader_name()),
                  "threads"_a = self.lm.engine().n_threads());
}

/// What the store has done, or None without one.
py::object kv_store(const PyModel& self) {
  const auto& store = self.lm.kv_store();
  if (!store) return py::none();
  const flashlm::text::KvStoreStats stats = store->stats();
  return py::dict("folder"_a = store->folder(), "max_bytes"_a = store->max_bytes(),
                  "loaded_tokens"_a = stats.loaded_tokens, "stored_tokens"_a = stats.stored_tokens,
                  "removed_blocks"_a = stats.removed_blocks,
                  "damaged_blocks"_a = stats.damaged_blocks);
}

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

/// Defines what takes a folder and the options of opening.
template <class Class, class Function, class... First>
void def_opening(Class& target, const char* name, Function function, const std::string& doc,
                 const First&... first) {
  OpeningCalls::with_arguments([&](auto... option) {
    target.def_static(name, function, "folder"_a, py::kw_only(), first..., option..., doc.c_str());
  });
}

}  // namespace

void bind_text(py::module_& module) {
  module.attr("OPENING_OPTIONS") = OpeningCalls::described();
  module.attr("GENERATION_OPTIONS") = GenerationCalls::described();
  py::class_<Grammar, std::shared_ptr<Grammar>>(module, "Grammar", R"(Which texts a model may write.

Example:
    >>> grammar = flashlm.Grammar.from_json_schema('{"enum": ["red", "green"]}')
    >>> lm._native.generate("The leaf is", grammar=grammar) in {'"red"', '"green"'}
    True)")
      .def_static(
          "from_json_schema",
          [](const std::string& schema) { return Grammar::from_json_schema(schema); }, "schema"_a,
          py::call_guard<py::gil_scoped_release>(), R"(The JSON texts that a schema allows.

Properties come in the order of the schema, with one space after each comma and colon.

Args:
    schema: A JSON schema (draft 2020-12) as text. "{}" is any JSON.

Returns:
    The grammar; any number of texts may share it.

Raises:
    FormatError: A keyword is not supported, which the message names with its place, or nothing meets the schema.

Example:
    >>> flashlm.Grammar.from_json_schema('{"type": "array", "contains": {}}')  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    flashlm.FormatError: [json_schema] #: unsupported keyword 'contains'...)");
  module.def(
      "known_schema",
      [](const std::string& schema) {
        const flashlm::text::JsonSchemaSubset known = flashlm::text::known_schema(schema);
        return std::pair(
            known.schema.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace),
            known.left);
      },
      "schema"_a, py::call_guard<py::gil_scoped_release>(),
      R"(A tool's JSON schema without what grammars do not know.

Args:
    schema: The schema as text.

Returns:
    A schema that has a grammar and allows all that the other one allows, as text; and what it does not say, such as
    "'contains' at #/properties/tags".

Raises:
    FormatError: It is not JSON.

Example:
    >>> flashlm._core.known_schema('{"type": "array", "contains": {}}')
    ('{"type":"array"}', ["'contains' at #"]))");

  py::class_<Generation, std::unique_ptr<Generation, DeleteWithoutGil>>(
      module, "Generation",
      R"(A text that grows: an iterator of pieces of whole characters.

Texts that share a session may be pulled in any order and from any thread: each is what it would be alone.

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
    >>> lm.stream("The moon is", max_new_tokens=2).rest() == lm.generate("The moon is", max_new_tokens=2)
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

Sessions of one model may be used from several threads: each waits only for steps of the others. Threads may share a
session too: they take turns.)");
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

  py::class_<PyModel, std::unique_ptr<PyModel, DeleteWithoutGil>> model(
      module, "LanguageModel", "A packed model that is open, with a session of its own.");
  const char* const raises = R"(
Raises:
    BudgetError: It cannot fit; smallest_bytes would.
    FormatError: A file is wrong.
    IoError: A file cannot be read, or memory cannot be locked.
    ArgumentError: An option is out of range.)";
  using Folder = const std::filesystem::path&;
  def_opening(
      model, "open",
      OpeningCalls::function<Folder, Callback, const Path&, const std::string&>(&open_model),
      doc<OpeningCalls>(R"(Open a packed folder.

Args:
    folder: What `flashlm.pack` wrote.
    on_progress: Called with bytes read and in total.
    system: Where /proc and /sys are; a test makes its own.
    manifest: The text of a flashlm.json to take in place of the folder's; empty: the folder's.
)",
                        raises),
      "on_progress"_a = py::none(), "system"_a = py::none(), "manifest"_a = "");
  def_opening(model, "plan",
              OpeningCalls::function<Folder, const Path&, const std::string&>(&plan_model),
              doc<OpeningCalls>(R"(Split the memory that `open` would have, and read no weights.

Args:
    folder: What `flashlm.pack` wrote; its weights may be holes.
    system: Where /proc and /sys are.
    manifest: The text of a flashlm.json to take in place of the folder's; empty: the folder's.
)",
                                raises),
              "system"_a = py::none(), "manifest"_a = "");
  def_opening(
      model, "largest_context",
      OpeningCalls::function<Folder, const Path&, const std::string&>(&largest_context),
      doc<OpeningCalls>(
          R"(The longest context, up to the model's own, whose keys and values take half of memory.

Half of what is left beside the least plan, that is; and at least 256 positions. A context that is given is ignored.

Args:
    folder: What `flashlm.pack` wrote; its weights may be holes.
    system: Where /proc and /sys are.
    manifest: The text of a flashlm.json to take in place of the folder's; empty: the folder's.
)",
          raises),
      "system"_a = py::none(), "manifest"_a = "");
  def_generation(model, [](PyModel& self, const auto& prompt, const GenerationOptions& options) {
    return self.lm.stream(prompt, options);
  });
  model
      .def(
          "session",
          [](PyModel& self) {
            const Release release;
            return PySession{self.lm, self.lm.session()};
          },
          "A conversation of its own. Raises BudgetError if there is no room for another KV cache.")
      .def(
          "load_session",
          [](PyModel& self, const std::filesystem::path& path) {
            const Release release;
            return PySession{self.lm, self.lm.load_session(path)};
          },
          "path"_a, R"(The conversation that `Session.save` wrote, as a new one.

Args:
    path: The file.

Returns:
    A session that goes on from there.

Raises:
    FormatError: The file is damaged, or of another model.
    ShapeError: The text is longer than the context.
    BudgetError: There is no room for another KV cache.
    IoError: The file cannot be read.)")
      .def("logits", &logits, "ids"_a, "on_progress"_a = py::none(),
           R"(The logits after every token.

Args:
    ids: Token ids, at most `context`.
    on_progress: Called with tokens done and in total.

Returns:
    float32 [len(ids), vocab_size].

Raises:
    ShapeError: There are more ids than positions.
    ArgumentError: An id is not in the vocabulary.)")
      .def(
          "step",
          [](PyModel& self, Token token) {
            py::array_t<float> logits(static_cast<py::ssize_t>(self.lm.spec().vocab_size));
            float* row = logits.mutable_data();
            const Release release;
            const auto turn = self.lm.take_turn();
            const std::span<const float> after = self.lm.step(token);
            std::copy(after.begin(), after.end(), row);
            return logits;
          },
          "token"_a,
          R"(Append one token to the model's own session, whatever it would have chosen: one step of decoding.

Args:
    token: Its id.

Returns:
    The logits after it, float32 [vocab_size].

Raises:
    ShapeError: The context is full.
    ArgumentError: The id is not in the vocabulary.
    IoError: A read failed; the session is as before.)")
      .def(
          "perplexity", &perplexity, "text"_a, "on_progress"_a = py::none(),
          R"(exp of the mean negative log-likelihood of tokens 2..n, in windows of `context` tokens that overlap by one.

Args:
    text: Two tokens or more.
    on_progress: Called with tokens done and in total.

Returns:
    The perplexity.

Raises:
    ShapeError: The text has fewer than two tokens.)")
      .def("collect", &collect, "ids"_a, "on_layer"_a,
           R"(Run a text densely and show what every neuron does.

Args:
    ids: Token ids, at most `context`.
    on_layer: Called with the layer, the input of its feed-forward network float32 [n, dim], and the activation of each
        neuron float32 [n, hidden_dim], for every batch of at most `max_batch` tokens. May raise to stop.

Raises:
    ShapeError: There are more ids than positions.
    FormatError: An activation is not finite.
    ArgumentError: The selector is not dense, or an id is not in the vocabulary.)")
      .def_property_readonly(
          "tokenizer", [](const PyModel& self) -> const Tokenizer& { return self.lm.tokenizer(); },
          "The model's tokenizer.")
      .def_property_readonly(
          "tokens", [](const PyModel& self) { return self.lm.copy_tokens(); },
          "The ids whose keys and values the model's own session holds.")
      .def_property_readonly("config", &config, "The model's numbers by name.")
      .def_property_readonly("kv_store", &kv_store,
                             "What the KV store is and has done; None without one.")
      .def_property_readonly(
          "folder", [](const PyModel& self) { return self.folder; }, "The packed folder.")
      .def_property_readonly(
          "memory_plan", [](const PyModel& self) { return self.lm.memory_plan(); },
          "Where the memory goes.")
      .def_property_readonly(
          "stats", [](const PyModel& self) { return self.lm.stats(); },
          "What the model's own session has done.");
}
