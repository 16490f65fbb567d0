// SPDX-License-Identifier: Apache-2.0
/// paper.ipp: the bodies of paper.hpp.
#pragma once

#include "flashlm/tools/papers/paper.hpp"

#include <optional>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/tools/papers/paper_id.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

FLASHLM_INLINE nlohmann::ordered_json Paper::to_json() const {
  return {{"id", id},
          {"title", title},
          {"url", url()},
          {"hub_url", hub_url()},
          {"authors", authors},
          {"summary", summary},
          {"ai_summary", ai_summary},
          {"keywords", keywords},
          {"upvotes", upvotes},
          {"comments", comments},
          {"published", published},
          {"daily", daily}};
}

namespace detail {

/// Reads what `/api/daily_papers`, `/api/papers/search` and `/api/papers/ID` answer.
class PaperReader {
 public:
  explicit PaperReader(std::string_view source) : source_(source) {}

  nlohmann::json parse(std::string_view text) const {
    constexpr int kDeepest = 64;
    const auto check = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
      if (depth > kDeepest) wrong(concat("at most ", kDeepest, " levels"), "more");
      return true;
    };
    try {
      return nlohmann::json::parse(text, check);
    } catch (const nlohmann::json::exception&) {
      std::string start(text.substr(0, 60));
      for (char& c : start) c = c < ' ' || c > '~' ? '?' : c;
      wrong("JSON", "'" + start + "'");
    }
  }

  /// The paper in an item of a list, or by itself; none if its id is not arXiv's.
  std::optional<Paper> read(const nlohmann::json& item) const {
    if (!item.is_object()) wrong("a paper", item.type_name());
    const auto inner = item.find("paper");
    const nlohmann::json& body = inner == item.end() ? item : *inner;
    if (!body.is_object()) wrong("a paper", body.type_name());
    for (const char* needed : {"id", "title"}) {
      if (!body.contains(needed) || !body[needed].is_string())
        wrong(concat("a paper with '", needed, "'"), "none");
    }
    Paper paper;
    try {
      paper.id = PaperId::parse(string(body, "id")).base();
    } catch (const ArgumentError&) {
      return std::nullopt;
    }
    paper.title = one_line(string(body, "title"));
    paper.summary = one_line(string(body, "summary"));
    paper.ai_summary = one_line(string(body, "ai_summary"));
    paper.authors = names(body, "authors");
    paper.keywords = names(body, "ai_keywords");
    paper.upvotes = number(body, "upvotes");
    paper.comments = number(item, "numComments");
    paper.published = string(body, "publishedAt");
    paper.daily = string(body, "submittedOnDailyAt").substr(0, 10);
    return paper;
  }

 private:
  [[noreturn]] void wrong(std::string_view expected, std::string_view got) const {
    throw FormatError(
        concat("[papers] answer: expected ", expected, ", got ", got, " (", source_, ")"));
  }

  static std::string string(const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  }

  static std::int64_t number(const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
  }

  /// Strings, or the names of objects.
  static std::vector<std::string> names(const nlohmann::json& object, const char* key) {
    std::vector<std::string> result;
    const auto found = object.find(key);
    if (found == object.end() || !found->is_array()) return result;
    for (const nlohmann::json& each : *found) {
      std::string name = each.is_string()   ? each.get<std::string>()
                         : each.is_object() ? string(each, "name")
                                            : "";
      if (!name.empty()) result.push_back(one_line(name));
    }
    return result;
  }

  /// Without line breaks and other control characters, and without blanks in a row.
  static std::string one_line(std::string_view text) {
    std::string line;
    for (const char c : text) {
      const bool blank = static_cast<unsigned char>(c) <= ' ' || c == 127;
      if (blank && (line.empty() || line.back() == ' ')) continue;
      line += blank ? ' ' : c;
    }
    if (line.ends_with(' ')) line.pop_back();
    return line;
  }

  std::string_view source_;
};

}  // namespace detail

FLASHLM_INLINE std::vector<Paper> parse_papers(std::string_view text, std::string_view source) {
  const detail::PaperReader reader(source);
  const nlohmann::json list = reader.parse(text);
  if (!list.is_array()) {
    throw FormatError(
        concat("[papers] answer: expected a list, got ", list.type_name(), " (", source, ")"));
  }
  std::vector<Paper> papers;
  for (const nlohmann::json& item : list) {
    if (std::optional<Paper> paper = reader.read(item)) papers.push_back(std::move(*paper));
  }
  return papers;
}

FLASHLM_INLINE Paper parse_paper(std::string_view text, std::string_view source) {
  const detail::PaperReader reader(source);
  std::optional<Paper> paper = reader.read(reader.parse(text));
  if (!paper)
    throw FormatError(concat("[papers] answer: expected an arXiv id, got another (", source, ")"));
  return std::move(*paper);
}

}  // namespace flashlm::inline FLASHLM_ABI::tools
