// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/tokenizer/decoder.hpp"

#include <string>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using text::Decoder;

namespace {

Decoder parsed(const std::string& json) {
  const storage::Json document = storage::parse_foreign_json(json, "tokenizer", "test");
  return Decoder::parse(storage::JsonField(document, "tokenizer", "test"));
}

const std::string kPieces =
    R"({"type": "Replace", "pattern": {"String": "_"}, "content": " "}, {"type": "ByteFallback"},
       {"type": "Fuse"})";

}  // namespace

TEST_CASE("bytes are written in GPT-2's alphabet, or as pieces") {
  CHECK(parsed(R"({"type": "ByteLevel"})").bytes("\u0120a") == " a");
  const Decoder pieces = parsed(R"({"type": "Sequence", "decoders": [)" + kPieces + "]}");
  CHECK(pieces.bytes("_a_b") == " a b");
  CHECK(pieces.bytes("<0x0A>") == "\n");
  CHECK(pieces.bytes("<0xFF>") == "\xff");
  CHECK(pieces.bytes("<0xff>") == "<0xff>");
  CHECK(pieces.stripped("  a", 2) == 0);
}

TEST_CASE("the space before a text goes, once") {
  const Decoder once = parsed(R"({"type": "Sequence", "decoders": [)" + kPieces +
                              R"(, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})");
  CHECK(once.stripped("  a", 2) == 1);
  CHECK(once.stripped("a", 1) == 0);
  const Decoder metaspace = parsed(R"({"type": "Metaspace", "replacement": "_"})");
  CHECK(metaspace.bytes("_a") == " a");
  CHECK(metaspace.stripped("  a", 2) == 2);  // what the first token has of them
  CHECK(metaspace.stripped("  a", 1) == 1);
  CHECK(parsed(R"({"type": "Metaspace", "prepend_scheme": "never"})").stripped(" a", 2) == 0);
}

TEST_CASE("an unknown decoder is refused by name") {
  CHECK_THROWS_WITH(parsed(R"({"type": "WordPiece"})"), Catch::Contains("WordPiece"));
  CHECK_THROWS_AS(parsed("null"), FormatError);
  CHECK_THROWS_AS(parsed(R"({"type": "Strip", "content": " ", "start": 1, "stop": 1})"),
                  FormatError);
  CHECK_THROWS_AS(
      parsed(R"({"type": "Sequence", "decoders": [{"type": "ByteLevel"}, )" + kPieces + "]}"),
      FormatError);
}
