// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/readers/reader.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/storage/io/file_writer.hpp"
#include "flashlm/storage/readers/memory_reader.hpp"
#include "support/allocation_counter.hpp"
#include "support/catch.hpp"
#include "support/open_files.hpp"
#include "support/readers.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;

namespace {

constexpr std::byte kUntouched{0xee};

/// What holds for every reader, of files with the bytes random_bytes(30'000, 0) and
/// random_bytes(5'000, 1).
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
    for (std::size_t i = batches.size(); i > 1; --i)
      std::swap(batches[i - 1], batches[random.next() % i]);
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
  CHECK(reader.stats().bytes_read - reader.stats().gap_bytes ==
        before.bytes_read - before.gap_bytes + 10);
}

}  // namespace

TEST_CASE("every reader keeps the contract of the seam") {
  const TempFolder folder;
  put(folder / "0", random_bytes(30'000, 0));
  put(folder / "1", random_bytes(5'000, 1));
  for (const FileMode mode : kFileModes) {
    const auto files = open_all(folder, {"0", "1"}, mode);
    for (const ReaderKind& kind : reader_kinds()) {
      INFO(kind.name);
      const auto reader = kind.make(files, 8);
      check_contract(*reader);
    }
  }
  for (const std::size_t alignment : {1u, 512u}) {
    MemoryReader reader({random_bytes(30'000, 0), random_bytes(5'000, 1)}, alignment);
    check_contract(reader);
  }
}

TEST_CASE("every reader brings any bytes to any address and touches nothing beside them") {
  const TempFolder folder;
  const auto bytes = random_bytes(700'001, 3);
  put(folder / "x", bytes);
  constexpr std::size_t kBatch = 20;
  constexpr std::size_t kRoom = std::size_t{64} << 10;
  for (const FileMode mode : kFileModes) {
    const auto files = open_all(folder, {"x"}, mode);
    for (const ReaderKind& kind : reader_kinds()) {
      const auto reader = kind.make(files, 16);
      AlignedBuffer buffer(kBatch * kRoom);
      Random random(7);
      for (int round = 0; round < 20; ++round) {
        std::fill_n(buffer.data(), buffer.size(), kUntouched);
        std::vector<Read> reads;
        for (std::size_t i = 0; i < kBatch; ++i) {
          const std::size_t unit = std::size_t{1} << (random.next() % 13);
          const std::size_t most = random.next() % 2 ? kRoom - kPageBytes : 3000;
          std::size_t offset = random.next() % bytes.size();
          std::size_t n = random.next() % (std::min(most, bytes.size() - offset) + 1);
          std::size_t address = random.next() % kPageBytes;
          if (random.next() % 2) offset -= offset % unit;
          if (random.next() % 2) n -= n % unit;
          if (random.next() % 2) address -= address % unit;
          if (random.next() % 4 == 0) address = offset % kPageBytes;
          reads.push_back({0, offset, buffer.bytes().subspan(i * kRoom + address, n)});
        }
        reader->wait(reader->submit(reads));
        std::size_t at = 0;
        for (const Read& read : reads) {
          INFO(kind.name << ": offset " << read.offset << ", " << read.into.size() << " bytes");
          REQUIRE(std::equal(read.into.begin(), read.into.end(),
                             bytes.begin() + static_cast<std::ptrdiff_t>(read.offset)));
          const auto begin = static_cast<std::size_t>(read.into.data() - buffer.data());
          REQUIRE(std::all_of(buffer.data() + at, buffer.data() + begin,
                              [](std::byte b) { return b == kUntouched; }));
          at = begin + read.into.size();
        }
      }
    }
  }
}

TEST_CASE("readers count the same bytes for the same alignment") {
  const TempFolder folder;
  put(folder / "0", random_bytes(30'001, 0));
  const auto files = open_all(folder, {"0"}, FileMode::direct);
  for (const ReaderKind& kind : reader_kinds()) {
    const auto reader = kind.make(files, 16);
    MemoryReader memory({random_bytes(30'001, 0)}, reader->alignment());
    std::vector<std::byte> buffer(2000);
    for (const std::uint64_t offset : {0u, 1u, 511u, 512u, 4096u, 28'001u}) {
      const Read read[] = {{0, offset, buffer}};
      reader->wait(reader->submit(read));
      memory.wait(memory.submit(read));
      CHECK(reader->stats() == memory.stats());
    }
    CHECK(reader->stats().reads == 6);
  }
}

TEST_CASE("a batch larger than the queue is read whole") {
  const TempFolder folder;
  const auto bytes = random_bytes(200'000, 1);
  put(folder / "x", bytes);
  for (const FileMode mode : kFileModes) {
    const auto files = open_all(folder, {"x"}, mode);
    for (const ReaderKind& kind : reader_kinds()) {
      for (const std::size_t capacity : {1u, 3u, 64u, 2000u}) {
        const auto reader = kind.make(files, capacity);
        AlignedBuffer buffer(bytes.size());
        std::vector<Read> reads;
        for (std::size_t at = 0; at < bytes.size(); at += 512) {
          reads.push_back(
              {0, at, buffer.bytes().subspan(at, std::min<std::size_t>(512, bytes.size() - at))});
        }
        reader->wait(reader->submit(reads));
        INFO(kind.name);
        CHECK(std::equal(bytes.begin(), bytes.end(), buffer.data()));
        CHECK(reader->stats().reads == reads.size());
      }
    }
  }
}

TEST_CASE("a reader allocates nothing after its construction") {
  const TempFolder folder;
  put(folder / "x", random_bytes(200'000, 1));
  for (const FileMode mode : kFileModes) {
    const auto files = open_all(folder, {"x"}, mode);
    for (const ReaderKind& kind : reader_kinds()) {
      const auto reader = kind.make(files, 8);
      std::vector<std::byte> buffer(100'000);
      std::vector<Read> reads;
      for (std::size_t i = 0; i < 50; ++i) {
        reads.push_back({0, i * 3001, std::span(buffer).subspan(i * 2000, i % 2 ? 2000 : 512)});
      }
      const std::size_t before = allocation_count();
      for (int round = 0; round < 3; ++round) {
        const Ticket first = reader->submit(reads);
        reader->wait(reader->submit({}));
        reader->wait(first);
        reader->submit(reads);
        reader->drain();
      }
      INFO(kind.name);
      CHECK(allocation_count() == before);
    }
  }
}

TEST_CASE("memory that cannot be written is an IoError of its batch only") {
  const TempFolder folder;
  const auto bytes = random_bytes(100'000, 1);
  put(folder / "x", bytes);
  constexpr std::size_t kBytes = 8192;
  void* forbidden = ::mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(forbidden != MAP_FAILED);
  for (const FileMode mode : kFileModes) {
    const auto files = open_all(folder, {"x"}, mode);
    for (const ReaderKind& kind : reader_kinds()) {
      const auto reader = kind.make(files, 8);
      AlignedBuffer buffer(kBytes);
      const Read wrong[] = {{0, 0, {static_cast<std::byte*>(forbidden), kBytes}}};
      const Read right[] = {{0, kBytes, buffer.bytes()}};
      const Ticket first = reader->submit(wrong);
      const Ticket second = reader->submit(right);
      INFO(kind.name);
      try {
        reader->wait(first);
        FAIL("no error");
      } catch (const IoError& error) {
        CHECK(error.code() == EFAULT);
        CHECK(error.path() == (folder / "x").string());
      }
      reader->wait(second);
      CHECK(std::equal(buffer.data(), buffer.data() + kBytes, bytes.begin() + kBytes));
    }
  }
  ::munmap(forbidden, kBytes);
}

TEST_CASE("a file that shrinks under a reader is a FormatError, and the reader goes on") {
  for (const ReaderKind& kind : reader_kinds()) {
    const TempFolder folder;
    const auto bytes = random_bytes(20'000, 1);
    put(folder / "x", bytes);
    const auto files = open_all(folder, {"x"}, FileMode::direct);
    const auto reader = kind.make(files, 16);
    AlignedBuffer buffer(20'000);
    std::filesystem::resize_file(folder / "x", 10'000);
    INFO(kind.name);
    const Read whole[] = {{0, 0, buffer.bytes()}};
    CHECK_THROWS_AS(reader->wait(reader->submit(whole)), FormatError);
    const Read half[] = {{0, 0, buffer.bytes().first(10'000)}};
    reader->wait(reader->submit(half));
    CHECK(std::equal(bytes.begin(), bytes.begin() + 10'000, buffer.data()));
  }
}

TEST_CASE("too many open tickets are an ArgumentError, and waiting makes room") {
  const TempFolder folder;
  put(folder / "x", random_bytes(1000, 1));
  const auto files = open_all(folder, {"x"}, FileMode::direct);
  for (const ReaderKind& kind : reader_kinds()) {
    const auto reader = kind.make(files, 3);
    std::vector<Ticket> tickets;
    for (int i = 0; i < 3; ++i) tickets.push_back(reader->submit({}));
    CHECK_THROWS_AS(reader->submit({}), ArgumentError);
    reader->wait(tickets[1]);
    const Ticket next = reader->submit({});
    CHECK(next != tickets[1]);
    CHECK_THROWS_AS(reader->wait(tickets[1]), ArgumentError);
    reader->drain();
    for (int i = 0; i < 3; ++i) reader->submit({});
  }
}

TEST_CASE("a large file is read in large pieces, byte by byte what was written", "[slow]") {
  const TempFolder folder;
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  constexpr std::size_t kPieces = 500;
  const auto piece = random_bytes(kPiece, 1);
  {
    FileWriter writer(folder / "x");
    for (std::size_t i = 0; i < kPieces; ++i) writer.write(piece);
    writer.sync_and_close();
  }
  const auto files = open_all(folder, {"x"}, FileMode::direct);
  for (const ReaderKind& kind : reader_kinds()) {
    const auto reader = kind.make(files, 64);
    AlignedBuffer buffer(16 * kPiece);
    for (std::size_t first = 0; first < kPieces; first += 8) {
      std::vector<Read> reads;
      for (std::size_t i = first; i < std::min(kPieces, first + 8); ++i) {
        reads.push_back({0, i * kPiece, buffer.bytes().subspan(i % 16 * kPiece, kPiece)});
      }
      reader->wait(reader->submit(reads));
      for (const Read& read : reads)
        REQUIRE(std::memcmp(read.into.data(), piece.data(), kPiece) == 0);
    }
    INFO(kind.name);
    CHECK(reader->stats() == ReaderStats{kPieces, kPieces * kPiece, 0});
  }
}
