// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/graph/read_work.hpp"

#include <string>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::model;

namespace {

/// What is said of a part.
std::string refusal(const std::string& text) {
  try {
    const storage::Json json = storage::parse_json(text, "graph", "a/flashlm.json");
    PartSpec part;
    model::detail::read_work(storage::JsonField(json, "graph", "a/flashlm.json"), part);
    return "none";
  } catch (const FormatError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("a part says what it does in one field", "[read_work]") {
  const std::string ffn = R"("ffn": {"hidden": 8, "gated": true, "activation": "silu"})";
  CHECK(refusal(R"({"does": "ffn", )" + ffn + "}") == "none");
  CHECK(refusal(R"({"does": "experts", )" + ffn + "}").find("experts") != std::string::npos);
  CHECK(refusal(R"({"does": "delta", )" + ffn + "}").find("is not for a part that does delta") !=
        std::string::npos);
  CHECK(refusal(R"({"does": "dream"})").find("attention, ffn, experts") != std::string::npos);
}
