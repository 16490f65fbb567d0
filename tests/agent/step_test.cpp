// SPDX-License-Identifier: Apache-2.0
#include "flashlm/agent/step.hpp"

#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"
#include "support/json.hpp"

using namespace flashlm::agent;
using json = nlohmann::ordered_json;

namespace {

std::vector<Step> steps() {
  Step called{.number = 1,
              .output = "{...}",
              .thought = "Count.",
              .action = {},
              .output_tokens = 7,
              .seconds = 0.25};
  called.action =
      CallTools{{{"call_1_1", "add", {{"a", 1}}}, {"call_1_2", "fail", json::object()}}};
  called.observations = {{"call_1_1", "add", "3", false}, {"call_1_2", "fail", "no", true}};
  Step broken{.number = 2, .output = "hm", .action = Malformed{"there is no tool call in it"}};
  Step ended{.number = 3, .output = "x", .action = FinalAnswer{"3"}};
  return {called, broken, ended};
}

Step read(const json& saved) {
  const flashlm::storage::Json document = support::read_json(saved);
  return read_step(flashlm::storage::JsonField(document, "agent", "test"));
}

}  // namespace

TEST_CASE("a step comes back from its JSON") {
  for (const Step& step : steps()) {
    const json written = json::parse(to_json(step).dump());
    CHECK(read(written) == step);
  }
}

TEST_CASE("a step is printed line by line") {
  CHECK(to_string(steps()[0]) ==
        "Step 1\n  Thought: Count.\n  Action: add {\"a\":1}\n  Observation: 3\n  Action: fail {}\n "
        " Error: no\n");
  CHECK(to_string(steps()[1]) == "Step 2\n  Malformed: there is no tool call in it\n");
  CHECK(to_string(steps()[2]) == "Step 3\n  Answer: 3\n");
}

TEST_CASE("JSON that is no step is a FormatError") {
  const json good = to_json(steps()[0]);
  for (auto each = good.begin(); each != good.end(); ++each) {
    json broken = good;
    broken.erase(each.key());
    CHECK_THROWS_AS(read(broken), flashlm::FormatError);
    broken = good;
    broken[each.key()] = true;
    CHECK_THROWS_AS(read(broken), flashlm::FormatError);
  }
}
