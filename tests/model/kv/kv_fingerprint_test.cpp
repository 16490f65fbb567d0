// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/kv/kv_fingerprint.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/compute/cpu/isa/cpu.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"
#include "flashlm/model/engine.hpp"
#include "flashlm/model/kv/kv_cache.hpp"
#include "flashlm/storage/format/checksum.hpp"
#include "support/catch.hpp"
#include "support/json.hpp"
#include "support/tiny_model.hpp"
#include "support/tokens.hpp"

using namespace flashlm;
using namespace flashlm::model;

namespace {

storage::Digest of(const support::TinyShape& shape, DType kv_dtype = DType::f32) {
  const support::TinyModel tiny(shape);
  return kv_fingerprint(*Model::open(tiny.path()), kv_dtype);
}

}  // namespace

TEST_CASE(
    "the fingerprint is that of the content, wherever the folder lies and wherever the model came "
    "from") {
  const support::TinyModel tiny;
  const storage::Digest expected = kv_fingerprint(*Model::open(tiny.path()), DType::f32);
  CHECK(of({}) == expected);
  storage::Manifest manifest = storage::Manifest::open(tiny.path());
  manifest.source = support::read_json(nlohmann::json{{"name", "another place"}});
  manifest.save(tiny.path());
  CHECK(kv_fingerprint(*Model::open(tiny.path()), DType::f32) == expected);
}

TEST_CASE("other weights, shapes, number formats and rope have other fingerprints") {
  const storage::Digest expected = of({});
  support::TinyShape other;
  other.seed = 2;
  CHECK(of(other) != expected);
  other = {};
  other.dtype = DType::f16;
  CHECK(of(other) != expected);
  other = {};
  other.neurons_per_bundle = 1;
  CHECK(of(other) != expected);
  CHECK(of({}, DType::f16) != expected);

  const support::TinyModel tiny;
  storage::Manifest manifest = storage::Manifest::open(tiny.path());
  const nlohmann::json graph = support::tiny_graph(tiny.shape);
  const auto changed = [&](const char* path, const nlohmann::json& value) {
    nlohmann::json copy = graph;
    copy[nlohmann::json::json_pointer(path)] = value;
    manifest.graph = support::as_stored(copy);
    manifest.save(tiny.path());
    return kv_fingerprint(*Model::open(tiny.path()), DType::f32);
  };
  const std::string parts = "/stacks/0/layer_kinds/0/parts/";
  CHECK(changed("/dim", 24) == expected);
  CHECK(changed((parts + "0/attention/rope/frequencies/1").c_str(), 0.03) != expected);
  CHECK(changed((parts + "0/before/epsilon").c_str(), 1.1e-5) != expected);
  CHECK(changed((parts + "1/ffn/activation").c_str(), "relu") != expected);
  CHECK(changed((parts + "1/ffn/activation").c_str(), "relu2") !=
        changed((parts + "1/ffn/activation").c_str(), "relu"));
  CHECK(changed("/embedding/scale", 2) != expected);
  // What ends a text changes no key.
  manifest.graph = support::as_stored(graph);
  manifest.eos = {5};
  manifest.save(tiny.path());
  CHECK(kv_fingerprint(*Model::open(tiny.path()), DType::f32) == expected);
  // A folder that was written anew keeps the name that its sessions know.
  manifest.identity = "another";
  manifest.save(tiny.path());
  CHECK(kv_fingerprint(*Model::open(tiny.path()), DType::f32) != expected);
}

TEST_CASE("these are the bits of numerics 3: where they change, kNumerics goes up") {
  REQUIRE(kNumerics == 3);
  const std::map<std::pair<std::string_view, DType>, std::uint32_t> known{
      {{"scalar", DType::f32}, 0x16d8ae13u},  {{"scalar", DType::f16}, 0xdd8d1996u},
      {{"avx2", DType::f32}, 0x5aadff0au},    {{"avx2", DType::f16}, 0x5acfb024u},
      {{"avx512", DType::f32}, 0xa75eb9f5u},  {{"avx512", DType::f16}, 0x27c49cd7u},
      {{"scalar", DType::bf16}, 0xd2feeef9u}, {{"scalar", DType::q8_0}, 0xd6526cbeu},
      {{"scalar", DType::q4_0}, 0x6112a2ffu}, {{"avx2", DType::bf16}, 0x66eb46cfu},
      {{"avx2", DType::q8_0}, 0x0405c77fu},   {{"avx2", DType::q4_0}, 0x2d251f42u},
      {{"avx512", DType::bf16}, 0x5de48392u}, {{"avx512", DType::q8_0}, 0xf039a811u},
      {{"avx512", DType::q4_0}, 0xef0e1f11u},
  };
  const std::map<std::pair<std::string_view, DType>, std::uint32_t> known_opt{
      {{"scalar", DType::f32}, 0xd4dbca09u},  {{"scalar", DType::f16}, 0xdd9b1531u},
      {{"avx2", DType::f32}, 0x807bba81u},    {{"avx2", DType::f16}, 0x36cbc4e3u},
      {{"avx512", DType::f32}, 0x756e9e64u},  {{"avx512", DType::f16}, 0xa50fe7c4u},
      {{"scalar", DType::bf16}, 0x3c6cc10du}, {{"scalar", DType::q8_0}, 0xfe9cb92fu},
      {{"scalar", DType::q4_0}, 0xeb68e323u}, {{"avx2", DType::bf16}, 0xd064afa7u},
      {{"avx2", DType::q8_0}, 0xab1808a5u},   {{"avx2", DType::q4_0}, 0x631e66edu},
      {{"avx512", DType::bf16}, 0xd84fc688u}, {{"avx512", DType::q8_0}, 0x2a8baf6au},
      {{"avx512", DType::q4_0}, 0x4461256du},
  };
  for (const auto& [base, crcs] :
       {std::pair(support::TinyShape(), known), {support::TinyShape::opt(), known_opt}}) {
    for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0}) {
      const support::TinyShape shape = support::TinyShape::of(dtype, base);
      const support::TinyModel tiny(shape);
      Engine engine(Model::open(tiny.path()));
      KvCache kv = engine.add_session();
      Stats stats;
      std::vector<float> logits(support::TinyShape::kVocabSize);
      engine.forward(kv, 0, support::random_tokens(40), logits, Phase::prefill, stats);
      std::uint32_t crc = 0;
      for (std::size_t run = 0; run < kv.n_runs(); ++run)
        crc = storage::crc32(kv.run(run, 0, 40), crc);
      const auto found = crcs.find({name(kernels::active().isa), dtype});
      if (found != crcs.end()) {
        INFO(shape.family << ' ' << name(kernels::active().isa) << ' ' << name(dtype));
        CHECK(storage::crc32_hex(crc) == storage::crc32_hex(found->second));
      }
      engine.remove_session();
    }
  }
}
