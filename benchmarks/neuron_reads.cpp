// SPDX-License-Identifier: Apache-2.0
/// neuron_reads.cpp: how near a layer's batch of neuron reads comes to a bare loop of the same
/// reads.
///
///     neuron_reads_benchmark FOLDER [--layers N] [--rounds N] [--reader NAME] [--depth N]
///     [--bare-depth N]
///
/// Prints rows of JSON; benchmarks/neuron_reads.py adds the card. FOLDER, best on the disk of the
/// models, gets layers of the shape of OPT-6.7B for the length of the run: 16,384 neurons, 16 KiB
/// each, 268 MB a layer. A round draws neurons at random for every layer. One side reads them,
/// layer after layer, then the other the same: the one that comes second finds them in whatever
/// cache lies below the operating system, so both come second equally often, and a ratio is of two
/// rounds. The bare loop gives the kernel the very reads that NeuronReads made, with the flags that
/// suit one thread best, and computes, copies and checks nothing. Every byte is checked before
/// anything is timed.
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "bare_reads.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/storage/format/bundle_file.hpp"
#include "flashlm/storage/readers/open_reader.hpp"
#include "flashlm/units/neuron_reads.hpp"
#include "planted_layers.hpp"

namespace {

using namespace flashlm;
using bench::kLayout;
using bench::write_words;
using units::NeuronId;

struct Options {
  std::size_t layers = 8;
  std::size_t rounds = 20;
  std::string reader = "auto";
  std::size_t depth = 0;       // the reader's own
  std::size_t bare_depth = 0;  // the best of some
};

/// What a token asks of each layer. The counts are those of benchmarks/ladder.py's rows, planted as
/// in OPT-6.7B.
struct Case {
  const char* name;
  std::size_t n_misses;
  bool bundled;
};
constexpr Case kCases[] = {
    {"+ predictor", 1640, false}, {"+ window", 335, false}, {"+ bundles", 335, true}};

/// Takes down what it is asked to read.
class Recorder final : public storage::Reader {
 public:
  std::string_view name() const noexcept override { return "recorder"; }
  std::size_t alignment() const noexcept override { return 1; }
  storage::Ticket submit(std::span<const storage::Read> reads) override {
    asked.assign(reads.begin(), reads.end());
    return 0;
  }
  void wait(storage::Ticket) override {}
  void drain() noexcept override {}
  storage::ReaderStats stats() const noexcept override { return {}; }

  std::vector<storage::Read> asked;
};

/// The misses of one layer of one round: neurons, the rows they go to, and the reads that come of
/// them.
struct Batch {
  std::vector<NeuronId> ids;
  std::vector<std::byte*> rows;
  std::vector<storage::Read> reads;
};

struct Took {
  double seconds = 0, cpu_seconds = 0;  // the latter of all threads, the kernel's share included
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

template <class Body>
Took timed(Body&& body) {
  const double start = now_seconds(), cpu_start = cpu_seconds();
  body();
  return {now_seconds() - start, cpu_seconds() - cpu_start};
}

class Bench {
 public:
  Bench(const storage::BundleFile& file, storage::Reader& reader, bench::BareReads& bare,
        const Case& what)
      : file_(&file),
        bare_(&bare),
        case_(what),
        reads_(file, reader, what.n_misses, options()),
        recording_(file, recorder_, what.n_misses, options()),
        staging_(std::size_t{4} << 20),
        memory_(2 * what.n_misses * kLayout.stride),
        ids_(kLayout.n_neurons),
        rows_(2 * what.n_misses),
        batches_(file.n_layers()) {
    std::memset(memory_.data(), 1, memory_.size());
    std::memset(staging_.data(), 1, staging_.size());
    std::iota(ids_.begin(), ids_.end(), 0);
    for (std::size_t i = 0; i < rows_.size(); ++i) rows_[i] = memory_.data() + i * kLayout.stride;
  }

  /// New neurons and rows, in no order, as they come of a window that has run for long.
  void draw() {
    for (std::size_t layer = 0; layer < batches_.size(); ++layer) {
      Batch& batch = batches_[layer];
      batch.ids = drawn(ids_);
      std::sort(batch.ids.begin(), batch.ids.end());
      batch.rows = drawn(rows_);
      recording_.start(layer, batch.ids, batch.rows, staging_.bytes());
      recording_.settle();
      batch.reads = recorder_.asked;
    }
  }

  Took read_as_engine() {
    return timed([&] {
      for (std::size_t layer = 0; layer < batches_.size(); ++layer) read(layer);
    });
  }

  Took read_bare() {
    return timed([&] {
      for (const Batch& batch : batches_) bare_->read(batch.reads);
    });
  }

  /// Whether both sides bring what was written.
  bool right() {
    draw();
    std::vector<std::uint64_t> expected(kLayout.payload_bytes() / 8);
    for (const bool bare : {false, true}) {
      for (std::size_t layer = 0; layer < batches_.size(); ++layer) {
        const Batch& batch = batches_[layer];
        std::memset(memory_.data(), 1, memory_.size());
        std::memset(staging_.data(), 1, staging_.size());
        if (bare) {
          bare_->read(batch.reads);
          recording_.start(layer, batch.ids, batch.rows, staging_.bytes());
          recording_.finish();  // the copies
        } else {
          read(layer);
        }
        for (std::size_t i = 0; i < batch.ids.size(); ++i) {
          write_words(layer, batch.ids[i], expected);
          if (std::memcmp(batch.rows[i], expected.data(), kLayout.payload_bytes()) != 0)
            return false;
        }
      }
    }
    return true;
  }

  std::size_t n_reads() const {
    std::size_t n = 0;
    for (const Batch& batch : batches_) n += batch.reads.size();
    return n;
  }
  std::size_t read_bytes() const {
    std::size_t n = 0;
    for (const Batch& batch : batches_) {
      for (const storage::Read& read : batch.reads) n += read.into.size();
    }
    return n;
  }
  std::size_t wanted_bytes() const {
    return batches_.size() * case_.n_misses * kLayout.payload_bytes();
  }

 private:
  units::NeuronReadOptions options() const {
    units::NeuronReadOptions options;
    options.bundled = case_.bundled;
    return options;
  }

  void read(std::size_t layer) {
    reads_.start(layer, batches_[layer].ids, batches_[layer].rows, staging_.bytes());
    reads_.finish();
  }

  template <class T>
  std::vector<T> drawn(std::vector<T>& from) {
    for (std::size_t i = 0; i < case_.n_misses; ++i)
      std::swap(from[i], from[i + random_.next() % (from.size() - i)]);
    return {from.begin(), from.begin() + static_cast<std::ptrdiff_t>(case_.n_misses)};
  }

  const storage::BundleFile* file_;
  bench::BareReads* bare_;
  Case case_;
  Recorder recorder_;
  units::NeuronReads reads_;
  units::NeuronReads recording_;
  AlignedBuffer staging_;
  AlignedBuffer memory_;
  std::vector<NeuronId> ids_;
  std::vector<std::byte*> rows_;
  std::vector<Batch> batches_;
  Random random_{1};
};

nlohmann::json row(const Case& what, const char* metric, const char* unit,
                   std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {{"case", what.name},     {"metric", metric},
          {"unit", unit},          {"median", values[values.size() / 2]},
          {"min", values.front()}, {"max", values.back()},
          {"floor", nullptr},      {"peer", nullptr}};
}

int run(const std::filesystem::path& folder, const Options& options) {
  const storage::BundleFile file = bench::make_layers(folder, options.layers);
  const auto reader = storage::open_reader(options.reader, file.files(), options.depth);
  reader->watch({[] {}, [](const storage::Stall&) {}});  // as the engine does
  const bool ring = reader->name() == "uring";
  nlohmann::json rows = nlohmann::json::array(), depths;
  for (const Case& what : kCases) {
    // The bare loop gets the depth that suits it in this run.
    std::vector<std::size_t> candidates{64, 256, 1024, 4096};
    if (!ring) candidates = {2, 4, 8, 16};
    if (options.bare_depth > 0) candidates = {options.bare_depth};
    std::size_t depth = candidates.front();
    double fastest = 1e9;
    for (std::size_t round = 0; round < 3 && candidates.size() > 1; ++round) {
      for (const std::size_t candidate : candidates) {
        bench::BareReads bare(file.files(), ring, candidate);
        Bench bench(file, *reader, bare, what);
        for (int i = 0; i < 2; ++i) {
          bench.draw();
          const double took = bench.read_bare().seconds;
          if (took < fastest) depth = candidate, fastest = took;
        }
      }
    }
    depths[what.name] = depth;
    bench::BareReads bare(file.files(), ring, depth);
    Bench bench(file, *reader, bare, what);
    if (!bench.right())
      return std::fprintf(stderr, "Bytes differ from those that were written.\n"), 1;
    std::vector<double> engine, floors, shares, cpu[2];
    for (std::size_t round = 0; round < options.rounds; ++round) {
      double times[2] = {0, 0};
      for (const bool engine_first : {true, false}) {
        bench.draw();
        Took took[2];
        if (engine_first) took[0] = bench.read_as_engine();
        took[1] = bench.read_bare();
        if (!engine_first) took[0] = bench.read_as_engine();
        const auto bytes = static_cast<double>(bench.read_bytes());
        engine.push_back(bytes / took[0].seconds);
        floors.push_back(bytes / took[1].seconds);
        for (int side = 0; side < 2; ++side) {
          times[side] += took[side].seconds;
          cpu[side].push_back(took[side].cpu_seconds / static_cast<double>(bench.n_reads()));
        }
      }
      shares.push_back(times[1] / times[0]);
    }
    const auto n_layers = static_cast<double>(options.layers);
    rows.push_back(row(what, "bytes wanted of a layer", "B",
                       {static_cast<double>(bench.wanted_bytes()) / n_layers}));
    rows.push_back(row(what, "bytes read of a layer", "B",
                       {static_cast<double>(bench.read_bytes()) / n_layers}));
    rows.push_back(
        row(what, "reads of a layer", "1", {static_cast<double>(bench.n_reads()) / n_layers}));
    rows.push_back(row(what, "bare loop", "B/s", floors));
    rows.push_back(row(what, "neuron reads", "B/s", engine));
    rows.back()["floor"] = rows[rows.size() - 2]["median"];
    rows.push_back(row(what, "neuron reads, share of the bare loop", "1", shares));
    rows.push_back(row(what, "processor time of a bare read", "s", cpu[1]));
    rows.push_back(row(what, "processor time of a read", "s", cpu[0]));
  }
  std::printf("%s\n", nlohmann::json{{"direct", file.files()[0].direct()},
                                     {"reader", reader->name()},
                                     {"bare_depth", depths},
                                     {"rows", rows}}
                          .dump(1)
                          .c_str());
  return 0;
}

}  // namespace

int main(int argc, char* argv[]) {
  Options options;
  if (argc < 2)
    return std::fprintf(stderr, "usage: neuron_reads_benchmark FOLDER [--rounds N]\n"), 2;
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const auto value =
        static_cast<std::size_t>(std::max(1L, std::strtol(argv[i + 1], nullptr, 10)));
    if (name == "--layers") options.layers = value;
    if (name == "--rounds") options.rounds = value;
    if (name == "--reader") options.reader = argv[i + 1];
    if (name == "--depth") options.depth = value;
    if (name == "--bare-depth") options.bare_depth = value;
  }
  try {
    return run(argv[1], options);
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "%s\n", error.what()), 1;
  }
}
