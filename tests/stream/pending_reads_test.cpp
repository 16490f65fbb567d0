// SPDX-License-Identifier: Apache-2.0
#include "flashlm/stream/pending_reads.hpp"

#include <cerrno>
#include <cstddef>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/readers/memory_reader.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::stream;

namespace {

struct Fixture {
  storage::Ticket submit(PendingReads& pending) {
    const storage::Read read{0, 3, into};
    return pending.submit({&read, 1});
  }

  storage::MemoryReader reader{{std::vector<std::byte>(100, std::byte{7})}};
  std::vector<std::byte> into = std::vector<std::byte>(10);
};

}  // namespace

TEST_CASE("batches are waited for in any order, and a failure ends its batch") {
  Fixture fixture;
  PendingReads pending(fixture.reader, 3);
  const storage::Ticket first = fixture.submit(pending), second = fixture.submit(pending);
  fixture.reader.fail_at(0, EIO);
  const storage::Ticket third = fixture.submit(pending);
  CHECK_THROWS_AS(pending.wait(third), IoError);
  pending.wait(first);
  CHECK_FALSE(pending.empty());
  pending.wait(second);
  CHECK(pending.empty());
  CHECK(fixture.into[9] == std::byte{7});
}

TEST_CASE("what was left under way is waited for later, as often as a hook ends the wait") {
  Fixture fixture;
  struct Stop {};
  int waits = 0;
  fixture.reader.watch({[&] {
                          if (++waits < 3) throw Stop();
                        },
                        {},
                        5});
  PendingReads pending(fixture.reader, 2);
  const storage::Ticket ticket = fixture.submit(pending);
  fixture.reader.fail_at(0, EIO);
  fixture.submit(pending);
  fixture.reader.stall(2);
  CHECK_THROWS_AS(pending.wait(ticket), Stop);
  CHECK_THROWS_AS(pending.settle(), Stop);
  CHECK_FALSE(pending.empty());
  pending.settle();
  CHECK(pending.empty());
  CHECK(fixture.reader.n_open() == 0);
}

TEST_CASE("nothing is under way when the owner of the buffers is gone") {
  Fixture fixture;
  {
    PendingReads pending(fixture.reader, 1);
    fixture.submit(pending);
  }
  CHECK(fixture.reader.n_open() == 0);
}
