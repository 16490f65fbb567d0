# SPDX-License-Identifier: Apache-2.0
# The words to live by; the work is in scripts/.
.PHONY: help demo test test-live test-all test-sanitizers test-neon format lint tidy docs-check clean

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\): *##/\1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo:  ## Install into ./.venv, fetch a small chat model, run it from flash in half its size
	@scripts/demo

test:  ## Install what is missing and run all tests
	@scripts/test

test-live:  ## Compare with what transformers and torch answered, as recorded
	@scripts/test-live

test-all:  ## All of these; asks transformers and torch again (installs them)
	@scripts/test
	@scripts/test-live --anew
	@scripts/test-sanitizers

test-sanitizers:  ## C++ tests under the address, undefined behaviour and thread sanitizers
	@scripts/test-sanitizers

test-neon:  ## Kernel tests for 64-bit Arm, in an emulator
	@scripts/test-neon

format:  ## Rewrite C++ and Python in the project's format
	@scripts/lint --fix

lint:  ## Check format, style and types
	@scripts/lint

tidy:  ## Look for mistakes in C++ with clang-tidy
	@scripts/tidy

docs-check:  ## Run the README's programs and follow the links of all pages
	@scripts/docs-check

clean:  ## Remove everything that was built, and ./.venv
	rm -rf build dist .venv .mypy_cache .ruff_cache .pytest_cache
