// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/neuron_reads.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <vector>

#include "support/bundle_fixture.hpp"
#include "support/catch.hpp"
#include "support/readers.hpp"
#include "support/replaced_pread.hpp"

using namespace flashlm;
using namespace flashlm::units;

namespace {

struct Fixture : support::BundleFixture {
  Fixture()
      : BundleFixture([] {
          support::TinyShape shape;
          shape.neurons_per_bundle = 1;
          return shape;
        }()),
        stride(bundles.layout(0).stride),
        memory(150 * stride),
        staging(40 * stride) {}

  /// Reads neurons of layer 1 and checks that each is in its row.
  void read(NeuronReads& reads, const std::vector<NeuronId>& ids) {
    std::vector<std::byte*> rows;
    for (std::size_t i = 0; i < ids.size(); ++i)
      rows.push_back(memory.data() + (ids.size() - 1 - i) * stride);
    reader.clear_log();
    reads.start(1, ids, rows, staging);
    reads.finish();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const std::vector<std::byte> expected = bundle(1, ids[i]);
      const std::size_t n =
          bundles.layout(1).payload_bytes();  // what is read a matrix at a time has no padding
      REQUIRE(
          std::equal(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(n), rows[i]));
    }
  }

  std::size_t stride;
  std::vector<std::byte> memory;
  std::vector<std::byte> staging;
};

}  // namespace

TEST_CASE("each neuron is one read; neighbours are one together") {
  Fixture fixture;
  NeuronReads reads(fixture.bundles, fixture.reader, 150, {.merge_bytes = 0});
  fixture.read(reads, {3, 5, 6, 7, 20, 149});
  CHECK(fixture.reader.log().size() == 4);
  CHECK(fixture.reader.log()[1].extent.bytes == 3 * fixture.stride);
  CHECK(reads.gap_bytes() == 0);
}

TEST_CASE("a small gap is read along and counted, a large one is not") {
  Fixture fixture;
  NeuronReads reads(fixture.bundles, fixture.reader, 150, {.merge_bytes = 2 * fixture.stride});
  fixture.read(reads, {3, 5, 8, 12, 13});
  CHECK(fixture.reader.log().size() == 2);
  CHECK(reads.gap_bytes() == 3 * fixture.stride);
  fixture.read(reads, {});
  CHECK(fixture.reader.log().empty());
}

TEST_CASE("a joined read ends where the buffer or its length does") {
  Fixture fixture;
  std::vector<NeuronId> ids;
  for (NeuronId id = 0; id < 100; ++id) ids.push_back(id);
  NeuronReads reads(fixture.bundles, fixture.reader, 150, {.longest_bytes = 16 * fixture.stride});
  fixture.read(reads, ids);
  CHECK(fixture.reader.log().size() ==
        2 + 1 + 60);  // 16, 16, 8 fill the buffer; the others go to their rows
}

TEST_CASE("unbundled, each matrix is a read of its own") {
  Fixture fixture;
  NeuronReads reads(fixture.bundles, fixture.reader, 150, {.bundled = false});
  fixture.read(reads, {3, 4, 9});
  REQUIRE(fixture.reader.log().size() == 9);
  CHECK(fixture.reader.log()[0].extent.bytes == fixture.bundles.layout(1).matrix_bytes());
}

TEST_CASE("a read that fails is an error, and the next ones work") {
  Fixture fixture;
  NeuronReads reads(fixture.bundles, fixture.reader, 150, {});
  fixture.reader.fail_at(1, EIO);
  std::vector<std::byte*> rows{fixture.memory.data(), fixture.memory.data() + fixture.stride};
  const std::vector<NeuronId> ids{1, 140};
  reads.start(0, ids, rows, fixture.staging);
  CHECK_THROWS_AS(reads.finish(), IoError);
  fixture.read(reads, {1, 140});
}

TEST_CASE(
    "with every reader, a device that fails in the middle of a batch fails it, and the next ones "
    "work") {
  if (!support::kCanReplacePread) return;
  Fixture fixture;
  std::vector<NeuronId> ids;
  for (NeuronId id = 0; id < 150; id += 3) ids.push_back(id);
  static std::atomic<int> left;
  for (const support::ReaderKind& kind : support::reader_kinds()) {
    INFO(kind.name);
    // A ring asks pread for what it does not get itself: here, memory that nobody can write to.
    for (const std::size_t failing : {0u, 20u, 49u}) {
      const auto reader = kind.make(fixture.bundles.files(), 8);
      NeuronReads reads(fixture.bundles, *reader, 150, {.merge_bytes = 0});
      std::vector<std::byte*> rows;
      for (std::size_t i = 0; i < ids.size(); ++i)
        rows.push_back(fixture.memory.data() + i * fixture.stride);
      const std::vector<std::byte*> good = rows;
      left = static_cast<int>(failing);
      {
        const support::ReplacedPread replaced(
            [](int fd, void* into, std::size_t n, off_t offset) -> ssize_t {
              if (left-- != 0) return support::real_pread(fd, into, n, offset);
              errno = EIO;
              return -1;
            });
        if (reader->name() == "uring") rows[failing] = nullptr;
        reads.start(1, ids, rows, fixture.staging);
        CHECK_THROWS_AS(reads.finish(), IoError);
      }
      reads.start(1, ids, good, fixture.staging);
      reads.finish();
      for (std::size_t i = 0; i < ids.size(); ++i) {
        const std::vector<std::byte> expected = fixture.bundle(1, ids[i]);
        REQUIRE(std::equal(expected.begin(), expected.end(), good[i]));
      }
    }
  }
}
