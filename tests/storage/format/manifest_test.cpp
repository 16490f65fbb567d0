// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/format/manifest.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "flashlm/storage/format/checksum.hpp"
#include "support/catch.hpp"
#include "support/model_folder.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

std::vector<BundleLayout> two_layers() {
  return {BundleLayout::make(40, 32, 24, true, DType::f16),
          BundleLayout::make(3, 1, 7, false, DType::f32)};
}

/// Changes one byte of a file, in place, for as long as it lives.
class Flipped {
 public:
  Flipped(const std::filesystem::path& path, std::size_t at, int flip)
      : path_(path), at_(at), flip_(flip) {
    turn();
  }
  Flipped(const Flipped&) = delete;
  Flipped& operator=(const Flipped&) = delete;
  ~Flipped() { turn(); }

 private:
  void turn() {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at_));
    const int byte = file.get() ^ flip_;
    file.seekp(static_cast<std::streamoff>(at_));
    file.put(static_cast<char>(byte));
  }

  std::filesystem::path path_;
  std::size_t at_;
  int flip_;
};

void check_same(const Manifest& a, const Manifest& b) {
  CHECK(a.family == b.family);
  CHECK(a.dtype == b.dtype);
  CHECK(a.source == b.source);
  CHECK(a.files == b.files);
  CHECK(a.layers == b.layers);
}

/// The manifest of `folder` with a change to its JSON and a checksum that fits.
std::string changed(const Manifest& manifest,
                    const std::function<void(nlohmann::ordered_json&)>& change) {
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(manifest.text());
  change(json);
  json.erase("checksum");
  json["checksum"] = "crc32:00000000";
  std::string text = json.dump(2);
  const std::size_t place = text.rfind("00000000");
  return text.replace(place, 8, crc32_hex(crc32(std::as_bytes(std::span(text)))));
}

}  // namespace

TEST_CASE("a saved manifest is opened as it was") {
  const TempFolder folder(memory_folder());
  const Manifest saved = make_model_folder(folder.path(), two_layers());
  const Manifest opened = Manifest::open(folder.path());
  check_same(opened, saved);
  CHECK(opened.layers.size() == 2);
  CHECK(opened.files.size() == 5);
  CHECK(opened.weight_bytes() ==
        32 + two_layers()[0].total_bytes() + two_layers()[1].total_bytes());
  CHECK(opened.find("config.json") != nullptr);
  CHECK(opened.find("none") == nullptr);
  opened.save(folder.path());
  check_same(Manifest::open(folder.path()), saved);
}

TEST_CASE("any changed byte of the manifest is a FormatError") {
  const TempFolder folder(memory_folder());
  const std::string text = make_model_folder(folder.path(), two_layers()).text();
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const int flip : {0x01, 0x20, 0x80, 0xff}) {
      std::string damaged = text;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      INFO("byte " << at);
      REQUIRE_THROWS_AS(Manifest::parse(damaged, "x"), FormatError);
    }
  }
  for (std::size_t at = 0; at < text.size(); at += 97) {
    const Flipped flipped(folder / "flashlm.json", at, 0x04);
    CHECK_THROWS_AS(Manifest::open(folder.path()), FormatError);
  }
  CHECK_NOTHROW(Manifest::open(folder.path()));
}

TEST_CASE("a manifest cut at any byte, or with more behind it, is a FormatError") {
  const TempFolder folder(memory_folder());
  const std::string text = make_model_folder(folder.path(), two_layers()).text();
  for (std::size_t n = 0; n < text.size(); ++n)
    REQUIRE_THROWS_AS(Manifest::parse(text.substr(0, n), "x"), FormatError);
  CHECK_THROWS_AS(Manifest::parse(text + "\n", "x"), FormatError);
}

TEST_CASE(
    "any changed byte of a small file or of a weight header is a FormatError that names the file") {
  const TempFolder folder(memory_folder());
  const Manifest manifest = make_model_folder(folder.path(), two_layers());
  for (const FileRecord& record : manifest.files) {
    const std::size_t covered = record.is_weights() ? record.header_bytes : record.bytes;
    for (std::size_t at = 0; at < covered; ++at) {
      const Flipped flipped(folder / record.name, at, 1 << (at % 8));
      INFO(record.name << " byte " << at);
      REQUIRE_THROWS_AS(Manifest::open(folder.path()), FormatError);
      if (at == 0) CHECK_THROWS_WITH(Manifest::open(folder.path()), ContainsSubstring(record.name));
    }
  }
  CHECK_NOTHROW(Manifest::open(folder.path()));
}

TEST_CASE("any changed byte of the weights is found by verify, which names the file") {
  const TempFolder folder(memory_folder());
  const Manifest manifest = make_model_folder(folder.path(), two_layers());
  CHECK_NOTHROW(manifest.verify(folder.path()));
  for (const FileRecord& record : manifest.files) {
    for (std::size_t at = 0; at < record.bytes; at += 37) {
      const Flipped flipped(folder / record.name, at, 0x10);
      REQUIRE_THROWS_WITH(manifest.verify(folder.path()), ContainsSubstring(record.name));
      if (record.is_weights() && at >= record.header_bytes)
        REQUIRE_NOTHROW(Manifest::open(folder.path()));
    }
    const Flipped flipped(folder / record.name, record.bytes - 1, 0x10);
    CHECK_THROWS_AS(manifest.verify(folder.path()), FormatError);
  }
}

TEST_CASE("what was copied in the place of a file of the folder is named") {
  const TempFolder folder(memory_folder());
  const Manifest manifest = make_model_folder(folder.path(), two_layers());
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n";
  for (const FileRecord& record : manifest.files) {
    const auto bytes = content(folder / record.name);
    for (const auto& [text, words] : std::vector<std::pair<std::string, std::string>>{
             {pointer, "a Git LFS pointer"},
             {"<html>", "a web page"},
             {std::string(record.bytes, '\0'), "zeros"}}) {
      put(folder / record.name, text);
      CHECK_THROWS_AS(Manifest::open(folder.path()), FormatError);
      CHECK_THROWS_WITH(manifest.verify(folder.path()),
                        ContainsSubstring(record.name) && ContainsSubstring(words));
    }
    put(folder / record.name, bytes);
  }
  put(folder / Manifest::kFileName, pointer);
  CHECK_THROWS_WITH(Manifest::open(folder.path()),
                    ContainsSubstring("expected a JSON file, got a Git LFS pointer"));
}

TEST_CASE("verify reports progress up to all bytes, and passes on what the observer throws") {
  const TempFolder folder(memory_folder());
  const Manifest manifest = make_model_folder(folder.path(), two_layers());
  std::uint64_t all = 0;
  for (const FileRecord& record : manifest.files) all += record.bytes;
  std::uint64_t last = 0;
  manifest.verify(folder.path(), [&](std::uint64_t done, std::uint64_t total) {
    REQUIRE(total == all);
    REQUIRE(done > last);
    last = done;
  });
  CHECK(last == all);
  CHECK_THROWS_AS(
      manifest.verify(folder.path(),
                      [](std::uint64_t, std::uint64_t) { throw std::logic_error("stop"); }),
      std::logic_error);
}

TEST_CASE("a file of another length or a missing one is an error that names it") {
  const TempFolder folder(memory_folder());
  const Manifest manifest = make_model_folder(folder.path(), two_layers());
  for (const FileRecord& record : manifest.files) {
    const auto path = folder / record.name;
    for (const std::uint64_t length : {record.bytes - 1, record.bytes + 1, std::uint64_t{0}}) {
      const auto bytes = content(path);
      std::filesystem::resize_file(path, length);
      CHECK_THROWS_AS(Manifest::open(folder.path()), FormatError);
      CHECK_THROWS_WITH(manifest.verify(folder.path()), ContainsSubstring(record.name));
      put(path, bytes);
    }
    std::filesystem::rename(path, folder / "away");
    CHECK_THROWS_AS(Manifest::open(folder.path()), IoError);
    std::filesystem::rename(folder / "away", path);
  }
  CHECK_NOTHROW(Manifest::open(folder.path()));
  std::filesystem::remove(folder / "flashlm.json");
  CHECK_THROWS_AS(Manifest::open(folder.path()), IoError);
}

TEST_CASE("a manifest whose fields are wrong is a FormatError even if its checksum fits") {
  const TempFolder folder(memory_folder());
  const Manifest manifest = make_model_folder(folder.path(), two_layers());
  using Json = nlohmann::ordered_json;
  CHECK_NOTHROW(Manifest::parse(changed(manifest, [](Json&) {}), "x"));
  for (const char* key : {"format", "format_version", "family", "graph", "tokens", "dtype",
                          "source", "files", "layers"}) {
    INFO(key);
    CHECK_THROWS_AS(Manifest::parse(changed(manifest, [&](Json& json) { json.erase(key); }), "x"),
                    FormatError);
    CHECK_THROWS_AS(
        Manifest::parse(changed(manifest, [&](Json& json) { json[key] = nullptr; }), "x"),
        FormatError);
  }
  const std::function<void(Json&)> changes[] = {
      [](Json& json) { json["format"] = "other"; },
      [](Json& json) { json["format_version"] = 1; },
      [](Json& json) { json["family"] = ""; },
      [](Json& json) { json["more"] = 1; },
      [](Json& json) { json["files"][0]["name"] = "../config.json"; },
      [](Json& json) { json["files"][0]["name"] = "a/b"; },
      [](Json& json) { json["files"][0]["name"] = ".."; },
      [](Json& json) { json["files"][0]["name"] = std::string("a\0b", 3); },
      [](Json& json) { json["files"][0]["name"] = "flashlm.json"; },
      [](Json& json) { json["files"][0]["name"] = json["files"][1]["name"]; },
      [](Json& json) { json["files"][0]["bytes"] = ~std::uint64_t{0}; },
      [](Json& json) { json["files"].push_back(1); },
      [](Json& json) { json["files"][3]["bytes"] = 5000; },
      [](Json& json) { json["layers"][0]["file"] = "none"; },
      [](Json& json) { json["layers"][0]["file"] = "config.json"; },
      [](Json& json) { json["layers"][0]["stride"] = 512; },
      [](Json& json) { json["layers"][0]["neurons"] = 1 << 20; },
      [](Json& json) { json["layers"][1] = "x"; }};
  for (std::size_t i = 0; i < std::size(changes); ++i) {
    INFO("change " << i);
    CHECK_THROWS_AS(Manifest::parse(changed(manifest, changes[i]), "x"), FormatError);
  }
}

TEST_CASE("a version from elsewhere says what to do") {
  const Manifest manifest = [] {
    Manifest result;
    result.family = "llama";
    result.dtype = "f16";
    return result;
  }();
  const auto refused = [&](int version, const char* hint) {
    const auto text =
        changed(manifest, [&](nlohmann::ordered_json& json) { json["format_version"] = version; });
    const std::string got = "expected 3 or 4, got " + std::to_string(version);
    CHECK_THROWS_WITH(Manifest::parse(text, "x"),
                      ContainsSubstring(got) && ContainsSubstring(hint));
  };
  refused(7, "update this one");
  refused(2, "flashlm info FOLDER");
  refused(1, "pack the model again");
}

TEST_CASE("a manifest that could not be opened is not saved") {
  const TempFolder folder(memory_folder());
  Manifest manifest = make_model_folder(folder.path(), two_layers());
  manifest.layers[0].file = "none";
  CHECK_THROWS_AS(manifest.save(folder.path()), FormatError);
  manifest.layers.clear();
  manifest.source = Json();
  manifest.source.open(JsonKind::object);
  manifest.source.key("bad").add("\xff");
  manifest.source.close();
  CHECK_THROWS_AS(manifest.save(folder.path()), FormatError);
  CHECK_NOTHROW(Manifest::open(folder.path()));
}
