// SPDX-License-Identifier: Apache-2.0
/// papers_options_test.cpp: the environment's say in hosts, token, cache and network.
#include "flashlm/tools/papers/papers_options.hpp"

#include <cstdlib>
#include <initializer_list>
#include <string>
#include <utility>

#include "support/catch.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using flashlm::tools::PapersOptions;

namespace {

/// The options of an environment with these variables and none of the others that count.
PapersOptions options_of(std::initializer_list<std::pair<const char*, std::string>> variables) {
  for (const char* name :
       {"HF_ENDPOINT", "ARXIV_ENDPOINT", "HF_TOKEN", "HF_TOKEN_PATH",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HOME", "HF_ASSETS_CACHE", "XDG_CACHE_HOME",
        "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DOWNLOAD_TIMEOUT"}) {
    ::unsetenv(name);
  }
  ::setenv("HOME", "/nobody", 1);
  for (const auto& [name, value] : variables) ::setenv(name, value.c_str(), 1);
  return PapersOptions::from_environment();
}

}  // namespace

TEST_CASE("Without variables the public hosts are asked") {
  const PapersOptions options = options_of({});
  CHECK(options.hub == "https://huggingface.co");
  CHECK(options.arxiv == "https://export.arxiv.org");
  CHECK(options.cache == "/nobody/.cache/huggingface/assets/flashlm/papers");
  CHECK(options.token.empty());
  CHECK_FALSE(options.offline);
  CHECK(options.arxiv_interval_seconds == 3);
}

TEST_CASE("Variables choose hosts and folders") {
  CHECK(options_of({{"HF_ENDPOINT", "http://127.0.0.1:1/"}}).hub == "http://127.0.0.1:1");
  CHECK(options_of({{"ARXIV_ENDPOINT", "http://127.0.0.1:2//"}}).arxiv == "http://127.0.0.1:2");
  CHECK(options_of({{"HF_HOME", "/hf"}}).cache == "/hf/assets/flashlm/papers");
  CHECK(options_of({{"HF_HOME", "~/hf"}}).cache == "/nobody/hf/assets/flashlm/papers");
  CHECK(options_of({{"XDG_CACHE_HOME", "/xdg"}}).cache == "/xdg/huggingface/assets/flashlm/papers");
  CHECK(options_of({{"HF_HOME", "/hf"}, {"HF_ASSETS_CACHE", "/a"}}).cache == "/a/flashlm/papers");
  CHECK(options_of({{"HF_HUB_DOWNLOAD_TIMEOUT", "7"}}).http.stall_seconds == 7);
  CHECK(options_of({{"HF_HUB_DOWNLOAD_TIMEOUT", "soon"}}).http.stall_seconds ==
        PapersOptions().http.stall_seconds);
}

TEST_CASE("Offline is what the hub's library takes for it") {
  for (const char* yes : {"1", "ON", "yes", "True"})
    CHECK(options_of({{"HF_HUB_OFFLINE", yes}}).offline);
  for (const char* no : {"0", "", "off", "2"})
    CHECK_FALSE(options_of({{"HF_HUB_OFFLINE", no}}).offline);
  CHECK(options_of({{"TRANSFORMERS_OFFLINE", "1"}}).offline);
}

TEST_CASE("A token comes from the variable, or from the file that the hub's library writes") {
  const support::TempFolder folder;
  const std::string home = folder.path().string();
  support::put(folder / "token", std::string("from-home\n"));
  support::put(folder / "other", std::string("  from-path\r\n"));
  CHECK(options_of({{"HF_HOME", home}}).token == "from-home");
  CHECK(options_of({{"HF_HOME", home}, {"HF_TOKEN_PATH", home + "/other"}}).token == "from-path");
  CHECK(options_of({{"HF_HOME", home}, {"HF_TOKEN", " given\n"}}).token == "given");
  CHECK(options_of({{"HF_HOME", home}, {"HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"}}).token.empty());
  CHECK(options_of({{"HF_HOME", home}, {"HF_TOKEN_PATH", home + "/missing"}}).token.empty());
  options_of({});
}
