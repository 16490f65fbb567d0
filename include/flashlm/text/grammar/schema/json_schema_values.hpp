// SPDX-License-Identifier: Apache-2.0
/// json_schema_values.hpp: whether a value meets a JSON schema.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "flashlm/text/grammar/automaton/pattern_states.hpp"
#include "flashlm/text/grammar/schema/json_schema_view.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Patterns as automata, each built once. What cannot be built is remembered by its problem.
class JsonPatterns {
 public:
  /// Throws FormatError as PatternStates does.
  const PatternStates& states(const std::string& pattern, PatternReading reading);

  /// Whether a pattern is found in a text; nothing if readers differ, or the pattern is not known.
  std::optional<bool> found(const std::string& pattern, const std::string& text);

 private:
  std::map<std::pair<std::string, PatternReading>,
           std::pair<std::unique_ptr<PatternStates>, std::string>>
      known_;
};

/// Judges values by a schema, as draft 2020-12 reads it; in older words where the schema is in
/// them.
class JsonSchemaValues {
 public:
  using View = JsonSchemaView;
  using Json = View::Json;
  using Place = View::Place;
  using Answer = std::optional<bool>;  // nothing: not known

  JsonSchemaValues(const View& view, JsonPatterns& patterns) : view_(&view), patterns_(&patterns) {}

  /// Whether `value` meets the schema at `place`, but for the keyword `known`, which it does.
  Answer meets(const Json& value, const Place& place, std::string_view known = {});

  /// The keyword for which it is not known whether `value` meets the schema.
  std::string unknown(const Json& value, const Place& place);

 private:
  static constexpr int kDeepest = 64;
  static constexpr std::size_t kMostSteps = 100'000;       // of one value
  static constexpr std::size_t kMostAllSteps = 4'000'000;  // of all values of a schema

  static Answer both(Answer left, Answer right);
  static Answer inverse(Answer answer) { return answer ? Answer(!*answer) : std::nullopt; }

  Answer judge(const Json& value, const Place& place, int depth);

  Answer referred(const Json& value, const Place& place, int depth);

  Answer word(const Json& value, const Place& place, const std::string& key, int depth);

  Answer composed(const Json& value, const Place& place, const std::string& key, int depth);

  Answer number(const Json& value, const Place& place, const std::string& key);

  Answer string(const std::string& text, const Place& place, const std::string& key);

  Answer array(const Json& value, const Place& place, const std::string& key, int depth);

  Answer object(const Json& value, const Place& place, const std::string& key, int depth);

  const View* view_;
  JsonPatterns* patterns_;
  const Json* whole_ = nullptr;  // the value that is asked about
  std::string_view known_;
  std::map<const Json*, Answer> judged_;  // by schema, for all of it
  std::size_t steps_ = 0;
  std::size_t all_steps_ = 0;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/schema/json_schema_values.ipp"
#endif
