// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/readers/uring.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <vector>

#include "support/catch.hpp"
#include "support/forked.hpp"
#include "support/readers.hpp"
#include "support/temp_folder.hpp"

#if defined(__linux__)
#include <sys/syscall.h>
#if __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>
#endif
#endif

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;

#if defined(IORING_FEAT_RW_CUR_POS)
TEST_CASE("the kernel's interface is as its header says") {
  using namespace flashlm::storage::detail;
  static_assert(sizeof(UringParams) == sizeof(io_uring_params));
  static_assert(offsetof(UringParams, features) == offsetof(io_uring_params, features));
  static_assert(offsetof(UringParams, sq) == offsetof(io_uring_params, sq_off));
  static_assert(offsetof(UringParams, sq.array) == offsetof(io_uring_params, sq_off.array));
  static_assert(offsetof(UringParams, cq.cqes) == offsetof(io_uring_params, cq_off.cqes));
  static_assert(sizeof(UringSqe) == sizeof(io_uring_sqe));
  static_assert(offsetof(UringSqe, fd) == offsetof(io_uring_sqe, fd));
  static_assert(offsetof(UringSqe, offset) == offsetof(io_uring_sqe, off));
  static_assert(offsetof(UringSqe, address) == offsetof(io_uring_sqe, addr));
  static_assert(offsetof(UringSqe, length) == offsetof(io_uring_sqe, len));
  static_assert(offsetof(UringSqe, user_data) == offsetof(io_uring_sqe, user_data));
  static_assert(offsetof(UringCqe, result) == offsetof(io_uring_cqe, res));
  static_assert(kUringOpRead == IORING_OP_READ);
  static_assert(kUringFixedFile == IOSQE_FIXED_FILE && kUringAsync == IOSQE_ASYNC);
  static_assert(kUringSingleMmap == IORING_FEAT_SINGLE_MMAP && kUringNoDrop == IORING_FEAT_NODROP);
  static_assert(kUringGetEvents == IORING_ENTER_GETEVENTS &&
                kUringRegisterFiles == IORING_REGISTER_FILES);
  static_assert(kUringSqesOffset == IORING_OFF_SQES);
#if defined(IORING_SETUP_COOP_TASKRUN)
  static_assert(kUringCoopTaskrun == IORING_SETUP_COOP_TASKRUN);
#endif
#if !defined(__alpha__)
  static_assert(kUringSetup == SYS_io_uring_setup && kUringEnter == SYS_io_uring_enter);
  static_assert(kUringRegister == SYS_io_uring_register);
#endif
  CHECK(sizeof(UringCqe) == sizeof(io_uring_cqe));
}
#endif

TEST_CASE("results carry the tags of their reads") {
  if (!uring_allowed()) return;
  const TempFolder folder;
  const auto bytes = random_bytes(10'000, 1);
  put(folder / "x", bytes);
  std::vector<File> files;
  for (const FileMode mode : {FileMode::buffered, FileMode::direct})
    files.push_back(File::open(folder / "x", mode));
  Uring ring(files, 4);
  UringResult result;
  CHECK_FALSE(ring.next(result));
  AlignedBuffer buffer(4 * kPageBytes);
  for (int round = 0; round < 100; ++round) {
    std::vector<bool> seen(4);
    for (std::uint64_t tag = 0; tag < 4; ++tag) {
      ring.push({static_cast<std::uint32_t>(tag % 2), (tag + 1) % 3 * kPageBytes,
                 buffer.data() + tag * kPageBytes, kPageBytes, round % 2 == 0, tag});
    }
    CHECK(ring.n_queued() == 4);
    REQUIRE(ring.enter(4) == 0);
    CHECK(ring.n_queued() == 0);
    for (int i = 0; i < 4; ++i) {
      REQUIRE(ring.next(result));
      REQUIRE(result.tag < 4);
      CHECK_FALSE(seen[result.tag]);
      seen[result.tag] = true;
      const std::size_t offset = (result.tag + 1) % 3 * kPageBytes;
      const std::size_t n = std::min(kPageBytes, bytes.size() - offset);
      CHECK(result.code == static_cast<int>(n));
      CHECK(std::equal(bytes.begin() + static_cast<std::ptrdiff_t>(offset),
                       bytes.begin() + static_cast<std::ptrdiff_t>(offset + n),
                       buffer.data() + result.tag * kPageBytes));
    }
    CHECK_FALSE(ring.next(result));
  }
}

TEST_CASE("what was queued and not handed over can be taken back") {
  if (!uring_allowed()) return;
  const TempFolder folder;
  put(folder / "x", random_bytes(100, 1));
  std::vector<File> files;
  files.push_back(File::open(folder / "x"));
  Uring ring(files, 2);
  std::vector<std::byte> buffer(100);
  ring.push({0, 0, buffer.data(), 100, false, 7});
  ring.push({0, 0, buffer.data(), 100, false, 8});
  CHECK(ring.take_back() == 8);
  CHECK(ring.take_back() == 7);
  CHECK(ring.n_queued() == 0);
  ring.push({0, 90, buffer.data(), 100, false, 9});
  REQUIRE(ring.enter(1) == 0);
  UringResult result;
  REQUIRE(ring.next(result));
  CHECK(result.tag == 9);
  CHECK(result.code == 10);
  ring.push({0, 200, buffer.data(), 100, false, 1});
  REQUIRE(ring.enter(1) == 0);
  REQUIRE(ring.next(result));
  CHECK(result.code == 0);
}

TEST_CASE("a ring that cannot be made is an IoError") { CHECK_THROWS_AS(Uring({}, 0), IoError); }

#if defined(__linux__)
TEST_CASE("a forbidden ring is an IoError with the code of the kernel") {
  for (const int code : {EPERM, EACCES, ENOSYS}) {
    CHECK(in_child([code] {
            forbid(SYS_io_uring_setup, code);
            try {
              Uring ring({}, 1);
            } catch (const IoError& error) {
              return error.code();
            }
            return 0;
          }) == code);
  }
}

TEST_CASE("a ring works where files cannot be registered") {
  if (!uring_allowed()) return;
  const TempFolder folder;
  put(folder / "x", random_bytes(100, 1));
  std::vector<File> files;
  files.push_back(File::open(folder / "x"));
  CHECK(in_child([&] {
          forbid(SYS_io_uring_register, EPERM);
          Uring ring(files, 1);
          std::byte buffer[100];
          ring.push({0, 0, buffer, 100, false, 5});
          UringResult result;
          if (ring.enter(1) != 0 || !ring.next(result)) return 1;
          return result.tag == 5 && result.code == 100 ? 0 : 2;
        }) == 0);
}
#endif
