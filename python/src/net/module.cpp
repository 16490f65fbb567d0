// SPDX-License-Identifier: Apache-2.0
/// module.cpp: the extension module flashlm._net: the web and the papers in it.
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "../checked_calls.hpp"
#include "../tool_errors.hpp"
#include "flashlm/tools/papers/papers.hpp"

namespace py = pybind11;
using namespace py::literals;
using namespace flashlm;
using namespace flashlm::tools;

namespace {

using Release = py::gil_scoped_release;
using Progress = std::optional<std::function<void(std::uint64_t, std::uint64_t, double)>>;

void translate(std::exception_ptr pointer) {
  try {
    std::rethrow_exception(pointer);
  } catch (const HttpError& error) {
    const py::object instance = make_tool_error(error);
    instance.attr("status") = error.status();
    raise_tool_error(instance);
  } catch (const Error&) {
    translate_tool_error(pointer);
  }
}

/// Tells Python how far it is, and lets Ctrl-C through.
Papers::Progress told(const Progress& progress) {
  return [&progress](const HttpProgress& now) {
    const py::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (progress) (*progress)(now.done, now.total, now.waiting_seconds);
  };
}

HttpResponse get(const std::string& url, std::map<std::string, std::string> headers,
                 std::string token, std::uint64_t max_bytes, double total_seconds,
                 const Progress& progress) {
  HttpOptions options;
  options.max_bytes = max_bytes;
  options.total_seconds = total_seconds;
  options.progress = told(progress);
  const Release release;
  return http_get({url, std::move(headers), std::move(token)}, options);
}

Papers make_papers(std::optional<std::string> hub, std::optional<std::string> arxiv,
                   std::optional<std::filesystem::path> cache, std::optional<std::string> token,
                   std::optional<bool> offline, std::optional<double> arxiv_interval_seconds) {
  PapersOptions options = PapersOptions::from_environment();
  if (hub) options.hub = *std::move(hub);
  if (arxiv) options.arxiv = *std::move(arxiv);
  if (cache) options.cache = *std::move(cache);
  if (token) options.token = *std::move(token);
  if (offline) options.offline = *offline;
  if (arxiv_interval_seconds) options.arxiv_interval_seconds = *arxiv_interval_seconds;
  return Papers(std::move(options));
}

std::vector<Paper> daily(const Papers& self, std::string topic, std::size_t top,
                         std::optional<std::string> date, std::optional<std::string> week,
                         std::optional<std::string> month, const std::string& order, int days,
                         const Progress& progress) {
  if (order != "votes" && order != "trend") {
    throw ArgumentError(concat("[papers] order: expected votes or trend, got '", order, "'"));
  }
  const DailyQuery query{.topic = std::move(topic),
                         .top = top,
                         .date = std::move(date).value_or(""),
                         .week = std::move(week).value_or(""),
                         .month = std::move(month).value_or(""),
                         .order = order == "votes" ? DailyOrder::votes : DailyOrder::trend,
                         .days = days};
  const Release release;
  return self.daily(query, told(progress));
}

py::object to_dict(const Paper& paper) {
  return py::module_::import("json").attr("loads")(paper.to_json().dump());
}

void bind_http(py::module_& module) {
  py::class_<HttpResponse>(module, "HttpResponse", "What came from the web.")
      .def_readonly("status", &HttpResponse::status, "200 to 299.")
      .def_readonly("url", &HttpResponse::url, "The address after redirections.")
      .def_property_readonly(
          "headers",
          [](const HttpResponse& self) {
            py::dict headers;
            for (const auto& [name, value] : self.headers)
              headers[message_text(name)] = message_text(value);
            return headers;
          },
          "Their names in small letters.")
      .def_property_readonly(
          "body", [](const HttpResponse& self) { return py::bytes(self.body); },
          "After decompression.");
  const HttpOptions defaults;
  module.def("http_get", &get, "url"_a, py::kw_only(),
             "headers"_a = std::map<std::string, std::string>{}, "token"_a = "",
             "max_bytes"_a = defaults.max_bytes, "total_seconds"_a = defaults.total_seconds,
             "progress"_a = py::none(), R"(Fetch a page.

Args:
    url: https, or http to this machine.
    headers: Sent to every host that a redirection leads to.
    token: Sent as a bearer token, to the scheme, host and port of url only.
    max_bytes: The most that the body may have.
    total_seconds: The longest that all tries together may take.
    progress: Called with the bytes that came, those announced (or 0), and the seconds until the next try (or 0).

Returns:
    The answer, if it is a success.

Raises:
    ArgumentError: The address is not allowed.
    IoError: The fetch failed; `status` is there if a server refused.)");
}

void bind_paper(py::module_& module) {
  py::class_<Paper>(module, "Paper", "What the hub knows about a paper. The texts are the web's.")
      .def_readonly("id", &Paper::id, "arXiv's id, without a version.")
      .def_readonly("title", &Paper::title)
      .def_readonly("summary", &Paper::summary, "The authors' abstract.")
      .def_readonly("ai_summary", &Paper::ai_summary,
                    "A sentence by a model of the hub, or nothing.")
      .def_readonly("authors", &Paper::authors)
      .def_readonly("keywords", &Paper::keywords, "Words by a model of the hub.")
      .def_readonly("upvotes", &Paper::upvotes)
      .def_readonly("comments", &Paper::comments)
      .def_readonly("published", &Paper::published, "When, as ISO 8601.")
      .def_readonly("daily", &Paper::daily, "The day whose list it is on.")
      .def_property_readonly("url", &Paper::url, "Its page at arXiv.")
      .def_property_readonly("hub_url", &Paper::hub_url, "Its page at the hub.")
      .def("to_dict", &to_dict, "All of it, for JSON.")
      .def("__repr__", [](const Paper& self) {
        return "Paper(" + py::repr(py::str(self.id)).cast<std::string>() + ", " +
               py::repr(py::str(self.title)).cast<std::string>() + ")";
      });
  module.def(
      "paper_id", [](const std::string& text) { return PaperId::parse(text).text(); }, "text"_a,
      R"(The arXiv id in a text such as '2312.11514v2', 'arXiv:2312.11514' or the address of a paper's page.

Raises:
    ArgumentError: It is none.)");
}

void bind_papers(py::module_& module) {
  py::class_<Papers>(module, "Papers",
                     R"(Finds and fetches papers, and keeps all that comes in a cache.

Thread-safe. Every call raises IoError if the network fails (with `status` if a server refused) or, offline, if the
cache has not what is asked for; FormatError for an answer of another shape. `progress` is called with the bytes that
came, those announced (or 0), and the seconds until the next request (or 0); what it raises ends the call.)")
      .def(py::init(&make_papers), py::kw_only(), "hub"_a = py::none(), "arxiv"_a = py::none(),
           "cache"_a = py::none(), "token"_a = py::none(), "offline"_a = py::none(),
           "arxiv_interval_seconds"_a = py::none(),
           R"(What is not given is as the environment says.

Args:
    hub: HF_ENDPOINT, https://huggingface.co.
    arxiv: ARXIV_ENDPOINT, https://export.arxiv.org.
    cache: The folder assets/flashlm/papers in HF_HOME.
    token: HF_TOKEN or the file that `hf auth login` writes; sent to the hub only.
    offline: HF_HUB_OFFLINE.
    arxiv_interval_seconds: From one request to arXiv to the next; arXiv asks for 3.)")
      .def_property_readonly(
          "cache", [](const Papers& self) { return self.cache().folder(); }, "The folder.")
      .def_property_readonly(
          "offline", [](const Papers& self) { return self.options().offline; },
          "Whether only the cache is used.")
      .def("daily", &daily, py::kw_only(), "topic"_a = "", "top"_a = 10, "date"_a = py::none(),
           "week"_a = py::none(), "month"_a = py::none(), "order"_a = "votes", "days"_a = 1,
           "progress"_a = py::none(),
           R"(The top daily papers: first those about the topic, then those that only mention it.

Args:
    topic: Words that title, keywords and summary must have; commas separate choices. Nothing: all papers.
    top: At most so many.
    date: '2025-02-28'. Without date, week and month: the newest list.
    week: '2025-W09'.
    month: '2025-02'.
    order: 'votes' or 'trend'.
    days: With more than one, earlier days are looked at until there are enough.
    progress: See the class.

Returns:
    The papers; fewer, or none, if there are no more.

Raises:
    ArgumentError: A value lies outside its range.)")
      .def(
          "search",
          [](const Papers& self, const std::string& query, int limit, const Progress& progress) {
            const Release release;
            return self.search(query, limit, told(progress));
          },
          "query"_a, py::kw_only(), "limit"_a = 10, "progress"_a = py::none(),
          R"(What the hub's search finds among all papers, in its order.

Args:
    query: 1 to 250 bytes.
    limit: 1 to 120.
    progress: See the class.

Returns:
    The papers.)")
      .def(
          "info",
          [](const Papers& self, const std::string& id, const Progress& progress) {
            const Release release;
            return self.info(PaperId::parse(id), told(progress));
          },
          "paper_id"_a, py::kw_only(), "progress"_a = py::none(), R"(One paper.

Args:
    paper_id: See the function of that name.
    progress: See the class.

Returns:
    The paper.)")
      .def(
          "markdown",
          [](const Papers& self, const std::string& id, bool refresh, const Progress& progress) {
            const Release release;
            return self.markdown(PaperId::parse(id), refresh, told(progress));
          },
          "paper_id"_a, py::kw_only(), "refresh"_a = false, "progress"_a = py::none(),
          R"(The text of a paper from the hub.

Args:
    paper_id: See the function of that name.
    refresh: Whether to ask again for what is in the cache.
    progress: See the class.

Returns:
    Markdown, or None if the hub has none.)")
      .def(
          "pdf",
          [](const Papers& self, const std::string& id, bool refresh, const Progress& progress) {
            const Release release;
            return self.pdf(PaperId::parse(id), refresh, told(progress));
          },
          "paper_id"_a, py::kw_only(), "refresh"_a = false, "progress"_a = py::none(),
          R"(The PDF of a paper from arXiv.

Args:
    paper_id: See the function of that name.
    refresh: Whether to ask for the newest version although the cache has one.
    progress: See the class.

Returns:
    The file, in the cache.)");
}

}  // namespace

PYBIND11_MODULE(_net, module) {
  module.doc() =
      "The web and its papers. Use the package `flashlm`; this module's names are private.";
  py::register_local_exception_translator(&translate);
  bind_http(module);
  bind_paper(module);
  bind_papers(module);
  check_calls(module);
}
