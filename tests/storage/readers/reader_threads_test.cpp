// SPDX-License-Identifier: Apache-2.0
/// reader_threads_test.cpp: readers across threads and forks, and their end while reads are in
/// flight.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "support/catch.hpp"
#include "support/forked.hpp"
#include "support/open_files.hpp"
#include "support/readers.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;

TEST_CASE("a reader is destroyed while reads are in flight, after they are done") {
  const TempFolder folder;
  put(folder / "x", random_bytes(1'000'000, 1));
  const auto files = open_all(folder, {"x"}, FileMode::direct);
  for (const ReaderKind& kind : reader_kinds()) {
    for (int round = 0; round < 20; ++round) {
      std::vector<std::byte> buffer(200 * 1000);
      std::vector<Read> reads;
      for (std::size_t i = 0; i < 200; ++i)
        reads.push_back({0, i * 3001, std::span(buffer).subspan(i * 1000, 1000)});
      const auto reader = kind.make(files, 256);
      reader->submit(reads);
    }
  }
}

TEST_CASE("a thread waits for what another thread submitted before it ended") {
  const TempFolder folder;
  const auto bytes = random_bytes(1 << 20, 1);
  put(folder / "x", bytes);
  for (const FileMode mode : kFileModes) {
    const auto files = open_all(folder, {"x"}, mode);
    for (const ReaderKind& kind : reader_kinds()) {
      const auto reader = kind.make(files, 300);
      AlignedBuffer buffer(bytes.size());
      for (int round = 0; round < 10; ++round) {
        std::fill_n(buffer.data(), buffer.size(), std::byte{0});
        Ticket ticket = 0;
        std::thread([&] {
          std::vector<Read> reads;
          for (std::size_t at = 0; at < bytes.size(); at += kPageBytes) {
            reads.push_back({0, at, buffer.bytes().subspan(at, kPageBytes)});
          }
          ticket = reader->submit(reads);
        }).join();
        reader->wait(ticket);
        INFO(kind.name);
        REQUIRE(std::equal(bytes.begin(), bytes.end(), buffer.data()));
      }
    }
  }
}

TEST_CASE(
    "a forked child cannot read with its parent's reader, and ends; the parent's reads arrive") {
  const TempFolder folder;
  const auto bytes = random_bytes(2'000'000, 1);
  put(folder / "x", bytes);
  const auto files = open_all(folder, {"x"}, FileMode::direct);
  for (const ReaderKind& kind : reader_kinds()) {
    INFO(kind.name);
    auto reader = kind.make(files, 8);
    AlignedBuffer buffer(bytes.size());
    const Read read{0, 0, buffer.bytes()};
    const Ticket ticket = reader->submit({&read, 1});
    CHECK(in_child([&] {
            if (!says_it_is_a_fork([&] { reader->submit({&read, 1}); })) return 1;
            if (!says_it_is_a_fork([&] { reader->wait(ticket); })) return 2;
            reader->drain();
            reader->busy_seconds();
            if (reader->stats().reads != 1) return 3;
            reader.reset();
            return 0;
          }) == 0);
    reader->wait(ticket);
    CHECK(std::memcmp(buffer.data(), bytes.data(), bytes.size()) == 0);
    CHECK(in_child([&] {
            reader.reset();
            // What the child maps where the ring was in the parent is its own, and stays.
            std::vector<AlignedBuffer> own;
            for (int i = 0; i < 64; ++i) own.emplace_back(kPageBytes << (i % 8));
            return own.back().data()[0] == std::byte{0} ? 0 : 1;
          }) == 0);
    CHECK(in_child([&] {
            std::vector<AlignedBuffer> own;
            for (int i = 0; i < 64; ++i) own.emplace_back(kPageBytes << (i % 8));
            reader.reset();
            for (AlignedBuffer& mine : own)
              std::fill(mine.bytes().begin(), mine.bytes().end(), std::byte{1});
            return 0;
          }) == 0);
    reader->wait(reader->submit({&read, 1}));
  }
}

#if !defined(__SANITIZE_THREAD__)  // which ends a child that starts threads
TEST_CASE("a forked child reads the same open files with a reader of its own") {
  const TempFolder folder;
  const auto bytes = random_bytes(200'000, 1);
  put(folder / "x", bytes);
  const auto files = open_all(folder, {"x"}, FileMode::direct);
  for (const ReaderKind& kind : reader_kinds()) {
    INFO(kind.name);
    const auto parents = kind.make(files, 8);
    CHECK(in_child([&] {
            const auto reader = kind.make(files, 8);
            AlignedBuffer buffer(bytes.size());
            const Read read{0, 0, buffer.bytes()};
            reader->wait(reader->submit({&read, 1}));
            return std::memcmp(buffer.data(), bytes.data(), bytes.size()) == 0 ? 0 : 1;
          }) == 0);
  }
}
#endif
