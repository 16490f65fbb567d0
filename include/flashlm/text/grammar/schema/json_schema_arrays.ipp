// SPDX-License-Identifier: Apache-2.0
/// json_schema_arrays.ipp: the bodies of json_schema_arrays.hpp.
#pragma once

#include "flashlm/text/grammar/schema/json_schema_arrays.hpp"

#include <algorithm>
#include <utility>

#include "flashlm/text/grammar/json/json_value.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE JsonSchemaArrays::Node JsonSchemaArrays::rule() {
  std::uint64_t least = 0;
  std::uint64_t most = kNoLimit;
  std::uint64_t n_first = 0;
  bool speaks_of_more = false;
  const Part* unique = nullptr;
  for (const Part& part : *parts_) {
    least = std::max(least, view().count(part.place, "minItems", 0));
    most = std::min(most, view().count(part.place, "maxItems", kNoLimit));
    n_first = std::max<std::uint64_t>(n_first, first(part.place).size());
    speaks_of_more = speaks_of_more || rest(part.place);
    if (view().flag(part.place, kJsonSchemaUnique)) unique = &part;
  }
  // A tuple ends with its last position, unless something speaks of more.
  if (n_first > 0 && !speaks_of_more && least <= n_first) most = std::min(most, n_first);
  if (least > most) return context_->json.nothing();
  if (unique != nullptr && most > 1) return unique_items(unique->place, n_first, least, most);
  const Node more = context_->rule_of(item(n_first));
  if (n_first == 0) return context_->json.array(more, least, most, JsonRules::end());
  return tuple(more, n_first, least, most);
}

FLASHLM_INLINE bool JsonSchemaArrays::is_list(const Place& place) const {  // before draft 2020-12
  const Json* items = view().find(place, "items");
  return items != nullptr && items->is_array();
}

FLASHLM_INLINE std::vector<JsonSchemaArrays::Place> JsonSchemaArrays::first(
    const Place& place) const {
  if (is_list(place)) return view().elements(place, "items");
  return view().find(place, "prefixItems") == nullptr ? std::vector<Place>()
                                                      : view().elements(place, "prefixItems");
}

FLASHLM_INLINE std::optional<JsonSchemaArrays::Place> JsonSchemaArrays::rest(
    const Place& place) const {
  const char* keyword = is_list(place) ? "additionalItems" : "items";
  if (view().find(place, keyword) == nullptr) return std::nullopt;
  return view().at(place, keyword);
}

FLASHLM_INLINE JsonSchemaArrays::Parts JsonSchemaArrays::item(std::uint64_t position) const {
  Parts result;
  for (const Part& part : *parts_) {
    const std::vector<Place> places = first(part.place);
    const std::optional<Place> more = rest(part.place);
    if (position < places.size()) {
      result.push_back({places[position], 0, {}});
    } else if (more) {
      result.push_back({*more, 0, {}});
    }
  }
  return result;
}

FLASHLM_INLINE JsonSchemaArrays::Node JsonSchemaArrays::tuple(Node more, std::uint64_t n_first,
                                                              std::uint64_t least,
                                                              std::uint64_t most) {
  const Node close = rules().literal("]", JsonRules::end());
  // What may follow when `done` items stand there, from the last to none.
  Node rest = context_->json.more_items(
      more, least > n_first ? least - n_first : 0,
      most == kNoLimit ? kNoLimit : (most > n_first ? most - n_first : 0), close);
  if (most < n_first) rest = context_->json.nothing();
  for (std::uint64_t done = n_first; done-- > 0;) {
    std::vector<Node> ways;
    if (done < most) {
      const Node item_node = rules().call(context_->rule_of(item(done)), rest);
      ways.push_back(done == 0 ? item_node : rules().literal(", ", item_node));
    }
    if (done >= least && done <= most) ways.push_back(close);
    rest = rules().either(ways);
  }
  return rules().literal("[", rest);
}

FLASHLM_INLINE JsonSchemaArrays::Node JsonSchemaArrays::unique_items(const Place& place,
                                                                     std::uint64_t n_first,
                                                                     std::uint64_t least,
                                                                     std::uint64_t most) {
  if (n_first > 0)
    view().unsupported(place, kJsonSchemaUnique, "beside positions with schemas of their own");
  const std::vector<std::string> texts = listed_texts(place);
  if (texts.size() > kMostUnique)
    view().unsupported(place, kJsonSchemaUnique, "its items are too many");
  Node start = 0;
  if (texts.size() <= kMostInAnyOrder) {
    std::map<std::size_t, Node> known;
    start = unique_after(texts, 0, 0, least, most, known);
  } else {
    start = unique_in_order(texts, least, most);
  }
  return rules().literal("[", start);
}

FLASHLM_INLINE std::vector<std::string> JsonSchemaArrays::listed_texts(const Place& place) {
  std::vector<std::string> texts;
  const std::optional<Parts> parts = context_->splitter.flat(item(0));
  if (!parts) return texts;
  const std::optional<std::vector<Place>> values = context_->listed(*parts);
  if (!values)
    view().unsupported(place, kJsonSchemaUnique, "expected items that enum or const lists");
  for (std::size_t index = 0; index < values->size(); ++index) {
    const bool is_known = std::any_of(
        values->begin(), values->begin() + static_cast<std::ptrdiff_t>(index),
        [&](const Place& one) { return same_value(*one.json, *(*values)[index].json); });
    if (!is_known) texts.push_back(view().spelled((*values)[index]));
  }
  return texts;
}

FLASHLM_INLINE JsonSchemaArrays::Node JsonSchemaArrays::unique_after(
    const std::vector<std::string>& texts, std::size_t used, std::uint64_t done,
    std::uint64_t least, std::uint64_t most, std::map<std::size_t, Node>& known) {
  const auto found = known.find(used);
  if (found != known.end()) return found->second;
  std::vector<Node> ways;
  if (done >= least) ways.push_back(rules().literal("]", JsonRules::end()));
  for (std::size_t index = 0; index < texts.size() && done < most; ++index) {
    if ((used >> index & 1) != 0) continue;
    const Node after =
        unique_after(texts, used | std::size_t{1} << index, done + 1, least, most, known);
    ways.push_back(rules().literal((done > 0 ? ", " : "") + texts[index], after));
  }
  return known[used] = rules().either(ways);
}

FLASHLM_INLINE JsonSchemaArrays::Node JsonSchemaArrays::unique_in_order(
    const std::vector<std::string>& texts, std::uint64_t least, std::uint64_t most) {
  const std::uint64_t counted =
      std::min<std::uint64_t>(std::max(least, most == kNoLimit ? 1 : most), texts.size());
  const Node close = rules().literal("]", JsonRules::end());
  // [items so far, at most `counted`]: what may follow when the texts before `index` are passed.
  std::vector<Node> after(counted + 1);
  for (std::uint64_t done = 0; done <= counted; ++done) {
    after[done] = done >= least && done <= most ? close : context_->json.nothing();
  }
  for (std::size_t index = texts.size(); index-- > 0;) {
    std::vector<Node> here(counted + 1);
    for (std::uint64_t done = 0; done <= counted; ++done) {
      const std::uint64_t more = std::min(done + 1, counted);
      here[done] = after[done];
      if (done < most) {
        here[done] = rules().either(
            {after[done], rules().literal((done > 0 ? ", " : "") + texts[index], after[more])});
      }
    }
    after = std::move(here);
  }
  return after[0];
}

}  // namespace flashlm::inline FLASHLM_ABI::text
