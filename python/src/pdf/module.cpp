// SPDX-License-Identifier: Apache-2.0
/// module.cpp: the extension module flashlm._pdf. It links poppler, which is GPL: see docs/pdf.md.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "../checked_calls.hpp"
#include "../tool_errors.hpp"
#include "flashlm/tools/pdf/pdf.hpp"

namespace py = pybind11;
using namespace py::literals;
using namespace flashlm::tools;

namespace {

using Path = std::filesystem::path;
using Release = py::gil_scoped_release;
using Progress = std::optional<std::function<void(std::size_t, std::size_t)>>;

Pdf read_pages(const Path& path, std::size_t first_page, std::optional<std::size_t> last_page,
               std::string password, bool require_text, std::uint64_t max_file_bytes,
               std::size_t max_pages, std::uint64_t max_text_bytes, double max_seconds,
               std::uint64_t max_memory_bytes, bool isolate, const Progress& progress) {
  PdfOptions options{.first_page = first_page,
                     .last_page = last_page,
                     .password = std::move(password),
                     .require_text = require_text,
                     .max_file_bytes = max_file_bytes,
                     .max_pages = max_pages,
                     .max_text_bytes = max_text_bytes,
                     .max_seconds = max_seconds,
                     .max_memory_bytes = max_memory_bytes,
                     .isolate = isolate};
  options.progress = [&progress](std::size_t done, std::size_t total) {
    const py::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();  // Ctrl-C
    if (progress) (*progress)(done, total);
  };
  const Release release;
  return read_pdf(path, options);
}

PdfInfo read_info(const Path& path, std::string password, std::uint64_t max_file_bytes,
                  double max_seconds, std::uint64_t max_memory_bytes, bool isolate) {
  const PdfOptions options{.password = std::move(password),
                           .max_file_bytes = max_file_bytes,
                           .max_seconds = max_seconds,
                           .max_memory_bytes = max_memory_bytes,
                           .isolate = isolate};
  const Release release;
  return read_pdf_info(path, options);
}

void bind_types(py::module_& module) {
  py::class_<PdfInfo>(module, "PdfInfo", "What a PDF says about itself.")
      .def_readonly("title", &PdfInfo::title, "Empty if the file does not say.")
      .def_readonly("author", &PdfInfo::author, "Empty if the file does not say.")
      .def_readonly("n_pages", &PdfInfo::n_pages)
      .def_readonly("encrypted", &PdfInfo::encrypted,
                    "Encrypted, and opened with the password or without one.")
      .def_readonly("complete", &PdfInfo::complete,
                    "False if the end of the file is missing, and perhaps pages.");
  py::class_<PdfPage>(module, "PdfPage", "The text of one page.")
      .def_readonly("number", &PdfPage::number, "From 1.")
      .def_readonly("text", &PdfPage::text, "Lines, with an empty one between paragraphs.")
      .def_readonly("damaged", &PdfPage::damaged, "True if the page cannot be read.");
  py::class_<Pdf>(module, "Pdf", "A PDF, or some pages of it.")
      .def_readonly("info", &Pdf::info)
      .def_readonly("pages", &Pdf::pages)
      .def_property_readonly("has_text", &Pdf::has_text, "Whether any of the pages has a word.")
      .def_property_readonly("text", &Pdf::text, "All pages, with an empty line between them.");
}

}  // namespace

PYBIND11_MODULE(_pdf, module) {
  module.doc() =
      "Reads PDFs by poppler, which is under the GPL; so is a program that loads this module.";
  py::register_local_exception_translator(&translate_tool_error);
  bind_types(module);
  const PdfOptions defaults;
  module.def("read_pdf", &read_pages, "path"_a, py::kw_only(), "first_page"_a = defaults.first_page,
             "last_page"_a = py::none(), "password"_a = "",
             "require_text"_a = defaults.require_text, "max_file_bytes"_a = defaults.max_file_bytes,
             "max_pages"_a = defaults.max_pages, "max_text_bytes"_a = defaults.max_text_bytes,
             "max_seconds"_a = defaults.max_seconds,
             "max_memory_bytes"_a = defaults.max_memory_bytes, "isolate"_a = defaults.isolate,
             "progress"_a = py::none(), R"(Read the text of a PDF.

Columns come in reading order, ligatures are spelled out, and words that a line's end cuts are joined.

Args:
    path: The file.
    first_page: Counts from 1.
    last_page: Inclusive; the last one there is if None or beyond it.
    password: The user's or the owner's.
    require_text: Whether pages without a single word, such as scanned ones, are an error.
    max_file_bytes: The largest file that is read.
    max_pages: The most pages that are read at once.
    max_text_bytes: The most text that is read.
    max_seconds: The longest that reading may take.
    max_memory_bytes: The most memory that reading may take, on Linux.
    isolate: Whether a process of its own reads, so that a hostile file harms nobody.
    progress: Called with the pages that are done and those that are wanted, also while a page takes its time.

Returns:
    The pages, and what the file says about itself.

Raises:
    IoError: The file cannot be read.
    FormatError: It is no PDF, encrypted, too damaged, or has no text.
    ArgumentError: A page or an option lies outside its range.
    Error: A limit is exceeded.)");
  module.def("read_pdf_info", &read_info, "path"_a, py::kw_only(), "password"_a = "",
             "max_file_bytes"_a = defaults.max_file_bytes, "max_seconds"_a = defaults.max_seconds,
             "max_memory_bytes"_a = defaults.max_memory_bytes, "isolate"_a = defaults.isolate,
             R"(Read title, author and number of pages.

Args:
    path: The file.
    password: The user's or the owner's.
    max_file_bytes: The largest file that is read.
    max_seconds: The longest that reading may take.
    max_memory_bytes: The most memory that reading may take, on Linux.
    isolate: Whether a process of its own reads, so that a hostile file harms nobody.

Returns:
    What the file says about itself.

Raises:
    IoError: The file cannot be read.
    FormatError: It is no PDF, encrypted, or too damaged.
    ArgumentError: An option lies outside its range.
    Error: A limit is exceeded.)");
  check_calls(module);
}
