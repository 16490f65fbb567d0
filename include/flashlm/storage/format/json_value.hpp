// SPDX-License-Identifier: Apache-2.0
/// json_value.hpp: a JSON document in memory, in the order in which it is written.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

class Json;

/// What a place of a document holds. `count` is a whole number of at least 0, `negative` one below
/// 0, `real` a number with a point or an exponent.
enum class JsonKind : std::uint8_t { null, flag, count, negative, real, string, array, object };

/// A place in a document. A view: the document must outlive it.
class JsonValue {
 public:
  /// What is not there: a null that is known from the nulls of a document.
  JsonValue() noexcept = default;

  /// The whole document.
  JsonValue(const Json& document) noexcept : document_(&document) {}
  JsonValue(const Json&& document) = delete;

  bool is_absent() const noexcept { return document_ == nullptr; }
  JsonKind kind() const noexcept;
  bool is_null() const noexcept { return kind() == JsonKind::null; }
  bool is_array() const noexcept { return kind() == JsonKind::array; }
  bool is_object() const noexcept { return kind() == JsonKind::object; }
  bool is_string() const noexcept { return kind() == JsonKind::string; }
  bool is_number() const noexcept { return kind() >= JsonKind::count && kind() <= JsonKind::real; }

  /// Elements of an array, members of an object; else 0.
  std::size_t size() const noexcept;

  bool flag() const noexcept;
  std::uint64_t count() const noexcept;
  double number() const noexcept;
  const std::string& string() const noexcept;
  /// Whether it is the string `text`.
  bool is(std::string_view text) const noexcept { return is_string() && string() == text; }

  /// The member `key` of an object, or what is absent. Looks at one member after the other.
  JsonValue find(std::string_view key) const noexcept;

  /// The first element of an array, or value of an object; `next` is the one behind an element or
  /// value. Not for empty ones, nor behind the last.
  JsonValue first() const noexcept;
  JsonValue next() const noexcept;
  /// The key of a value of an object.
  const std::string& key() const noexcept;

  /// As text: on one line, or with `indent` spaces a level. `ascii` writes every other character as
  /// \uXXXX.
  ///
  /// Recurses as deeply as the document goes.
  std::string dump(int indent = -1, bool ascii = false) const;

 private:
  friend class Json;

  JsonValue(const Json& document, std::size_t node) noexcept : document_(&document), node_(node) {}

  void write(std::string& text, int indent, int level, bool ascii) const;

  const Json* document_ = nullptr;
  std::size_t node_ = 0;
};

/// A document, laid out flat: a value costs some words, and one nested as deeply as a file likes is
/// read and dropped without recursion. It is written from front to back:
///
///     Json json;
///     json.open(JsonKind::object);
///     json.key("name").add("moon");
///     json.close();
class Json {
 public:
  Json() = default;
  /// A copy of one value.
  explicit Json(const JsonValue& value) { add(value); }
  /// {}
  static Json object();

  JsonValue root() const& noexcept { return *this; }
  std::string dump(int indent = -1) const { return root().dump(indent); }
  friend bool operator==(const Json& a, const Json& b) { return a.dump() == b.dump(); }

  /// Begins an array or an object, which `close` ends.
  void open(JsonKind kind);
  void close();

  /// The key of the value that is added next.
  Json& key(std::string_view key);

  void add(std::nullptr_t) { add(JsonKind::null, 0, 0); }
  template <std::integral Number>
  void add(Number number) {
    const JsonKind whole = number < Number{0} ? JsonKind::negative : JsonKind::count;
    add(std::same_as<Number, bool> ? JsonKind::flag : whole, static_cast<std::uint64_t>(number), 0);
  }
  void add(std::string_view text);
  void add(const char* text) { add(std::string_view(text)); }
  /// `written` is what the file has for the number.
  void add(double number, std::string_view written);
  void add(const JsonValue& value);
  void add(const Json& document) { add(document.root()); }

  /// Of the object that is open now: drops each member whose key comes again later. The key of one
  /// of them, or null.
  const std::string* drop_repeated_keys();

  /// How many arrays and objects are open.
  std::size_t depth() const noexcept { return open_.size(); }

 private:
  friend class JsonValue;

  struct Node {
    std::uint64_t
        value;  // a flag, a number's bits, the size of a container; of others the place in texts_
    std::size_t
        end;  // of a container: the first node that is not in it; of a real: the place in texts_
    JsonKind kind;
    bool is_key = false;      // of the value behind it
    bool is_dropped = false;  // a key, with its value
  };

  void add(JsonKind kind, std::uint64_t value, std::size_t end);
  std::size_t put(std::string_view text);
  /// The node behind `node` and what is in it.
  std::size_t behind(std::size_t node) const noexcept;
  /// The value of the first member from the key at `node` on that is not dropped.
  std::size_t kept(std::size_t node) const noexcept;

  std::vector<Node>
      nodes_;  // a container's nodes stand behind it; a key, which is a string, before its value
  std::vector<std::string> texts_;  // strings, and the digits of reals
  std::vector<std::size_t> open_;   // containers, the outer one first
};

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/format/json_value.ipp"
#endif
