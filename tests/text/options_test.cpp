// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/options.hpp"

#include <set>
#include <string>
#include <type_traits>

#include "flashlm/model/plan/engine_options.hpp"
#include "flashlm/text/generation/generation.hpp"
#include "flashlm/text/language_model.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::text;

TEST_CASE("every option has a name of its own and says what it is for") {
  std::set<std::string_view> names;
  const auto look = [&](const auto& option) {
    CAPTURE(option.name);
    CHECK(names.insert(option.name).second);
    CHECK(option.doc.ends_with('.'));
    CHECK(option.least <= option.most);
  };
  visit_options(kOpeningOptions, look);
  visit_options(kGenerationOptions, look);
  CHECK(names.size() == 16 + 12);
}

TEST_CASE("what nobody says is allowed, and a table's options are members of the structs") {
  const LanguageModelOptions opening;
  CHECK_NOTHROW(check_options(kOpeningOptions, opening, "test"));
  CHECK(std::get<0>(kOpeningOptions).of(opening) == "auto");
  GenerationOptions generation;
  visit_options(kGenerationOptions, [&](const auto& option) {
    if constexpr (std::is_same_v<decltype(option.of(generation)), float&>) {
      if (option.name == "min_p") option.of(generation) = 0.5f;
    }
  });
  CHECK(generation.min_p == 0.5f);
}

TEST_CASE("a word that is none and a number outside its range are refused with what would do") {
  LanguageModelOptions options;
  options.selector = "router";
  CHECK_THROWS_WITH(
      check_options(kOpeningOptions, options, "here"),
      "[here] selector: expected auto, dense, predictor, gate or threshold, got 'router'");
  options = {};
  options.parallel = 0;
  CHECK_THROWS_WITH(check_options(kOpeningOptions, options, "here"),
                    "[here] parallel: expected 1 to 2147483647, got 0");
  options = {};
  options.n_threads = -1;
  CHECK_THROWS_WITH(check_options(kOpeningOptions, options, "here"),
                    "[here] threads: expected 1 to 1024, got -1");
  for (const char* reader : {"tape", "", "auto, threads", "thread"}) {
    options = {};
    options.reader = reader;
    CHECK_THROWS_AS(check_options(kOpeningOptions, options, "here"), ArgumentError);
  }
}

TEST_CASE("words are listed as people list them") {
  CHECK(listed("auto, threads, uring") == "auto, threads or uring");
  CHECK(listed("auto") == "auto");
  CHECK(is_word("uring", "auto, threads, uring"));
  CHECK_FALSE(is_word("ring", "auto, threads, uring"));
}
