// SPDX-License-Identifier: Apache-2.0
/// session_load.cpp: how near the loading of a saved session comes to a plain read of its file.
///
///     session_load_benchmark MODEL.flash FOLDER [--tokens N] [--rounds N] [--threads N]    # rows
///     of JSON
///
/// The file is written in FOLDER, which is best on the disk of the model;
/// benchmarks/session_load.py adds the card. Both sides read around the page cache, into memory
/// that was touched before, in alternate rounds. A session that was loaded must go on with the same
/// token as the one that was saved before anything is timed.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/model/engine.hpp"
#include "flashlm/model/graph/model.hpp"
#include "flashlm/model/session.hpp"
#include "flashlm/storage/io/file.hpp"

namespace {

using namespace flashlm;

struct Options {
  std::size_t tokens = 8000;
  std::size_t rounds = 15;
  int threads = 2;
};

double seconds(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// One read after another, all into memory that stays.
void read_plainly(const storage::File& file, std::span<std::byte> into) {
  constexpr std::size_t kPiece = std::size_t{2} << 20;
  for (std::size_t at = 0; at < into.size(); at += kPiece) {
    file.read(at, into.subspan(at, std::min(kPiece, into.size() - at)));
  }
}

nlohmann::json row(std::size_t n_tokens, const std::string& metric, const std::string& unit,
                   std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {{"case", concat("session of ", n_tokens, " tokens")},
          {"metric", metric},
          {"unit", unit},
          {"median", values[values.size() / 2]},
          {"min", values.front()},
          {"max", values.back()},
          {"floor", nullptr},
          {"peer", nullptr}};
}

std::vector<float> after(model::Session& session, Token token) {
  const std::span<const float> logits = session.step(token);
  return {logits.begin(), logits.end()};
}

int run(const std::filesystem::path& folder, const std::filesystem::path& scratch,
        const Options& options) {
  const auto model = model::Model::open(folder);
  const auto engine =
      std::make_shared<model::Engine>(model, model::EngineOptions{.memory = {0, 1.0},
                                                                  .context = options.tokens + 192,
                                                                  .n_threads = options.threads});
  const std::filesystem::path path = scratch / "session_load.kv";
  Random random(1);
  std::vector<Token> tokens(options.tokens);
  for (Token& token : tokens) token = static_cast<Token>(random.next() % model->spec().vocab_size);
  std::vector<float> expected;
  {
    model::Session session(engine);
    session.prefill(tokens);
    session.save(path);
    expected = after(session, tokens.front());
  }
  model::Session session(engine);
  session.load(path);  // touches the memory, and warms up what there is to warm
  if (session.tokens().size() != tokens.size() || after(session, tokens.front()) != expected) {
    return std::fprintf(stderr, "The loaded session disagrees with the saved one.\n"), 1;
  }
  const storage::File file = storage::File::open(path, storage::FileMode::direct);
  const std::size_t size = static_cast<std::size_t>(file.size());
  AlignedBuffer memory(size);
  std::memset(memory.data(), 1, size);
  std::vector<double> loads, floors, shares;
  for (std::size_t round = 0; round < options.rounds; ++round) {
    const auto load = [&] {
      session.reset();
      loads.push_back(seconds([&] { session.load(path); }));
    };
    const auto read = [&] {
      floors.push_back(seconds([&] { read_plainly(file, memory.bytes().first(size)); }));
    };
    if (round % 2 == 0) read();
    load();
    if (round % 2 == 1) read();
    shares.push_back(floors.back() / loads.back());
  }
  if (after(session, tokens.front()) != expected)
    return std::fprintf(stderr, "A later load disagrees.\n"), 1;
  std::filesystem::remove(path);
  const auto rate = [size](std::vector<double> times) {
    for (double& time : times) time = static_cast<double>(size) / time;
    return times;
  };
  nlohmann::json rows = {row(options.tokens, "file", "B", {static_cast<double>(size)}),
                         row(options.tokens, "plain read", "B/s", rate(floors)),
                         row(options.tokens, "load", "B/s", rate(loads)),
                         row(options.tokens, "load, share of the plain read", "1", shares)};
  rows[2]["floor"] = rows[1]["median"];
  std::printf("%s\n", nlohmann::json{{"direct", file.direct()}, {"rows", rows}}.dump(1).c_str());
  return 0;
}

}  // namespace

int main(int argc, char* argv[]) {
  Options options;
  if (argc < 3)
    return std::fprintf(stderr, "usage: session_load_benchmark MODEL.flash FOLDER [--rounds N]\n"),
           2;
  for (int i = 3; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const long value = std::strtol(argv[i + 1], nullptr, 10);
    if (name == "--tokens") options.tokens = static_cast<std::size_t>(value);
    if (name == "--rounds") options.rounds = static_cast<std::size_t>(std::max(1L, value));
    if (name == "--threads") options.threads = static_cast<int>(value);
  }
  try {
    return run(argv[1], argv[2], options);
  } catch (const Error& error) {
    return std::fprintf(stderr, "%s\n", error.what()), 1;
  }
}
