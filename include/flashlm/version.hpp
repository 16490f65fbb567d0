// SPDX-License-Identifier: Apache-2.0
/// version.hpp: the one place where the version is written; CMake and pyproject.toml read it here.
#pragma once

#define FLASHLM_VERSION "0.1.0"
