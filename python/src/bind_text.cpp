// SPDX-License-Identifier: Apache-2.0
/// bind_text.cpp: flashlm._core.LanguageModel.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "callbacks.hpp"
#include "flashlm/model/engine.hpp"
#include "flashlm/text/language_model.hpp"
#include "flashlm/text/options.hpp"
#include "generation_calls.hpp"
#include "option_calls.hpp"
#include "system_text.hpp"

using namespace generation_calls;
using flashlm::text::LanguageModelOptions;
using flashlm::text::Tokenizer;
using OpeningCalls =
    option_calls::OptionCalls<LanguageModelOptions, flashlm::text::kOpeningOptions>;

namespace {

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

Half of what is left beside the least plan, that is; and at least 256 positions. A context that is
given is ignored.

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
          R"(Append one token to the model's own session: one step of decoding.

The token need not be one that the model would have chosen.

Args:
    token: Its id.

Returns:
    The logits after it, float32 [vocab_size].

Raises:
    ShapeError: The context is full.
    ArgumentError: The id is not in the vocabulary.
    IoError: A read failed; the session is as before.)")
      .def("perplexity", &perplexity, "text"_a, "on_progress"_a = py::none(),
           R"(exp of the mean negative log-likelihood of tokens 2..n.

It is taken in windows of `context` tokens that overlap by one.

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
    on_layer: Called with the layer, the input of its feed-forward network float32 [n, dim], and the
        activation of each neuron float32 [n, hidden_dim], for every batch of at most `max_batch`
        tokens. May raise to stop.

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
