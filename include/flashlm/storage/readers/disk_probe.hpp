// SPDX-License-Identifier: Apache-2.0
/// disk_probe.hpp: how fast a disk reads, by the size of reads and by how many are in flight.
///
/// Disks drift and share: a figure is a range with a date. Repetitions of a point are spread over
/// the whole time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "flashlm/base/stats.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// Reads of `chunk_bytes` with `depth` of them in flight, one behind the other or anywhere in the
/// file.
struct ProbePoint {
  std::size_t chunk_bytes = 0;
  std::size_t depth = 0;
  bool sequential = false;
  double bytes_per_second_median = 0;
  double bytes_per_second_min = 0;
  double bytes_per_second_max = 0;
  int n_repetitions = 0;
};

/// What to measure, and for how long.
struct DiskProbeOptions {
  double seconds =
      10;  // for everything; a slow disk needs more, since every point is measured once
  int n_repetitions = 3;
  std::vector<std::size_t> chunk_bytes{4u << 10,   16u << 10, 64u << 10,
                                       256u << 10, 1u << 20,  4u << 20};
  std::vector<std::size_t> depths{1, 4, 16, 64};
  std::uint64_t scratch_bytes = 512u << 20;  // fewer on a disk that writes slowly
  std::string reader = "auto";               // as in open_reader
  bool page_cache = false;                   // measure the page cache where there is no direct I/O
  std::function<void(double share)> on_progress;  // between measurements; may throw
  std::function<double()> clock = now_seconds;    // a test brings its own

  /// The corners of the curve, in about two seconds.
  static DiskProbeOptions quick();
};

/// The curve of one disk at one time.
struct DiskProbe {
  std::string path;           // the file, or the folder of the scratch file
  std::string reader;         // that read
  std::string date;           // ISO 8601, UTC
  bool direct = false;        // false: figures of the page cache, not of the disk
  std::size_t alignment = 1;  // of direct reads
  std::uint64_t file_bytes = 0;
  double seconds = 0;              // that it took
  std::vector<ProbePoint> points;  // those for which there was room

  /// Null if it was not measured.
  const ProbePoint* find(std::size_t chunk_bytes, std::size_t depth,
                         bool sequential) const noexcept;

  /// The smallest reads anywhere in the file that come within a tenth of the fastest such reads, at
  /// the smallest depth that does; larger ones only cost memory. Null if no such reads were
  /// measured.
  const ProbePoint* recommended() const noexcept;

  /// A table for people, a line each point.
  std::string table() const;
};

/// Measures reads of the file `path`, or of a scratch file in the folder `path` that is removed in
/// any case.
///
/// A file of a model tells more than a fresh scratch file, which a disk may still hold in a cache
/// of its own. Points that would need over 128 MiB of DRAM or half of the file at once are left
/// out. Every other point is measured at least once: where time runs out, as on a disk that stalls,
/// repetitions are left out, and what is left is measured briefly. Throws IoError if there is no
/// room (ENOSPC), or no direct I/O (EOPNOTSUPP) unless `page_cache` is set; ArgumentError for
/// options out of range or a file too small for all of them.
DiskProbe probe(const std::filesystem::path& path, const DiskProbeOptions& options = {});

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/readers/disk_probe.ipp"
#endif
