// SPDX-License-Identifier: Apache-2.0
/// normalizer.ipp: the bodies of normalizer.hpp.
#pragma once

#include "flashlm/text/tokenizer/normalizer.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <unordered_map>
#include <utility>

#include "flashlm/text/unicode/unicode.hpp"
#include "flashlm/text/unicode/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

namespace detail {

#include "flashlm/text/tokenizer/normalization_tables.inc"

// Hangul (The Unicode Standard, 3.12): syllables of a leading consonant, a vowel, and possibly a
// trailing consonant.
inline constexpr char32_t kSyllables = 0xac00, kLeads = 0x1100, kVowels = 0x1161, kTrails = 0x11a7;
inline constexpr char32_t kVowelCount = 21, kTrailCount = 28, kLeadCount = 19;
inline constexpr char32_t kSyllableCount = kLeadCount * kVowelCount * kTrailCount;
inline constexpr char32_t kCodeMask = 0x1fffff;

/// The combining class: 0 for what stands by itself.
constexpr unsigned combining_class(char32_t code) noexcept {
  std::size_t low = 0;
  std::size_t high = std::size(kCombining);
  while (high - low > 1) {
    const std::size_t middle = (low + high) / 2;
    (kCombining[middle] >> 8 <= code ? low : high) = middle;
  }
  return kCombining[low] & 255;
}

/// A step of the canonical decomposition: one or two characters; 0 and 0 if there is none.
constexpr std::pair<char32_t, char32_t> decomposition(char32_t code) noexcept {
  std::size_t low = 0;
  std::size_t high = std::size(kDecompositions);
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const auto at = static_cast<char32_t>(kDecompositions[middle] >> 42 & kCodeMask);
    if (at == code) {
      return {static_cast<char32_t>(kDecompositions[middle] >> 21 & kCodeMask),
              static_cast<char32_t>(kDecompositions[middle] & kCodeMask)};
    }
    (at < code ? low : high) = at < code ? middle + 1 : middle;
  }
  return {0, 0};
}

/// From first * 2^21 + second to the character that NFC makes of both.
FLASHLM_INLINE const std::unordered_map<std::uint64_t, char32_t>& compositions() {
  static const auto map = [] {
    std::unordered_map<std::uint64_t, char32_t> pairs;
    for (const std::uint64_t cell : kDecompositions) {
      if (cell >> 63) {
        pairs.emplace(cell & ((std::uint64_t{1} << 42) - 1),
                      static_cast<char32_t>(cell >> 42 & kCodeMask));
      }
    }
    return pairs;
  }();
  return map;
}

/// What `first` and `second` join to; 0 if they do not.
FLASHLM_INLINE char32_t composed(char32_t first, char32_t second) {
  if (first - kLeads < kLeadCount && second - kVowels < kVowelCount) {
    return kSyllables + ((first - kLeads) * kVowelCount + second - kVowels) * kTrailCount;
  }
  const bool open = first - kSyllables < kSyllableCount && (first - kSyllables) % kTrailCount == 0;
  if (open && second - kTrails - 1 < kTrailCount - 1) return first + second - kTrails;
  const auto found = compositions().find((std::uint64_t{first} << 21) + second);
  return found == compositions().end() ? 0 : found->second;
}

FLASHLM_INLINE void decompose(char32_t code, std::u32string& out) {
  if (code - kSyllables < kSyllableCount) {
    const char32_t index = code - kSyllables;
    out += kLeads + index / (kVowelCount * kTrailCount);
    out += kVowels + index / kTrailCount % kVowelCount;
    if (index % kTrailCount != 0) out += kTrails + index % kTrailCount;
    return;
  }
  const auto [first, second] = decomposition(code);
  if (first == 0) {
    out += code;
    return;
  }
  decompose(first, out);
  if (second != 0) decompose(second, out);
}

/// False only for characters that NFC leaves alone wherever they stand.
FLASHLM_INLINE bool may_change(char32_t code) {
  if (code < 0x300) return false;
  const bool joins = code - kVowels < kVowelCount || code - kTrails < kTrailCount;
  if (joins || combining_class(code) != 0) return true;
  const auto [first, second] = decomposition(code);
  if (first != 0) return composed(first, second) != code;
  // The second of a pair that joins although it stands by itself, such as Bengali's vowel sign AA.
  static const auto seconds = [] {
    std::vector<char32_t> all;
    for (const auto& [pair, code_of_both] : compositions()) {
      all.push_back(static_cast<char32_t>(pair & kCodeMask));
    }
    std::sort(all.begin(), all.end());
    return all;
  }();
  return std::binary_search(seconds.begin(), seconds.end(), code);
}

/// Sorts marks by their class; those of one class keep their order.
FLASHLM_INLINE void order_marks(std::u32string& codes) {
  const auto is_mark = [](char32_t code) { return combining_class(code) != 0; };
  for (auto begin = codes.begin(); begin != codes.end();) {
    begin = std::find_if(begin, codes.end(), is_mark);
    const auto end = std::find_if_not(begin, codes.end(), is_mark);
    std::stable_sort(
        begin, end, [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
}

/// Joins each character with the last that stands by itself, unless one between them, of its class
/// or a higher one, blocks it.
FLASHLM_INLINE std::u32string joined(const std::u32string& codes) {
  std::u32string out;
  std::size_t starter = std::u32string::npos;
  unsigned last = 0;  // the class of what stands before, 0 right behind the starter
  for (const char32_t code : codes) {
    const unsigned of_code = combining_class(code);
    const bool adjacent = starter != std::u32string::npos && starter + 1 == out.size();
    if (starter != std::u32string::npos && (adjacent || (last < of_code && last != 0))) {
      if (const char32_t both = composed(out[starter], code)) {
        out[starter] = both;
        continue;
      }
    }
    if (of_code == 0) starter = out.size();
    last = of_code;
    out += code;
  }
  return out;
}

}  // namespace detail

FLASHLM_INLINE std::string nfc(std::string_view text) {
  std::string out;
  std::u32string codes;
  std::size_t written = 0;   // bytes of `text` that are in `out`
  std::size_t boundary = 0;  // the last character that nothing before it joins
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text.substr(at));
    if (!detail::may_change(step.code)) {
      boundary = at;
      at += step.length;
      continue;
    }
    // From the character before to the next one that stays: a stretch by itself.
    out.append(text.substr(written, boundary - written));
    codes.clear();
    for (at = boundary; at < text.size();) {
      const Utf8Step next = utf8_step(text.substr(at));
      if (at != boundary && !detail::may_change(next.code)) break;
      detail::decompose(next.code, codes);
      at += next.length;
    }
    detail::order_marks(codes);
    for (const char32_t code : detail::joined(codes)) append_utf8(out, code);
    written = boundary = at;
  }
  return out.append(text.substr(written));
}

FLASHLM_INLINE std::string replaced(std::string_view text, std::string_view from,
                                    std::string_view to) {
  std::string out;
  std::size_t done = 0;
  for (std::size_t found = text.find(from); found != std::string_view::npos;
       found = text.find(from, done)) {
    out.append(text.substr(done, found - done)).append(to);
    done = found + from.size();
  }
  return out.append(text.substr(done));
}

FLASHLM_ONCE Normalizer Normalizer::parse(const storage::JsonField& field) {
  Normalizer result;
  if (!field.is_null()) result.add(field, 0);
  return result;
}

FLASHLM_ONCE void Normalizer::add(const storage::JsonField& field, int depth) {
  if (depth > 8) field.wrong("at most 8 Sequences inside each other");
  const std::string& type = field["type"].string();
  if (type == "Sequence") {
    field["normalizers"].elements([&](const storage::JsonField& part) { add(part, depth + 1); });
  } else if (type == "NFC") {
    steps_.push_back({Step::Kind::nfc});
  } else if (type == "Prepend") {
    steps_.push_back({Step::Kind::prepend, {}, field["prepend"].word()});
  } else if (type == "Replace") {
    const storage::JsonField pattern = field["pattern"];
    if (pattern["String"].is_null()) pattern.wrong("a String");
    steps_.push_back(
        {Step::Kind::replace, pattern["String"].word(), std::string(field["content"].string())});
  } else if (type == "Strip") {
    steps_.push_back({Step::Kind::strip,
                      {},
                      {},
                      field["strip_left"].flag(true),
                      field["strip_right"].flag(true)});
  } else {
    field["type"].wrong("NFC, Prepend, Replace, Strip or Sequence");
  }
}

FLASHLM_INLINE std::string Normalizer::run(std::string_view text) const {
  std::string result(text);
  for (const Step& step : steps_) {
    switch (step.kind) {
      case Step::Kind::nfc: result = nfc(result); break;
      case Step::Kind::prepend:
        if (!result.empty()) result.insert(0, step.to);
        break;
      case Step::Kind::replace: result = replaced(result, step.from, step.to); break;
      case Step::Kind::strip: {
        std::string_view rest = result;
        while (step.left && !rest.empty() && is_space(utf8_step(rest).code)) {
          rest.remove_prefix(utf8_step(rest).length);
        }
        while (step.right && !rest.empty()) {
          std::size_t last = rest.size() - 1;
          while (last > 0 && (static_cast<unsigned char>(rest[last]) & 0xc0) == 0x80) --last;
          if (!is_space(utf8_step(rest.substr(last)).code)) break;
          rest = rest.substr(0, last);
        }
        result = std::string(rest);
        break;
      }
    }
  }
  return result;
}

}  // namespace flashlm::inline FLASHLM_ABI::text
