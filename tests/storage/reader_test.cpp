// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/reader.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/storage/memory_reader.hpp"
#include "flashlm/storage/threads_reader.hpp"
#include "support/catch.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;

namespace {

/// What holds for every reader, of files with the bytes random_bytes(30'000, 0) and random_bytes(5'000, 1).
void check_contract(Reader& reader) {
  const std::vector<std::vector<std::byte>> files{random_bytes(30'000, 0), random_bytes(5'000, 1)};
  Random random(17);
  struct Batch {
    Ticket ticket;
    std::vector<Read> reads;
    std::vector<std::vector<std::byte>> buffers;
    bool fails;
  };
  for (int round = 0; round < 30; ++round) {
    std::vector<Batch> batches(random.next() % 5);
    for (Batch& batch : batches) {
      batch.fails = false;
      batch.buffers.resize(random.next() % 7);
      for (auto& buffer : batch.buffers) {
        const auto file = static_cast<std::uint32_t>(random.next() % 2);
        std::uint64_t offset = random.next() % files[file].size();
        buffer.resize(random.next() % (files[file].size() - offset + 1));
        if (random.next() % 10 == 0) {
          offset = files[file].size() - buffer.size() + 1;
          batch.fails = true;
        }
        batch.reads.push_back({file, offset, buffer});
      }
      batch.ticket = reader.submit(batch.reads);
    }
    // Any order.
    for (std::size_t i = batches.size(); i > 1; --i) std::swap(batches[i - 1], batches[random.next() % i]);
    for (const Batch& batch : batches) {
      if (batch.fails) {
        REQUIRE_THROWS_AS(reader.wait(batch.ticket), FormatError);
      } else {
        reader.wait(batch.ticket);
        for (const Read& read : batch.reads) {
          const auto from = files[read.file].begin() + static_cast<std::ptrdiff_t>(read.offset);
          REQUIRE(std::equal(read.into.begin(), read.into.end(), from));
        }
      }
      REQUIRE_THROWS_AS(reader.wait(batch.ticket), ArgumentError);
    }
  }
  // A file that does not exist starts nothing.
  const ReaderStats before = reader.stats();
  std::vector<std::byte> buffer(10);
  const Read wrong[] = {{0, 0, buffer}, {2, 0, buffer}};
  CHECK_THROWS_AS(reader.submit(wrong), ArgumentError);
  CHECK(reader.stats() == before);
  CHECK_THROWS_AS(reader.wait(~Ticket{0}), ArgumentError);
  // drain forgets.
  const Ticket forgotten = reader.submit(std::span(wrong).first(1));
  reader.drain();
  CHECK_THROWS_AS(reader.wait(forgotten), ArgumentError);
  CHECK(reader.stats().reads == before.reads + 1);
  CHECK(reader.stats().bytes_read - reader.stats().gap_bytes == before.bytes_read - before.gap_bytes + 10);
}

}  // namespace

TEST_CASE("every reader keeps the contract of the seam") {
  const TempFolder folder;
  put(folder / "0", random_bytes(30'000, 0));
  put(folder / "1", random_bytes(5'000, 1));
  for (const FileMode mode : {FileMode::buffered, FileMode::direct}) {
    std::vector<File> files;
    for (const char* name : {"0", "1"}) files.push_back(File::open(folder / name, mode));
    for (const int n_threads : {1, 4}) {
      ThreadsReader reader(files, {.n_threads = n_threads, .capacity = 8});
      check_contract(reader);
    }
  }
  for (const std::size_t alignment : {1u, 512u}) {
    MemoryReader reader({random_bytes(30'000, 0), random_bytes(5'000, 1)}, alignment);
    check_contract(reader);
  }
}

TEST_CASE("readers count the same bytes for the same alignment") {
  const TempFolder folder;
  put(folder / "0", random_bytes(30'001, 0));
  std::vector<File> files;
  files.push_back(File::open(folder / "0", FileMode::direct));
  ThreadsReader threads(files);
  MemoryReader memory({random_bytes(30'001, 0)}, threads.alignment());
  std::vector<std::byte> buffer(2000);
  for (const std::uint64_t offset : {0u, 1u, 511u, 512u, 4096u, 28'001u}) {
    for (Reader* reader : {static_cast<Reader*>(&threads), static_cast<Reader*>(&memory)}) {
      const Read read[] = {{0, offset, buffer}};
      reader->wait(reader->submit(read));
    }
    CHECK(threads.stats() == memory.stats());
  }
  CHECK(threads.stats().reads == 6);
}
