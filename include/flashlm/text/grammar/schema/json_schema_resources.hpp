// SPDX-License-Identifier: Apache-2.0
/// json_schema_resources.hpp: the parts of a JSON schema that have a name of their own, `$id` or
/// `$anchor`.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// A value in a schema and its JSON pointer (RFC 6901). `resource`: the part with an `$id` that it
/// belongs to, from where its references count; 0 is the whole schema.
struct JsonSchemaPlace {
  const nlohmann::ordered_json* json = nullptr;
  std::string pointer;
  int depth = 0;
  std::size_t resource = 0;
};

/// A pointer with one more key.
std::string json_pointer(const std::string& pointer, std::string_view key);

/// The parts of a schema with names. Values that are data, such as those of `enum`, are not looked
/// into.
class JsonSchemaResources {
 public:
  using Json = nlohmann::ordered_json;
  using Place = JsonSchemaPlace;

  /// `id`: the keyword that names a part. Throws FormatError for a schema that is nested too deep.
  JsonSchemaResources(const Json& root, const char* id);

  /// Where a part begins: its number, or `otherwise` if `json` is no such beginning.
  std::size_t of(const Json& json, std::size_t otherwise) const;

  const Place& place(std::size_t resource) const { return resources_[resource].first; }

  /// The part that `from` calls `uri`; the number of parts if there is none.
  std::size_t find(std::string_view uri, std::size_t from) const;
  std::size_t size() const noexcept { return resources_.size(); }

  /// The place with an anchor; null if there is none.
  const Place* anchor(std::size_t resource, const std::string& name) const;

 private:
  struct Waiting {
    Place place;
    bool is_schema;  // else its members are schemas, and their keys are names
  };

  static constexpr int kDeepest = 256;

  static bool holds_data(std::string_view key);
  static bool holds_named(std::string_view key);

  std::size_t add(Place place, std::string uri);

  void read_names(Place& place, const char* id);

  std::vector<std::pair<Place, std::string>>
      resources_;  // and how their `$id` is written, without '#'
  std::map<const Json*, std::size_t> by_json_;
  std::map<std::pair<std::size_t, std::string>, Place> anchors_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/schema/json_schema_resources.ipp"
#endif
