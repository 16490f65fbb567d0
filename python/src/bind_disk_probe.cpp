// SPDX-License-Identifier: Apache-2.0
/// bind_disk_probe.cpp: measuring a disk in Python.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "flashlm/storage/readers/disk_probe.hpp"
#include "system_text.hpp"

namespace py = pybind11;
using namespace py::literals;
using namespace flashlm;
using namespace flashlm::storage;

namespace {

using Path = std::filesystem::path;
using Release = py::gil_scoped_release;

py::dict to_dict(const ProbePoint& point) {
  return py::dict("chunk_bytes"_a = point.chunk_bytes, "depth"_a = point.depth,
                  "sequential"_a = point.sequential,
                  "bytes_per_second_median"_a = point.bytes_per_second_median,
                  "bytes_per_second_min"_a = point.bytes_per_second_min,
                  "bytes_per_second_max"_a = point.bytes_per_second_max,
                  "n_repetitions"_a = point.n_repetitions);
}

py::dict to_dict(const DiskProbe& probe) {
  py::list points;
  for (const ProbePoint& point : probe.points) points.append(to_dict(point));
  return py::dict("path"_a = path_text(probe.path), "reader"_a = probe.reader,
                  "date"_a = probe.date, "direct"_a = probe.direct, "alignment"_a = probe.alignment,
                  "file_bytes"_a = probe.file_bytes, "seconds"_a = probe.seconds,
                  "points"_a = points,
                  "recommended"_a =
                      probe.recommended() ? py::object(to_dict(*probe.recommended())) : py::none());
}

DiskProbe run_probe(const Path& path, std::optional<double> seconds, bool quick,
                    std::optional<std::vector<std::size_t>> chunk_bytes,
                    std::optional<std::vector<std::size_t>> depths,
                    std::optional<std::uint64_t> scratch_bytes, const std::string& reader,
                    bool page_cache, const std::optional<std::function<void(double)>>& progress) {
  DiskProbeOptions options = quick ? DiskProbeOptions::quick() : DiskProbeOptions{};
  if (seconds) options.seconds = *seconds;
  if (chunk_bytes) options.chunk_bytes = std::move(*chunk_bytes);
  if (depths) options.depths = std::move(*depths);
  if (scratch_bytes) options.scratch_bytes = *scratch_bytes;
  options.reader = reader;
  options.page_cache = page_cache;
  options.on_progress = [&](double share) {
    const py::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();  // Ctrl-C
    if (progress) (*progress)(share);
  };
  const Release release;
  return probe(path, options);
}

}  // namespace

void bind_disk_probe(py::module_& module) {
  py::class_<ProbePoint>(module, "ProbePoint",
                         "How fast reads of one size are with so many in flight.")
      .def_readonly("chunk_bytes", &ProbePoint::chunk_bytes, "The size of a read.")
      .def_readonly("depth", &ProbePoint::depth, "Reads in flight.")
      .def_readonly("sequential", &ProbePoint::sequential,
                    "One behind the other; else anywhere in the file.")
      .def_readonly("bytes_per_second_median", &ProbePoint::bytes_per_second_median,
                    "Of the repetitions.")
      .def_readonly("bytes_per_second_min", &ProbePoint::bytes_per_second_min, "The slowest.")
      .def_readonly("bytes_per_second_max", &ProbePoint::bytes_per_second_max, "The fastest.")
      .def_readonly("n_repetitions", &ProbePoint::n_repetitions, "How often it was measured.")
      .def("to_dict", [](const ProbePoint& self) { return to_dict(self); }, "All numbers by name.");

  py::class_<DiskProbe>(module, "DiskProbe", "How fast a disk reads, at one time; printable.")
      .def_property_readonly(
          "path", [](const DiskProbe& self) { return path_text(self.path); },
          "The file, or the folder of the scratch file.")
      .def_readonly("reader", &DiskProbe::reader, "The reader that was used.")
      .def_readonly("date", &DiskProbe::date, "ISO 8601, UTC.")
      .def_readonly("direct", &DiskProbe::direct,
                    "False: figures of the page cache, not of the disk.")
      .def_readonly("alignment", &DiskProbe::alignment,
                    "What direct reads are multiples of, in bytes.")
      .def_readonly("file_bytes", &DiskProbe::file_bytes, "The size of the file that was read.")
      .def_readonly("seconds", &DiskProbe::seconds, "That it took.")
      .def_readonly("points", &DiskProbe::points, "Those for which there was room.")
      .def_property_readonly(
          "recommended",
          [](const DiskProbe& self) {
            const ProbePoint* best = self.recommended();
            return best ? std::optional(*best) : std::nullopt;
          },
          "The smallest reads anywhere in the file that come within a tenth of the fastest such "
          "reads, or None.")
      .def(
          "to_dict", [](const DiskProbe& self) { return to_dict(self); },
          "Everything by name, as JSON can hold it.")
      .def("__str__", [](const DiskProbe& self) { return message_text(self.table()); });

  module.def("probe", &run_probe, "path"_a, py::kw_only(), "seconds"_a = py::none(),
             "quick"_a = false, "chunk_bytes"_a = py::none(), "depths"_a = py::none(),
             "scratch_bytes"_a = py::none(), "reader"_a = "auto", "page_cache"_a = false,
             "progress"_a = py::none(),
             R"(Measure how fast a disk reads, by the size of reads and by how many are in flight.

Args:
    path: A file to read, or a folder for a scratch file, which is removed in any case.
    seconds: About how long; 10 by default, 2 if quick. A slow disk takes longer, since every point
        is measured once.
    quick: A few points only.
    chunk_bytes: Sizes of reads; 4 KiB to 4 MiB by default.
    depths: Numbers of reads in flight; 1 to 64 by default.
    scratch_bytes: The size of the scratch file; a disk that writes slowly gets a smaller one.
    reader: 'auto', 'threads' or 'uring'.
    page_cache: Measure the page cache where there are no direct reads.
    progress: Called with the share of the time that is over.

Returns:
    The curve, with its range and date.

Raises:
    IoError: There is no room, no direct read, or a read failed.
    ArgumentError: An option is out of range, or the file is too small.

Example:
    >>> probe = flashlm.probe(".", seconds=0.1, depths=[4], scratch_bytes=1 << 20, page_cache=True)
    >>> probe.points[0].depth
    4)");
}
