// SPDX-License-Identifier: Apache-2.0
/// bind_model.cpp: flashlm.MemoryPlan and flashlm.Stats.
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "flashlm/base/memory/memory_sensor.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/base/units.hpp"
#include "flashlm/model/graph/read_spec.hpp"
#include "flashlm/model/graph/runs.hpp"
#include "flashlm/model/graph/tensors.hpp"
#include "flashlm/model/plan/memory_plan.hpp"

namespace py = pybind11;
using namespace py::literals;
using flashlm::Stats;
using flashlm::model::MemoryPlan;
using flashlm::model::WeightKind;

namespace {

py::dict to_dict(const MemoryPlan::Share& share) {
  return py::dict("bytes"_a = share.bytes, "pinned"_a = share.pinned,
                  "streamed"_a = share.streamed());
}

/// What bounds an automatic budget; None for one that was named.
py::object to_dict(const flashlm::MemoryLimit& limit) {
  if (limit.bound == flashlm::MemoryBound::none) return py::none();
  return py::dict("name"_a = limit.name(), "capacity"_a = limit.capacity, "room"_a = limit.room,
                  "reserve"_a = limit.reserve());
}

py::dict to_dict(const MemoryPlan& plan) {
  py::dict dict("budget"_a = plan.budget, "weights"_a = plan.weights, "resident"_a = plan.resident,
                "pinned"_a = plan.pinned, "stream"_a = plan.stream, "selector"_a = plan.selector,
                "window"_a = plan.window, "n_rows"_a = plan.n_rows, "kv"_a = plan.kv,
                "scratch"_a = plan.scratch, "total"_a = plan.total, "smallest"_a = plan.smallest,
                "streamed"_a = plan.streamed(), "pinned_share"_a = plan.pinned_share(),
                "context"_a = plan.context, "sessions"_a = plan.sessions,
                "limit"_a = to_dict(plan.limit), "notes"_a = plan.notes);
  for (const WeightKind kind :
       {WeightKind::attention, WeightKind::neurons, WeightKind::head, WeightKind::embedding}) {
    dict[py::str(std::string(name(kind)))] = to_dict(plan.share(kind));
  }
  return dict;
}

py::dict to_dict(const flashlm::GovernorStats& stats) {
  py::object room = py::none();
  if (stats.room != flashlm::MemoryState::kUnlimited) room = py::int_(stats.room);
  return py::dict("looks"_a = stats.looks, "room"_a = room, "shrinks"_a = stats.shrinks,
                  "shrunk_bytes"_a = stats.shrunk_bytes, "shrunk_rows"_a = stats.shrunk_rows,
                  "major_faults"_a = stats.major_faults,
                  "pressure_events"_a = stats.pressure_events);
}

py::dict to_dict(const Stats& stats) {
  return py::dict(
      "tokens"_a = stats.tokens, "prefill_tokens"_a = stats.prefill_tokens,
      "reused_tokens"_a = stats.reused_tokens, "prefill_seconds"_a = stats.prefill_seconds,
      "decode_seconds"_a = stats.decode_seconds, "seconds_per_token"_a = stats.seconds_per_token(),
      "bytes_read"_a = stats.bytes_read, "gap_bytes"_a = stats.gap_bytes, "reads"_a = stats.reads,
      "bytes_per_token"_a = stats.bytes_per_token(), "hits"_a = stats.hits,
      "misses"_a = stats.misses, "hit_rate"_a = stats.hit_rate(), "selected"_a = stats.selected,
      "evictions"_a = stats.evictions, "window"_a = stats.window,
      "select_seconds"_a = stats.select_seconds, "io_seconds"_a = stats.io_seconds,
      "memory_seconds"_a = stats.memory_seconds, "compute_seconds"_a = stats.compute_seconds,
      "read_seconds"_a = stats.read_seconds, "overlap"_a = stats.overlap(),
      "peak_bytes"_a = stats.peak_bytes, "governor"_a = to_dict(stats.governor));
}

std::string text(const Stats& stats) {
  const std::string bytes =
      flashlm::format_bytes(static_cast<std::uint64_t>(stats.bytes_per_token()));
  char line[320];
  std::snprintf(
      line, sizeof line,
      "%llu prompt tokens in %.2f s, %llu tokens in %.2f s (%.1f ms each); %s read a token, "
      "%.0f %% of neurons in DRAM; waited %.2f s for flash, computed %.2f s",
      static_cast<unsigned long long>(stats.prefill_tokens), stats.prefill_seconds,
      static_cast<unsigned long long>(stats.tokens), stats.decode_seconds,
      1000 * stats.seconds_per_token(), bytes.c_str(), 100 * stats.hit_rate(), stats.io_seconds,
      stats.compute_seconds);
  std::string result = line;
  if (stats.selected != 0) {
    result += stats.window != 0
                  ? "; neurons of the last " + std::to_string(stats.window) + " tokens are in DRAM"
                  : "; nothing stays in DRAM: one token's neurons do not fit";
  }
  return result;
}

}  // namespace

void bind_model(py::module_& module) {
  module.def(
      "graph_tensors",
      [](const std::string& graph, const std::string& path) {
        namespace model = flashlm::model;
        const model::ModelSpec spec = model::parse_spec(graph, path);
        model::require_runs(spec, path);
        py::list list;
        for (const model::GraphTensor& tensor : model::tensors(spec)) {
          list.append(py::make_tuple(tensor.name, py::tuple(py::cast(tensor.shape)),
                                     model::name(tensor.kind), tensor.segment));
        }
        return list;
      },
      "graph"_a, "path"_a,
      R"(List the weights of a graph, in the order of a pass; refuse what the engine does not compute.

The packer and the engine ask the same function, so that whatever packs, opens.

Args:
    graph: JSON text as in flashlm.json (docs/graph.md).
    path: Its name in messages.

Returns:
    (name, shape, kind, segment) a tensor. Kind is "vector", "table", "rows", "matrix", "neurons" or "head"; segment
    counts the steps of a pass, and is None for what always stays in DRAM.

Raises:
    FormatError: The graph is not one, or not one that the engine computes; names the field.)");
  module.def(
      "free_memory",
      []() -> std::optional<std::uint64_t> {
        const std::uint64_t spare = flashlm::MemorySensor().read().limit.spare();
        return spare == flashlm::MemoryLimit::kUnlimited ? std::nullopt : std::optional(spare);
      },
      "Bytes that the budget 'auto' may take now; None where no limit is known.");
  py::class_<MemoryPlan>(module, "MemoryPlan",
                         R"(Where every byte of a memory budget goes; printable.

Bytes, unless the name says otherwise.

Example:
    >>> plan = lm.memory_plan
    >>> plan.total == plan.resident + plan.pinned + plan.stream + plan.kv + plan.scratch
    True)")
      .def_readonly("budget", &MemoryPlan::budget, "What may be used.")
      .def_readonly("weights", &MemoryPlan::weights, "What all weights would take.")
      .def_property_readonly(
          "attention",
          [](const MemoryPlan& self) { return to_dict(self.share(WeightKind::attention)); },
          "Attention: bytes, and of these pinned and streamed.")
      .def_property_readonly(
          "neurons",
          [](const MemoryPlan& self) { return to_dict(self.share(WeightKind::neurons)); },
          "Neurons: bytes, and of these pinned and streamed.")
      .def_property_readonly(
          "head", [](const MemoryPlan& self) { return to_dict(self.share(WeightKind::head)); },
          "The head, which may be the embedding too: bytes, and of these pinned and streamed.")
      .def_property_readonly(
          "embedding",
          [](const MemoryPlan& self) { return to_dict(self.share(WeightKind::embedding)); },
          "An embedding of its own, read by row: bytes, and of these pinned and on flash.")
      .def_readonly("resident", &MemoryPlan::resident,
                    "Weights that always stay: norms and biases.")
      .def_readonly("pinned", &MemoryPlan::pinned, "Pages of the other weights that stay in DRAM.")
      .def_property_readonly("streamed", &MemoryPlan::streamed, "Read from flash for every token.")
      .def_readonly("stream", &MemoryPlan::stream, "Slots through which streamed weights pass.")
      .def_readonly("selector", &MemoryPlan::selector, "What chooses neurons.")
      .def_readonly("window", &MemoryPlan::window, "Rows for the neurons that were chosen lately.")
      .def_readonly("n_rows", &MemoryPlan::n_rows, "How many neurons those rows hold.")
      .def_readonly("kv", &MemoryPlan::kv, "KV caches of all sessions.")
      .def_readonly("scratch", &MemoryPlan::scratch, "Activations.")
      .def_readonly("total", &MemoryPlan::total, "What is used, at most the budget.")
      .def_readonly("smallest", &MemoryPlan::smallest, "The smallest budget that would work.")
      .def_readonly("context", &MemoryPlan::context, "Positions of a session.")
      .def_readonly("sessions", &MemoryPlan::sessions, "Sessions that have room.")
      .def_property_readonly(
          "limit", [](const MemoryPlan& self) { return to_dict(self.limit); },
          "What bounds the budget 'auto': its name and capacity, the room that was found, and what "
          "stays free of it.")
      .def_property_readonly(
          "notes", [](const MemoryPlan& self) { return self.notes; },
          "What is known beforehand and worth saying.")
      .def_property_readonly("pinned_share", &MemoryPlan::pinned_share,
                             "Share of the weights' bytes kept in DRAM.")
      .def(
          "to_dict", [](const MemoryPlan& self) { return to_dict(self); }, "All numbers by name.")
      .def("__str__", &MemoryPlan::table);

  py::class_<Stats>(module, "Stats",
                    R"(What a session has done; printable. Times are seconds, sizes bytes.

`seconds_per_token`, `bytes_per_token` and `hit_rate` count decoding only.

Example:
    >>> text = lm.generate("The moon is", max_new_tokens=3)
    >>> lm.stats.to_dict()["tokens"]
    2)")
      .def_readonly("tokens", &Stats::tokens, "Tokens decoded one at a time.")
      .def_readonly("prefill_tokens", &Stats::prefill_tokens, "Tokens computed in batches.")
      .def_readonly("reused_tokens", &Stats::reused_tokens, "Prompt tokens found in the KV cache.")
      .def_readonly("prefill_seconds", &Stats::prefill_seconds, "Time of the batches.")
      .def_readonly("decode_seconds", &Stats::decode_seconds, "Time of the single tokens.")
      .def_readonly("bytes_read", &Stats::bytes_read, "Read from flash.")
      .def_readonly("gap_bytes", &Stats::gap_bytes, "Read but not wanted: padding and alignment.")
      .def_readonly("reads", &Stats::reads, "Read requests.")
      .def_readonly("hits", &Stats::hits, "Neurons wanted that were in DRAM.")
      .def_readonly("misses", &Stats::misses, "Neurons wanted that were read.")
      .def_readonly("selected", &Stats::selected,
                    "Neurons that the selector chose, of all layers and tokens.")
      .def_readonly("evictions", &Stats::evictions, "Neurons that left DRAM for others.")
      .def_readonly("window", &Stats::window,
                    "Tokens whose neurons stay in DRAM; 0: nothing stays.")
      .def_readonly("select_seconds", &Stats::select_seconds,
                    "Choosing neurons; a part of compute_seconds.")
      .def_readonly("io_seconds", &Stats::io_seconds,
                    "Computing stood still: reads were handed over or waited for.")
      .def_readonly("memory_seconds", &Stats::memory_seconds, "Managing rows in DRAM.")
      .def_readonly("compute_seconds", &Stats::compute_seconds, "The rest of the steps.")
      .def_readonly("read_seconds", &Stats::read_seconds,
                    "Of the steps: at least one read was in flight.")
      .def_property_readonly(
          "overlap", &Stats::overlap,
          "Share of the shorter of computing and reading that happened while the other did.")
      .def_readonly("peak_bytes", &Stats::peak_bytes, "Largest resident size of the process.")
      .def_property_readonly(
          "governor", [](const Stats& self) { return to_dict(self.governor); },
          "What was seen of the system's memory, and how many bytes of pinned weights and rows of "
          "neurons were given "
          "back.")
      .def_property_readonly("seconds_per_token", &Stats::seconds_per_token,
                             "Decoding time of a token.")
      .def_property_readonly("bytes_per_token", &Stats::bytes_per_token,
                             "Bytes read to decode a token.")
      .def_property_readonly(
          "hit_rate", &Stats::hit_rate,
          "Share of the neurons wanted in decode that were in DRAM; a prompt streams whole layers.")
      .def(
          "to_dict", [](const Stats& self) { return to_dict(self); }, "All numbers by name.")
      .def("__str__", [](const Stats& self) { return text(self); });
}
