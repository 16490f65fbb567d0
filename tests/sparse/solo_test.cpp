// SPDX-License-Identifier: Apache-2.0
#include "flashlm/sparse/solo.hpp"

#include "support/catch.hpp"

using flashlm::sparse::Solo;

namespace {

/// A pass of `n_tokens` that took so long; whether it was computed by one thread.
bool pass(Solo& solo, double computed, double waited, std::size_t n_tokens = 1, int n_threads = 2) {
  solo.begin(n_tokens, n_threads);
  solo.computed(computed / 2);
  solo.computed(computed / 2);
  solo.waited(waited);
  return solo.on();
}

}  // namespace

TEST_CASE("one thread computes what arrives where it waits for the disk all the same") {
  Solo solo;
  CHECK_FALSE(pass(solo, 1, 4));  // nothing is known yet
  CHECK(pass(solo, 2, 2));
  CHECK(pass(solo, 2, 0.9));
  CHECK_FALSE(pass(solo, 1, 2.9));  // the disk waited for it
  CHECK_FALSE(pass(solo, 1, 3.1));
  CHECK(pass(solo, 2, 2));
}

TEST_CASE("many threads are given up for a long wait only") {
  Solo solo;
  pass(solo, 1, 14, 1, 8);
  CHECK_FALSE(pass(solo, 1, 16, 1, 8));
  CHECK(pass(solo, 8, 5, 1, 8));
}

TEST_CASE("batches are computed by all threads, and change nothing for single tokens") {
  Solo solo;
  pass(solo, 1, 4);
  CHECK_FALSE(pass(solo, 10, 50, 128));
  CHECK(pass(solo, 2, 2));
  CHECK_FALSE(pass(solo, 50, 0, 2));
  CHECK(pass(solo, 2, 2));
}

TEST_CASE("where nothing arrives nothing is decided") {
  Solo solo;
  pass(solo, 0, 0);
  CHECK_FALSE(pass(solo, 0, 0));
}
