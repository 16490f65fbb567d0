// SPDX-License-Identifier: Apache-2.0
/// disk_probe.ipp: the bodies of disk_probe.hpp.
#pragma once

#include "flashlm/storage/readers/disk_probe.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <map>
#include <memory>
#include <span>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/base/units.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/storage/io/scratch_file.hpp"
#include "flashlm/storage/readers/open_reader.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_ONCE DiskProbeOptions DiskProbeOptions::quick() {
  DiskProbeOptions options;
  options.seconds = 2;
  options.chunk_bytes = {16u << 10, 256u << 10, 1u << 20};
  options.depths = {4, 64};
  options.scratch_bytes = 256u << 20;
  return options;
}

FLASHLM_ONCE const ProbePoint* DiskProbe::find(std::size_t chunk_bytes, std::size_t depth,
                                               bool sequential) const noexcept {
  const auto found = std::find_if(points.begin(), points.end(), [&](const ProbePoint& point) {
    return point.chunk_bytes == chunk_bytes && point.depth == depth &&
           point.sequential == sequential;
  });
  return found == points.end() ? nullptr : &*found;
}

FLASHLM_ONCE const ProbePoint* DiskProbe::recommended() const noexcept {
  double fastest = 0;
  for (const ProbePoint& point : points) {
    if (!point.sequential) fastest = std::max(fastest, point.bytes_per_second_median);
  }
  const ProbePoint* best = nullptr;
  for (const ProbePoint& point : points) {
    if (point.sequential || point.bytes_per_second_median < 0.9 * fastest) continue;
    const auto size = [](const ProbePoint& p) { return std::pair(p.chunk_bytes, p.depth); };
    if (best == nullptr || size(point) < size(*best)) best = &point;
  }
  return best;
}

FLASHLM_ONCE std::string DiskProbe::table() const {
  std::string text =
      concat(path, ", ", date, ", reader ", reader, direct ? ", direct reads" : ", PAGE CACHE",
             " of ", format_bytes(file_bytes), "\nMB/s                median     min     max\n");
  for (const ProbePoint& point : points) {
    char line[120];
    std::snprintf(line, sizeof line, "%-10s %8s x %-3zu %7.0f %7.0f %7.0f\n",
                  point.sequential ? "sequential" : "random",
                  format_bytes(point.chunk_bytes).c_str(), point.depth,
                  point.bytes_per_second_median / 1e6, point.bytes_per_second_min / 1e6,
                  point.bytes_per_second_max / 1e6);
    text += line;
  }
  if (const ProbePoint* best = recommended()) {
    text += concat("recommended: reads of ", format_bytes(best->chunk_bytes), ", ", best->depth,
                   " in flight\n");
  }
  return text;
}

namespace detail {

inline constexpr std::size_t kProbeMemory = std::size_t{128}
                                            << 20;  // most bytes of its two batches in DRAM

inline std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

inline void check(const DiskProbeOptions& options) {
  const auto all = [](const std::vector<std::size_t>& values, std::size_t least, std::size_t most) {
    return !values.empty() && std::all_of(values.begin(), values.end(),
                                          [&](std::size_t v) { return v >= least && v <= most; });
  };
  if (!(options.seconds > 0 && options.seconds <= 3600)) {
    throw ArgumentError(
        concat("[disk_probe] seconds: expected more than 0, at most 3600, got ", options.seconds));
  }
  if (options.n_repetitions < 1) {
    throw ArgumentError(
        concat("[disk_probe] n_repetitions: expected at least 1, got ", options.n_repetitions));
  }
  if (!all(options.chunk_bytes, 1, std::size_t{64} << 20)) {
    throw ArgumentError(
        "[disk_probe] chunk_bytes: expected one or more from 1 to 64 MiB, got others");
  }
  if (!all(options.depths, 1, 1024)) {
    throw ArgumentError("[disk_probe] depths: expected one or more from 1 to 1024, got others");
  }
}

/// Reads in a batch: two batches are under way, so that `depth` reads are in flight when one of
/// them ends.
inline std::size_t batch_reads(const ProbePoint& point) noexcept {
  return std::max(point.depth,
                  std::min(4 * point.depth, (std::size_t{4} << 20) / point.chunk_bytes));
}

/// Bytes per second over about `seconds` of `clock`, or two batches, if these take longer.
inline double measure(Reader& reader, const ProbePoint& point, std::uint64_t file_bytes,
                      std::span<std::byte> memory, std::vector<Read>& reads, Random& random,
                      double seconds, const std::function<double()>& clock) {
  const std::size_t n_reads = batch_reads(point);
  const std::uint64_t n_chunks = file_bytes / point.chunk_bytes;
  std::uint64_t next = random.next() % n_chunks;
  Ticket tickets[2];
  const auto submit = [&](std::size_t half) {
    reads.clear();
    for (std::size_t i = 0; i < n_reads; ++i) {
      next = point.sequential ? (next + 1) % n_chunks : random.next() % n_chunks;
      reads.push_back(
          {0, next * point.chunk_bytes,
           memory.subspan((half * n_reads + i) * point.chunk_bytes, point.chunk_bytes)});
    }
    tickets[half] = reader.submit(reads);
  };
  const double start = clock();
  submit(0);
  submit(1);
  std::size_t n_batches = 2;
  std::size_t half = 0;
  for (; reader.wait(tickets[half]), clock() - start < seconds; half ^= 1, ++n_batches)
    submit(half);
  reader.wait(tickets[half ^ 1]);
  return static_cast<double>(n_batches * n_reads * point.chunk_bytes) / (clock() - start);
}

}  // namespace detail

FLASHLM_ONCE DiskProbe probe(const std::filesystem::path& path, const DiskProbeOptions& options) {
  detail::check(options);
  const double start = options.clock();
  const auto report = [&](double share) {
    if (options.on_progress) options.on_progress(std::min(share, 1.0));
  };
  std::unique_ptr<ScratchFile> scratch;
  if (std::filesystem::is_directory(path)) {
    scratch = std::make_unique<ScratchFile>(path, options.scratch_bytes, options.seconds / 4, [&] {
      report((options.clock() - start) / options.seconds);
    });
  }
  std::vector<File> files;
  files.push_back(
      File::open(scratch ? std::filesystem::path(scratch->path()) : path, FileMode::direct));
  const File& file = files[0];
  if (!file.direct() && file.size() > 0 && !options.page_cache) {
    throw IoError(
        "[disk_probe] no direct reads here: figures would be those of the page cache; page_cache "
        "asks for them",
        EOPNOTSUPP, path.string());
  }
  DiskProbe result{
      path.string(), "", detail::utc_now(), file.direct(), file.alignment(), file.size(), 0, {}};
  std::size_t memory_bytes = 0;
  for (const bool sequential : {true, false}) {
    for (const std::size_t chunk : options.chunk_bytes) {
      if (chunk % file.alignment() != 0) {
        throw ArgumentError(concat("[disk_probe] chunk_bytes: expected multiples of ",
                                   file.alignment(), ", got ", chunk, " (", path.string(), ")"));
      }
      for (const std::size_t depth : options.depths) {
        const ProbePoint point{chunk, depth, sequential};
        const std::size_t bytes = 2 * detail::batch_reads(point) * chunk;
        if (bytes > detail::kProbeMemory || chunk * depth > file.size() / 2) continue;
        memory_bytes = std::max(memory_bytes, bytes);
        result.points.push_back(point);
      }
    }
  }
  if (result.points.empty()) {
    throw ArgumentError(
        concat("[disk_probe] file: expected at least twice the smallest chunk and depth, got ",
               file.size(), " bytes (", path.string(), ")"));
  }

  AlignedBuffer memory(memory_bytes);
  std::map<std::size_t, std::unique_ptr<Reader>>
      readers;  // by depth; after `memory`, into which they read
  for (const ProbePoint& point : result.points) {
    if (!readers[point.depth])
      readers[point.depth] = open_reader(options.reader, files, point.depth);
  }
  result.reader = readers.begin()->second->name();
  Random random(static_cast<std::uint64_t>(start * 1e9));
  std::vector<Read> reads;
  std::vector<std::vector<double>> rates(result.points.size());
  std::size_t n_left = rates.size() * static_cast<std::size_t>(options.n_repetitions);
  for (int repetition = 0; repetition < options.n_repetitions; ++repetition) {
    for (std::size_t i = 0; i < rates.size(); ++i, --n_left) {
      const double now = options.clock() - start;
      report(now / options.seconds);
      if (now >= options.seconds && repetition > 0) continue;
      rates[i].push_back(detail::measure(
          *readers[result.points[i].depth], result.points[i], file.size(), memory.bytes(), reads,
          random, (options.seconds - now) / static_cast<double>(n_left), options.clock));
    }
  }
  for (std::size_t i = 0; i < rates.size(); ++i) {
    std::sort(rates[i].begin(), rates[i].end());
    ProbePoint& point = result.points[i];
    point.n_repetitions = static_cast<int>(rates[i].size());
    point.bytes_per_second_min = rates[i].front();
    point.bytes_per_second_median =
        (rates[i][(rates[i].size() - 1) / 2] + rates[i][rates[i].size() / 2]) / 2;
    point.bytes_per_second_max = rates[i].back();
  }
  result.seconds = options.clock() - start;
  report(1);
  return result;
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
