# SPDX-License-Identifier: Apache-2.0
# common.sh: what every script begins with. Sourced, not run; leaves the shell in the project's folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export PATH="$PWD/.venv/bin:$PATH"  # cmake and ninja come from there
export PIP_DISABLE_PIP_VERSION_CHECK=1
export FLASHLM_TEST_CACHE="${FLASHLM_TEST_CACHE:-$PWD/.venv/cache}"
jobs=$(getconf _NPROCESSORS_ONLN)
if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER="${CMAKE_CXX_COMPILER_LAUNCHER-ccache}"; fi

step() { printf '\n== %s\n' "$*"; }

# stage NAME: what follows belongs to it, in the table that .ci/run ends with (scripts/stages).
stage() {
  mkdir -p build
  printf '%s %s\n' "$1" "$(date +%s.%N)" >>build/stages
}

stop() {
  printf '\n%s\n' "$*" >&2
  exit 1
}

# system_packages WHAT PACKAGE...: installs them as root on Debian, else says what to do and stops.
system_packages() {
  local what=$1
  shift
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    step "Installing $what"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$@" >/dev/null ||
      { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$@" >/dev/null; }
  else
    stop "Missing: $what. Please run:  sudo apt-get install $*"
  fi
}

# compiles LINE...: whether the compiler takes a program of these lines.
compiles() { printf '%s\n' "$@" | "${CXX:-c++}" -std=c++20 -x c++ -fsyntax-only - 2>/dev/null; }

need_compiler() {
  compiles '#include <concepts>' || system_packages "a C++20 compiler" g++
}

need_catch() {
  compiles '#if !__has_include(<catch2/catch.hpp>) && !__has_include(<catch2/catch_all.hpp>)' '#error' '#endif' ||
    system_packages "Catch2" catch2
}

# The libraries of the tools: without them the tests of the tools would not be built.
need_tools() {
  compiles '#include <curl/curl.h>' || system_packages "libcurl" libcurl4-openssl-dev
  compiles '#include <poppler/cpp/poppler-document.h>' || compiles '#include <poppler-document.h>' ||
    system_packages "poppler-cpp" libpoppler-cpp-dev
}

need_venv() {
  local python=${PYTHON:-python3}
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || stop "flashlm needs Python 3.10 or newer as $python."
  "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
    system_packages "Python's headers" python3-dev
  [ -x .venv/bin/pip ] && return
  "$python" -c 'import ensurepip, venv' 2>/dev/null || system_packages "Python's venv module" python3-venv
  step "Creating .venv"
  "$python" -m venv .venv
}

# install PACKAGE...: into .venv.
install() { .venv/bin/python -m pip install -qq "$@"; }

# Everything that tests and checks need; a second run takes seconds. The package and the tests are built in one folder,
# build/dev, so that the library is compiled once for both: optimised, with its assertions.
need_developer() {
  [ -z "${FLASHLM_READY-}" ] || return 0
  need_compiler
  need_catch
  need_tools
  need_venv
  step "Installing Python packages into .venv"
  install "scikit-build-core>=1.0" "pybind11>=3.0" cmeel cmeel-eigen nlohmann-json cmake ninja
  step "Building the Python package"
  local options=(-C build-dir=build/dev -C cmake.build-type=Debug -C build.targets=flashlm_python)
  while IFS= read -r option; do options+=(-C "cmake.define.$option"); done <<<"$developer_options"
  CMAKE_BUILD_PARALLEL_LEVEL=$jobs install --no-build-isolation "${options[@]}" ".[test,dev,notebooks,agents]"
}

# What build/dev is configured with: the preset dev, for the package.
developer_options="CMAKE_CXX_FLAGS_DEBUG=-O1 -g1
CMAKE_COMPILE_WARNING_AS_ERROR=ON
FLASHLM_BUILD_TESTS=ON
FLASHLM_BUILD_BENCHMARKS=ON
FLASHLM_BUILD_EXAMPLES=ON
FLASHLM_JOIN_TESTS=ON
FLASHLM_ADDRESS_TESTS=ON"

# configure_and_build PRESET OPTION...
configure_and_build() {
  cmake --preset "$@" -DPython_EXECUTABLE="$PWD/.venv/bin/python" | sed -n '/Build files/p'
  cmake --build --preset "$1" -j "$jobs"
}
