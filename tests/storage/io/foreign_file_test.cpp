// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/io/foreign_file.hpp"

#include <string>
#include <string_view>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string what(std::string_view begin, FileKind expected) {
  const auto found = foreign_file(begin, expected);
  return found ? found->what : "";
}

constexpr FileKind kKinds[] = {FileKind::json, FileKind::text, FileKind::safetensors,
                               FileKind::gguf, FileKind::kv};

std::string safetensors() { return std::string("\x02\0\0\0\0\0\0\0{}", 10); }

}  // namespace

TEST_CASE(
    "what hubs, servers and archives leave in the place of a file is named, whatever was "
    "expected") {
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid "
      "sha256:b179c9523d0e6a0f98a330c7562b6827\nsize 98362432\n";
  for (const FileKind kind : kKinds) {
    CHECK(what(pointer, kind) == "a Git LFS pointer to a file of 98362432 bytes");
    CHECK(what("version https://git-lfs", kind) == "a Git LFS pointer");
    CHECK(what("", kind) == "an empty file");
    CHECK(what(std::string(512, '\0'), kind) == "zeros");
    CHECK(what("<!DOCTYPE html><html lang=\"en\">", kind) == "a web page");
    CHECK(what("\xef\xbb\xbf\r\n <HTML>", kind) == "a web page");
    CHECK(what("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>", kind) == "an XML text");
    CHECK(what({"\x1f\x8b\x08\0", 4}, kind) == "a gzip archive");
    CHECK(what({"PK\x03\x04\x14\0", 6}, kind) == "a zip archive or a PyTorch file");
    CHECK(what({"\x28\xb5\x2f\xfd\0", 5}, kind) == "a zstd archive");
    CHECK(what({"\x80\x02\x8a\x0a", 4}, kind) == "a Python pickle");
    CHECK(what("ggml", kind) == "an old GGML file");
  }
  std::string tar(512, '\0');
  tar.replace(0, 5, "model").replace(257, 5, "ustar");
  CHECK(what(tar, FileKind::gguf) == "a tar archive");
}

TEST_CASE("a model file of another kind is named") {
  CHECK(what({"GGUF\x03\0\0\0", 8}, FileKind::safetensors) == "a GGUF file");
  CHECK(what(safetensors(), FileKind::gguf) == "a safetensors file");
  CHECK(what("FLASHKV1", FileKind::safetensors) == "a saved session");
  CHECK(what({"GGUF\x03\0\0\0", 8}, FileKind::gguf).empty());
  CHECK(what(safetensors(), FileKind::safetensors).empty());
  CHECK(what("FLASHKV1", FileKind::kv).empty());
}

TEST_CASE("what a server says in JSON or in words is quoted, up to a line of 60 bytes") {
  const std::string error = R"({"error":"Access to model x/y is restricted. Please log in."})";
  CHECK_THAT(what(error, FileKind::safetensors),
             ContainsSubstring("an error in JSON, '{\"error\":\"Access to model"));
  for (const std::string& body :
       {error, std::string(R"( {"message": "Not Found", "status": 404})"),
        std::string(R"({"detail":"Not Found"})"),
        std::string(R"({"timestamp":"2026","status":404,"error":"Not Found"})"),
        std::string(R"({"code":5,"message":"no such file","details":[]})")}) {
    CHECK_THAT(what(body, FileKind::json), ContainsSubstring("an error in JSON"));
    CHECK(what(body, FileKind::text).empty());
  }
  CHECK(what("Entry not found", FileKind::gguf) == "a text, 'Entry not found'");
  CHECK(what("Invalid credentials\nin header", FileKind::json) == "a text, 'Invalid credentials'");
  CHECK(what(std::string(59, 'x') + "\xc3\xa9y", FileKind::gguf) ==
        "a text, '" + std::string(59, 'x') + "...'");
  CHECK(what("{\"a\": 1}", FileKind::safetensors) == "a JSON text, '{\"a\": 1}'");
}

TEST_CASE("files of models are not foreign") {
  for (const std::string_view json :
       {R"({"architectures": ["LlamaForCausalLM"]})", R"({"version": "1.0", "added_tokens": []})",
        R"({"metadata": {"total_size": 1}})", R"({"error": 5, "code": 6, "message": 7})",
        R"({"messages": {}})", "{", "[1]",
        R"({"error":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})"}) {
    CHECK(what(json, FileKind::json).empty());
  }
  CHECK(what("{% for message in messages %}", FileKind::text).empty());
  CHECK(what("You are a model. error", FileKind::text).empty());
  CHECK(what({"\x01\x02\x03", 3}, FileKind::gguf).empty());
}

TEST_CASE("the error says what was expected, what came, where, and the way out") {
  CHECK_THROWS_AS(refuse_foreign("<html>", FileKind::json, "config", "a/config.json"), FormatError);
  CHECK_THROWS_WITH(
      refuse_foreign("<html>", FileKind::json, "config", "a/config.json"),
      ContainsSubstring("[config] file: expected a JSON file, got a web page (a/config.json). ") &&
          ContainsSubstring("hf auth login"));
  CHECK_NOTHROW(refuse_foreign("{}", FileKind::json, "config", "a/config.json"));
}
