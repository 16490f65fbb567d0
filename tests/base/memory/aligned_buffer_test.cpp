// SPDX-License-Identifier: Apache-2.0
/// aligned_buffer_test.cpp: memory is aligned, zeroed, owned once, and can shrink.
#include "flashlm/base/memory/aligned_buffer.hpp"

#include <algorithm>
#include <cstdint>
#include <new>
#include <utility>

#include "support/catch.hpp"

using namespace flashlm;

namespace {

bool is_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

TEST_CASE("round_up goes to the next multiple") {
  CHECK(round_up(0, 512) == 0);
  CHECK(round_up(1, 512) == 512);
  CHECK(round_up(512, 512) == 512);
  CHECK(round_up(513, 512) == 1024);
  CHECK(round_up(10, 3) == 12);
}

TEST_CASE("memory is page-aligned and zeroed at any size") {
  for (std::size_t size : {1, 7, 4095, 4096, 4097, 1 << 20}) {
    AlignedBuffer buffer(size);
    INFO("size " << size);
    REQUIRE(buffer.size() == size);
    CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % kPageBytes == 0);
    CHECK(is_zero(buffer.bytes()));
    std::fill(buffer.bytes().begin(), buffer.bytes().end(), std::byte{1});
  }
}

TEST_CASE("memory for a huge page begins where one can be") {
  constexpr std::size_t kHuge = std::size_t{2} << 20;
  for (std::size_t size : {kHuge, kHuge + 1, 3 * kHuge + 5 * kPageBytes}) {
    AlignedBuffer buffer(size);
    INFO("size " << size);
    CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % kHuge == 0);
    CHECK(is_zero(buffer.bytes()));
    buffer.shrink(kHuge / 2);
    CHECK(is_zero(buffer.bytes()));
  }
}

TEST_CASE("no bytes need no memory") {
  AlignedBuffer buffer(0);
  CHECK(buffer.empty());
  CHECK(buffer.data() == nullptr);
  CHECK(buffer.bytes().empty());
}

TEST_CASE("moving hands the memory over") {
  AlignedBuffer first(100);
  first.data()[99] = std::byte{42};
  std::byte* const memory = first.data();
  AlignedBuffer second(std::move(first));
  CHECK(second.data() == memory);
  AlignedBuffer third(5000);
  third = std::move(second);
  CHECK(third.data() == memory);
  CHECK(third.size() == 100);
  CHECK(third.data()[99] == std::byte{42});
}

TEST_CASE("an array of numbers leaves the remainder out") {
  AlignedBuffer buffer(10);
  CHECK(buffer.as<float>().size() == 2);
  buffer.as<float>()[1] = 1.5f;
  CHECK(std::as_const(buffer).as<float>()[1] == 1.5f);
}

TEST_CASE("shrinking keeps what stays") {
  AlignedBuffer buffer(10 * kPageBytes);
  std::fill(buffer.bytes().begin(), buffer.bytes().end(), std::byte{7});
  buffer.shrink(20 * kPageBytes);
  CHECK(buffer.size() == 10 * kPageBytes);
  buffer.shrink(kPageBytes + 1);
  REQUIRE(buffer.size() == kPageBytes + 1);
  CHECK(buffer.data()[kPageBytes] == std::byte{7});
  buffer.shrink(0);
  CHECK(buffer.empty());
  CHECK(buffer.data() == nullptr);
}

TEST_CASE("more memory than there can be is std::bad_alloc") {
  CHECK_THROWS_AS(AlignedBuffer(std::size_t{1} << 60), std::bad_alloc);
}
