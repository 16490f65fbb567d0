// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/readers/file_reader.hpp"

#include <cerrno>
#include <cstddef>
#include <exception>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

/// Reads at once, and fails the reads that it is told to, last one first.
class PlainReader final : public FileReader {
 public:
  PlainReader(std::span<const File> files, std::size_t n_tickets) : FileReader(files, n_tickets) {}
  std::string_view name() const noexcept override { return "plain"; }
  Ticket submit(std::span<const Read> reads) override {
    check(reads);
    const std::size_t slot = open_batch(reads);
    for (std::size_t index = reads.size(); index-- > 0;) {
      count(reads[index]);
      if (codes[index] == 0) continue;
      std::exception_ptr failure =
          std::make_exception_ptr(IoError("[test] fails", codes[index], ""));
      fail(slot, index, failure);
    }
    return ticket_of(slot);
  }
  void wait(Ticket ticket) override {
    if (const std::exception_ptr failure = close_batch(slot_of(ticket)))
      std::rethrow_exception(failure);
  }
  void drain() noexcept override { close_batches(); }

  std::vector<int> codes = std::vector<int>(10);
};

std::vector<File> one_file(const TempFolder& folder) {
  put(folder / "x", random_bytes(1000, 1));
  std::vector<File> files;
  files.push_back(File::open(folder / "x"));
  return files;
}

}  // namespace

TEST_CASE("the failure of a batch is of its first read that failed, and leaves with the batch") {
  const TempFolder folder;
  const auto files = one_file(folder);
  PlainReader reader(files, 1);
  const std::vector<Read> reads(4);
  reader.codes = {0, EIO, ENODATA, 0};
  const Ticket ticket = reader.submit(reads);
  try {
    reader.wait(ticket);
    FAIL("no error");
  } catch (const IoError& error) {
    CHECK(error.code() == EIO);
  }
  reader.submit(reads);
  reader.drain();
  reader.codes = {0, 0, 0, 0};
  CHECK_NOTHROW(reader.wait(reader.submit(reads)));
}

TEST_CASE("tickets are never the same, and errors name the reader") {
  const TempFolder folder;
  const auto files = one_file(folder);
  PlainReader reader(files, 2);
  const Ticket first = reader.submit({});
  const Ticket second = reader.submit({});
  CHECK_THROWS_WITH(reader.submit({}),
                    ContainsSubstring("[plain_reader] tickets: expected at most 2"));
  reader.wait(first);
  CHECK_THROWS_WITH(reader.wait(first),
                    ContainsSubstring("[plain_reader] ticket: expected one that is open"));
  const Ticket third = reader.submit({});
  CHECK(third != first);
  CHECK(third != second);
  std::byte byte;
  const Read wrong[] = {{1, 0, {&byte, 1}}};
  CHECK_THROWS_WITH(reader.submit(wrong),
                    ContainsSubstring("[plain_reader] file: expected one below 1, got 1"));
  CHECK(reader.stats() == ReaderStats{});
}

TEST_CASE("the alignment is the largest of the files") {
  const TempFolder folder;
  CHECK(PlainReader({}, 1).alignment() == 1);
  auto files = one_file(folder);
  CHECK(PlainReader(files, 1).alignment() == 1);
  files.push_back(File::open(folder / "x", FileMode::direct));
  CHECK(PlainReader(files, 1).alignment() == files[1].alignment());
}
