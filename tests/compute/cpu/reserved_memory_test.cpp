// SPDX-License-Identifier: Apache-2.0
#include "flashlm/compute/cpu/reserved_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <utility>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/stats.hpp"
#include "support/catch.hpp"

using namespace flashlm;

TEST_CASE("committed pages are zero, hold what is written, and go back one by one") {
  Parallel parallel(2);
  ReservedMemory memory(1u << 20);
  const std::size_t page = page_bytes();
  memory.commit(2 * page, 5 * page, parallel);
  for (std::size_t at = 2 * page; at < 7 * page; ++at) REQUIRE(memory.data()[at] == std::byte{0});
  memory.data()[2 * page] = std::byte{1};
  memory.data()[6 * page] = std::byte{2};
  memory.discard(3 * page, 3 * page);
  CHECK(memory.data()[2 * page] == std::byte{1});
  CHECK(memory.data()[6 * page] == std::byte{2});
  memory.commit(4 * page, page, parallel);
  CHECK(memory.data()[4 * page] == std::byte{0});
}

TEST_CASE("addresses for a huge page begin where one can be") {
  constexpr std::size_t kHuge = std::size_t{2} << 20;
  const ReservedMemory memory(5 * kHuge + 1);
  CHECK(reinterpret_cast<std::uintptr_t>(memory.data()) % kHuge == 0);
}

TEST_CASE("addresses cost no memory, and discarded pages give theirs back") {
  const std::uint64_t before = resident_bytes();
  Parallel parallel(1);
  ReservedMemory memory(std::size_t{1} << 34);
  CHECK(resident_bytes() < before + (16u << 20));
  memory.commit(0, 64u << 20, parallel);
  CHECK(resident_bytes() > before + (60u << 20));
  memory.discard(0, 64u << 20);
  CHECK(resident_bytes() < before + (16u << 20));
}

TEST_CASE("reserved memory moves, and may be empty") {
  Parallel parallel(1);
  ReservedMemory first(8192), empty(0);
  first.commit(0, page_bytes(), parallel);
  first.data()[1] = std::byte{7};
  const std::byte* data = first.data();
  ReservedMemory second(std::move(first));
  CHECK(second.data() == data);
  CHECK(second.data()[1] == std::byte{7});
  empty.commit(0, 0, parallel);
  empty = std::move(second);
  CHECK(empty.data() == data);
}

TEST_CASE("more addresses than there are is a bad_alloc") {
  CHECK_THROWS_AS(ReservedMemory(std::numeric_limits<std::size_t>::max() / 2), std::bad_alloc);
}
