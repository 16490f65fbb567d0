// SPDX-License-Identifier: Apache-2.0
/// json_schema_arrays.hpp: the rules of arrays that meet a JSON schema.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "flashlm/text/grammar/schema/json_schema_context.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Builds the rule of arrays that meet some parts, which are flat.
class JsonSchemaArrays {
 public:
  using Node = GrammarRules::Node;
  using Json = JsonSchemaView::Json;
  using Place = JsonSchemaPlace;
  using Part = JsonSchemaPart;
  using Parts = JsonSchemaParts;

  JsonSchemaArrays(JsonSchemaContext& context, const Parts& parts)
      : context_(&context), parts_(&parts) {}

  /// The rule, which ends with the array.
  Node rule();

 private:
  static constexpr std::uint64_t kNoLimit = GrammarRules::kNoLimit;
  static constexpr std::size_t kMostInAnyOrder = 7;
  static constexpr std::size_t kMostUnique = 256;

  const JsonSchemaView& view() const { return context_->view; }
  GrammarRules& rules() const { return context_->rules; }

  bool is_list(const Place& place) const;

  /// The schemas of the first positions.
  std::vector<Place> first(const Place& place) const;

  /// The schema of the positions behind them.
  std::optional<Place> rest(const Place& place) const;

  /// What the item at a position meets.
  Parts item(std::uint64_t position) const;

  Node tuple(Node more, std::uint64_t n_first, std::uint64_t least, std::uint64_t most);

  /// Items that differ, among values that are listed: of few in any order, of many in the order of
  /// the list.
  Node unique_items(const Place& place, std::uint64_t n_first, std::uint64_t least,
                    std::uint64_t most);

  std::vector<std::string> listed_texts(const Place& place);

  /// `used`: a bit for each text that stands there.
  Node unique_after(const std::vector<std::string>& texts, std::size_t used, std::uint64_t done,
                    std::uint64_t least, std::uint64_t most, std::map<std::size_t, Node>& known);

  Node unique_in_order(const std::vector<std::string>& texts, std::uint64_t least,
                       std::uint64_t most);

  JsonSchemaContext* context_;
  const Parts* parts_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/schema/json_schema_arrays.ipp"
#endif
