// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/parts/embedding.hpp"

#include <cerrno>
#include <vector>

#include "support/allocation_counter.hpp"
#include "support/catch.hpp"
#include "support/open_weights.hpp"
#include "support/tokens.hpp"

using namespace flashlm;
using model::Embedding;

TEST_CASE("rows of tokens come from DRAM or from flash, with the same numbers") {
  support::TinyShape shape;
  shape.tied = GENERATE(true, false);
  shape.dtype = GENERATE(DType::f32, DType::f16);
  const std::size_t n = GENERATE(1, 2, 1000);
  const std::size_t alignment = GENERATE(1, 512);
  support::OpenWeights open(
      shape, 1000, [n](std::size_t piece) { return piece % n == 0; }, 2, alignment);
  Embedding embedding(open.model->weights().embedding(), open.stream, open.reader,
                      open.file_bytes().back());
  std::vector<Token> tokens = support::random_tokens(70);
  tokens.back() = 256;  // the end of the file, if not tied
  std::vector<float> x(tokens.size() * 24);
  const std::uint64_t before = open.reader.stats().bytes_read;
  embedding.run(tokens, x);
  const support::Matrix& expected = open.tiny.weights.at("embedding");
  for (std::size_t at = 0; at < x.size(); ++at) {
    REQUIRE(x[at] == expected.at(static_cast<std::size_t>(tokens[at / 24]), at % 24));
  }
  CHECK((open.reader.stats().bytes_read == before) == (n == 1));
  CHECK((embedding.gap_bytes() > 0) == (n > 1 && alignment > 1));
}

TEST_CASE("rows that can not be read are an IoError, and the next look works; none allocates") {
  support::OpenWeights open({}, 1000, [](std::size_t) { return false; });
  Embedding embedding(open.model->weights().embedding(), open.stream, open.reader,
                      open.file_bytes().back());
  const std::vector<Token> tokens = support::random_tokens(5);
  std::vector<float> x(tokens.size() * 24);
  open.reader.fail_at(2, EIO);
  CHECK_THROWS_AS(embedding.run(tokens, x), IoError);
  const std::size_t before = support::allocation_count();
  embedding.run(tokens, x);
  CHECK(support::allocation_count() == before);
}

TEST_CASE("rows that were interrupted are waited for before their memory is used again") {
  support::OpenWeights open({}, 1000, [](std::size_t) { return false; });
  Embedding embedding(open.model->weights().embedding(), open.stream, open.reader,
                      open.file_bytes().back());
  struct Stop {};
  bool stop = true;
  open.reader.watch({[&] {
                       if (stop) throw Stop();
                     },
                     {}});
  const std::vector<Token> tokens = support::random_tokens(5);
  std::vector<float> x(tokens.size() * 24);
  open.reader.stall(1);
  CHECK_THROWS_AS(embedding.run(tokens, x), Stop);
  CHECK(open.reader.n_open() == 1);
  stop = false;
  embedding.run(tokens, x);
  CHECK(open.reader.n_open() == 0);
  CHECK(x[5] == open.tiny.weights.at("embedding").at(static_cast<std::size_t>(tokens[0]), 5));
}
