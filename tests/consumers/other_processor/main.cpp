// SPDX-License-Identifier: Apache-2.0
/// main.cpp: a compiler that knows none of the processors which flashlm has instructions for. The
/// system's headers must not notice, so they come first.
#include <bits/stdc++.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <Eigen/Core>
#include <nlohmann/json.hpp>

#undef __x86_64__
#undef __aarch64__
#include <flashlm/flashlm.hpp>

int main() { return flashlm::supports(flashlm::Isa::scalar) ? 0 : 1; }
