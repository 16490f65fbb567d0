// SPDX-License-Identifier: Apache-2.0
/// json_schema_objects.hpp: the rules of objects that meet a JSON schema.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flashlm/text/grammar/automaton/pattern_states.hpp"
#include "flashlm/text/grammar/schema/json_schema_context.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Builds the rule of objects that meet some parts, which are flat.
class JsonSchemaObjects {
 public:
  using Node = GrammarRules::Node;
  using Json = JsonSchemaView::Json;
  using Place = JsonSchemaPlace;
  using Part = JsonSchemaPart;
  using Parts = JsonSchemaParts;

  JsonSchemaObjects(JsonSchemaContext& context, const Parts& parts)
      : context_(&context), parts_(&parts) {}

  /// The rule, which ends with the object.
  Node rule();

 private:
  struct Property {
    std::string name;
    Parts parts;
    bool required = false;
  };

  static constexpr std::uint64_t kNoLimit = GrammarRules::kNoLimit;
  static constexpr std::uint64_t kMostCounted = 64;

  const JsonSchemaView& view() const { return context_->view; }
  GrammarRules& rules() const { return context_->rules; }

  /// What may follow '{': the properties in their order, then others.
  Node after_properties(const std::optional<Node>& other, std::uint64_t least, std::uint64_t most);

  /// The properties with names that the schema says. False if a required one cannot be.
  bool read_properties();

  bool may_be_named(const std::string& name);

  /// What the property of that name meets.
  Parts parts_of(const std::string& name);

  /// The rule of a property with another name; nothing if there may be none.
  std::optional<Node> other_pair();

  /// Adds the pair whose name has `pattern` and no other of `patterns`; none of them if it is null.
  void add_others(const std::string* pattern, const std::vector<std::string>& patterns,
                  std::vector<Node>& ways);

  /// The names that propertyNames allows; nothing if it is absent.
  std::optional<PatternStates> names_of_schema();

  JsonSchemaContext* context_;
  const Parts* parts_;
  std::vector<Property> properties_;
  std::vector<std::string> taken_;  // all names of the schema
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/schema/json_schema_objects.ipp"
#endif
