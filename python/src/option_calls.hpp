// SPDX-License-Identifier: Apache-2.0
/// option_calls.hpp: functions of Python that take every option of a table by its name.
///
/// Keyword arguments, defaults, conversions, ranges and the docstring's lines come from the tables
/// of flashlm/text/options.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "callbacks.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/text/generation/guide.hpp"
#include "flashlm/text/grammar/grammar.hpp"
#include "flashlm/text/options.hpp"

namespace option_calls {

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

/// The class of Python whose objects a member points to: a grammar is the one language that Python
/// has.
template <class T>
struct Pointed {
  using Type = T;
};
template <>
struct Pointed<flashlm::text::Language> {
  using Type = flashlm::text::Grammar;
};

/// The options of one table, which fill an `Options`.
template <class Options, const auto& kTable>
class OptionCalls {
  template <std::size_t I>
  static constexpr const auto& at() {
    return std::get<I>(kTable);
  }
  template <std::size_t I>
  using Member = std::remove_cvref_t<decltype(at<I>().of(std::declval<Options&>()))>;

  /// What Python says for a member: whole numbers have 64 bits until their range is checked; a
  /// number that may be left out, an empty path and a function that is none are None.
  template <std::size_t I>
  static constexpr auto said() {
    using T = Member<I>;
    if constexpr (std::is_same_v<T, bool> || std::is_floating_point_v<T>) {
      return std::type_identity<T>();
    } else if constexpr (kIsOptional<T> || at<I>().zero_is_none) {
      return std::type_identity<std::optional<std::int64_t>>();
    } else if constexpr (std::is_integral_v<T>) {
      return std::type_identity<std::conditional_t<sizeof(T) == 8, std::uint64_t, std::int64_t>>();
    } else if constexpr (std::is_same_v<T, std::filesystem::path>) {
      return std::type_identity<std::optional<T>>();
    } else if constexpr (std::is_same_v<T, std::string> ||
                         std::is_same_v<T, std::vector<std::string>>) {
      return std::type_identity<T>();
    } else if constexpr (std::is_constructible_v<T,
                                                 std::function<void(std::size_t, std::size_t)>>) {
      return std::type_identity<Callback>();
    } else {
      return std::type_identity<
          std::shared_ptr<typename Pointed<std::remove_const_t<typename T::element_type>>::Type>>();
    }
  }
  template <std::size_t I>
  using Said = typename decltype(said<I>())::type;

  template <class Number, class Value>
  static Number in_range(std::string_view name, Value value, std::uint64_t least,
                         std::uint64_t most) {
    most = std::min<std::uint64_t>(most, std::numeric_limits<Number>::max());
    if (std::cmp_less(value, least) || std::cmp_greater(value, most)) {
      const std::string range = std::cmp_less(value, least) ? flashlm::concat(least, " or more")
                                                            : flashlm::concat(least, " to ", most);
      throw flashlm::ArgumentError(
          flashlm::concat("[language_model] ", name, ": expected ", range, ", got ", value));
    }
    return static_cast<Number>(value);
  }

  template <std::size_t I>
  static void put(Options& options, Said<I> value) {
    using T = Member<I>;
    constexpr const auto& option = at<I>();
    T& member = option.of(options);
    if constexpr (std::is_same_v<Said<I>, Callback>) {
      member = progress(std::move(value));
    } else if constexpr (std::is_same_v<Said<I>, std::optional<std::int64_t>>) {
      if constexpr (kIsOptional<T>) {
        if (value)
          member = in_range<typename T::value_type>(option.name, *value, option.least, option.most);
      } else {
        if (value) member = in_range<T>(option.name, *value, option.least, option.most);
      }
    } else if constexpr (kIsOptional<Said<I>>) {
      if (value) member = *std::move(value);
    } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      member = in_range<T>(option.name, value, option.least, option.most);
    } else {
      member = std::move(value);
    }
  }

  /// The default as Python has it.
  template <std::size_t I>
  static pybind11::object initial() {
    using T = Member<I>;
    Options options;
    const T& value = at<I>().of(options);
    if constexpr (kIsOptional<Said<I>> ||
                  !(std::is_arithmetic_v<T> || std::is_same_v<T, std::string> ||
                    std::is_same_v<T, std::vector<std::string>>)) {
      return pybind11::none();
    } else {
      return pybind11::cast(value);
    }
  }

  template <std::size_t I>
  static pybind11::arg_v argument() {
    return pybind11::arg(at<I>().name.data()) = initial<I>();
  }

  template <class... First, class Body, std::size_t... I>
  static auto taking(Body body, std::index_sequence<I...>) {
    return [body](First... first, Said<I>... values) {
      Options options;
      (put<I>(options, std::move(values)), ...);
      return body(std::forward<First>(first)..., std::move(options));
    };
  }

  using Indices =
      std::make_index_sequence<std::tuple_size_v<std::remove_cvref_t<decltype(kTable)>>>;

 public:
  /// A function of `First...` and then all options, which calls body(first..., options).
  template <class... First, class Body>
  static auto function(Body body) {
    return taking<First...>(std::move(body), Indices());
  }

  /// Calls define(argument...) with the keyword arguments of all options.
  template <class Define>
  static void with_arguments(Define define) {
    [&]<std::size_t... I>(std::index_sequence<I...>) { define(argument<I>()...); }(Indices());
  }

  /// Lines for the "Args:" of a docstring.
  static std::string lines() {
    std::string text;
    flashlm::text::visit_options(kTable, [&](const auto& option) {
      std::string line = flashlm::concat("    ", option.name, ":");
      for (std::size_t begin = 0; begin < option.doc.size();) {
        const std::size_t end = std::min(option.doc.find(' ', begin), option.doc.size());
        if (line.size() + 1 + end - begin > 100) {
          text += line + '\n';
          line = "       ";
        }
        line += flashlm::concat(' ', option.doc.substr(begin, end - begin));
        begin = end + 1;
      }
      text += line + '\n';
    });
    return text;
  }

  /// The table for Python: a list of dicts.
  static pybind11::list described() {
    using namespace pybind11::literals;
    pybind11::list all;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (all.append(pybind11::dict("name"_a = std::string(at<I>().name),
                                 "doc"_a = std::string(at<I>().doc), "default"_a = initial<I>(),
                                 "words"_a = std::string(at<I>().words), "least"_a = at<I>().least,
                                 "most"_a = at<I>().most, "measures"_a = at<I>().measures)),
       ...);
    }(Indices());
    return all;
  }
};

}  // namespace option_calls
