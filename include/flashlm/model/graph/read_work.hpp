// SPDX-License-Identifier: Apache-2.0
/// read_work.hpp: what a part of a layer does, and the numbers and norms of a graph, read strictly
/// for read_spec.hpp.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/model/graph/spec.hpp"
#include "flashlm/storage/format/json.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

namespace detail {

using storage::JsonField;

/// What a part does, from the one field that says it. All of these throw FormatError that names the
/// field.
void read_work(const JsonField& fields, PartSpec& part);

/// A size; the product of two fits into 63 bits.
std::size_t read_size(const JsonField& field);

/// A number above 0 that fits into float32.
float read_positive(const JsonField& field);
float read_positive(const JsonField& field, float fallback);

NormSpec read_norm(const JsonField& fields);
std::optional<NormSpec> read_optional_norm(const JsonField& fields);

/// One of some words, each with what it stands for.
template <class Value, std::size_t N>
Value read_word(const JsonField& field, const std::pair<std::string_view, Value> (&words)[N]) {
  const std::string& text = field.string();
  std::string known;
  for (std::size_t at = 0; at < N; ++at) {
    if (text == words[at].first) return words[at].second;
    known += concat(at == 0 ? "" : at + 1 == N ? " or " : ", ", words[at].first);
  }
  field.wrong(known);
}

}  // namespace detail

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/graph/read_work.ipp"
#endif
