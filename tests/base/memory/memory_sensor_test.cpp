// SPDX-License-Identifier: Apache-2.0
#include "flashlm/base/memory/memory_sensor.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "support/allocation_counter.hpp"
#include "support/catch.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

/// A tree of /proc and /sys as a test likes it.
struct FakeSystem {
  void put(const std::string& path, const std::string& text) const {
    const std::filesystem::path whole = folder.path() / path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }
  MemoryState read() const { return MemorySensor(folder.path().string()).read(); }
  support::TempFolder folder;
};

}  // namespace

TEST_CASE("a system that tells nothing has no limit") {
  const FakeSystem system;
  CHECK(system.read().room == MemoryState::kUnlimited);
  CHECK(system.read().stalled_seconds == 0);
}

TEST_CASE("the nearest limit of all groups counts, and page cache that can go counts as free") {
  const FakeSystem system;
  SECTION("version 2") {
    system.put("proc/self/cgroup", "0::/outer/inner\n");
    for (const std::string group : {"outer/inner", "outer"}) {
      system.put("sys/fs/cgroup/" + group + "/memory.current",
                 group == "outer" ? "943718400\n" : "209715200\n");
      system.put("sys/fs/cgroup/" + group + "/memory.stat",
                 "anon 1\ninactive_file 31457280\nactive_file 10485760\n");
    }
    system.put("sys/fs/cgroup/outer/inner/memory.max", "max\n");
    system.put("sys/fs/cgroup/outer/memory.max", "1073741824\n");
    CHECK(system.read().room == 1024 * kMiB - 900 * kMiB + 40 * kMiB);
    system.put("sys/fs/cgroup/outer/inner/memory.max", "262144000\n");
    CHECK(system.read().room == 250 * kMiB - 200 * kMiB + 40 * kMiB);
  }
  SECTION("version 1") {
    system.put("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/job\n0::/\n");
    system.put("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "104857600\n");
    system.put("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "94371840\n");
    system.put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    system.put("sys/fs/cgroup/memory/memory.usage_in_bytes", "94371840\n");
    CHECK(system.read().room == 10 * kMiB);
  }
  SECTION("a container sees its group as the root") {
    system.put("proc/self/cgroup", "4:memory:/docker/abc\n");
    system.put("sys/fs/cgroup/memory/memory.limit_in_bytes", "104857600\n");
    system.put("sys/fs/cgroup/memory/memory.usage_in_bytes", "41943040\n");
    CHECK(system.read().room == 60 * kMiB);
  }
}

TEST_CASE("without groups, what the system has left is the limit; the time of waiting is read") {
  const FakeSystem system;
  system.put("proc/meminfo", "MemTotal:  24000000 kB\nMemFree: 1 kB\nMemAvailable:   51200 kB\n");
  system.put("proc/pressure/memory",
             "some avg10=12.50 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=0.00 total=1\n");
  CHECK(system.read().room == 50 * kMiB);
  CHECK(system.read().stalled_seconds == 2.5);
}

TEST_CASE("this system can be read, without an allocation") {
  const MemorySensor sensor;
  const std::size_t before = support::allocation_count();
  const MemoryState state = sensor.read();
  CHECK(support::allocation_count() == before);
  CHECK(state.room > 0);
}

TEST_CASE("an automatic budget leaves a tenth, at least 1 GiB, and a quarter of what is small") {
  const auto spare = [](std::uint64_t capacity, std::uint64_t room) {
    return MemoryLimit{MemoryBound::group, capacity * kMiB, room * kMiB}.spare() / kMiB;
  };
  CHECK(spare(65536, 40960) == 36864);
  CHECK(spare(16384, 8192) == 7168);
  CHECK(spare(16384, 1024) == 0);
  CHECK(spare(16384, 100) == 0);
  CHECK(spare(2048, 1948) == 1436);
  CHECK(spare(400, 350) == 250);
  CHECK(spare(100, 90) == 26);
  CHECK(MemoryLimit().spare() == MemoryLimit::kUnlimited);
}

TEST_CASE("the limit that leaves a budget the least is named, not the one that is nearest") {
  const FakeSystem system;
  system.put("proc/self/cgroup", "0::/job\n");
  system.put("sys/fs/cgroup/job/memory.max", "419430400\n");
  system.put("sys/fs/cgroup/job/memory.current", "52428800\n");
  system.put("proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n");
  CHECK(system.read().limit.bound == MemoryBound::group);
  CHECK(system.read().limit.name() == "the control group's 400 MiB");
  CHECK(system.read().limit.spare() == 250 * kMiB);
  system.put("proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 512000 kB\n");
  CHECK(system.read().room == 350 * kMiB);  // until the group is full
  CHECK(system.read().limit.bound == MemoryBound::machine);
  CHECK(system.read().limit.name() == "the machine's 16.0 GiB");
  CHECK(system.read().limit.spare() == 0);
}

TEST_CASE(
    "a group is slowed down above memory.high, and its kernel caches and those of the groups in it "
    "can go") {
  const FakeSystem system;
  SECTION("version 2") {
    system.put("proc/self/cgroup", "0::/job\n");
    system.put("sys/fs/cgroup/job/memory.max", "419430400\n");
    system.put("sys/fs/cgroup/job/memory.high", "314572800\n");
    system.put("sys/fs/cgroup/job/memory.current", "104857600\n");
    system.put("sys/fs/cgroup/job/memory.stat",
               "inactive_file 1048576\nactive_file 0\nslab_reclaimable 2097152\n");
    CHECK(system.read().room == 203 * kMiB);
  }
  SECTION("version 1") {
    system.put("proc/self/cgroup", "4:memory:/job\n");
    system.put("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "104857600\n");
    system.put("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "94371840\n");
    system.put("sys/fs/cgroup/memory/job/memory.stat",
               "inactive_file 1\nactive_file 1\ntotal_inactive_file 20971520\ntotal_active_file "
               "10485760\n");
    CHECK(system.read().room == 40 * kMiB);
  }
}

TEST_CASE("what ulimit allows bounds a budget, but is no room that giving memory back would make") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_DATA, &before) == 0);
  if (before.rlim_cur != RLIM_INFINITY) {
    WARN("ulimit -d is set already: not tested");
    return;
  }
  const FakeSystem system;
  system.put("proc/self/statm", "300000 5000 1000 1 0 51200 0\n");
  rlimit limit = before;
  limit.rlim_cur = rlim_t{4} << 40;  // more than the test itself could need
  REQUIRE(::setrlimit(RLIMIT_DATA, &limit) == 0);
  const MemoryState state = system.read();
  CHECK(::setrlimit(RLIMIT_DATA, &before) == 0);
  CHECK(state.room == MemoryState::kUnlimited);
  CHECK(state.limit.bound == MemoryBound::data);
  CHECK(state.limit.room ==
        limit.rlim_cur - 51200 * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
  CHECK(state.limit.name() == "the 4.00 TiB of data that ulimit -d allows");
}
