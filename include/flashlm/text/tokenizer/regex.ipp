// SPDX-License-Identifier: Apache-2.0
/// regex.ipp: the bodies of regex.hpp.
#pragma once

#include "flashlm/text/tokenizer/regex.hpp"

#include <algorithm>

#include "flashlm/base/error.hpp"
#include "flashlm/text/unicode/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE bool Regex::Set::has(char32_t code) const noexcept {
  return code < 128 ? ascii[code] : slow_has(code);
}

FLASHLM_INLINE bool Regex::Set::slow_has(char32_t code) const noexcept {
  bool found = std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) {
    return range.first <= code && code <= range.second;
  });
  found = found || (categories != 0 && (categories & bit(category(code))) != 0);
  found = found || (spaces && is_space(code)) || (not_spaces && !is_space(code));
  return found != negated;
}

FLASHLM_ONCE void Regex::Set::close() {
  for (char32_t code = 0; code < 128; ++code) ascii[code] = slow_has(code);
}

/// Turns a pattern into ops, one character after another.
class Regex::Parser {
 public:
  Parser(std::string_view pattern, std::vector<Set>& sets, std::vector<Op>& ops)
      : whole_(pattern), rest_(pattern), sets_(sets), ops_(ops) {}

  FLASHLM_ONCE void parse() {
    alternatives(0);
    if (!rest_.empty()) refuse("a ) that closes nothing");
    ops_.push_back({Op::Kind::accept});
  }

 private:
  static constexpr std::size_t kMost = ~std::size_t{0};
  static constexpr int kDeepest = 32;

  [[noreturn]] FLASHLM_ONCE void refuse(std::string_view what) const {
    throw ArgumentError(concat("[tokenizer] regex: expected what cuts text into words, got ", what,
                               " at byte ", whole_.size() - rest_.size(), " of ", whole_));
  }

  FLASHLM_ONCE bool take(std::string_view text) {
    if (rest_.substr(0, text.size()) != text) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  FLASHLM_ONCE char32_t character() {
    if (rest_.empty()) refuse("the end");
    const Utf8Step step = utf8_step(rest_);
    if (step.kind != Utf8Step::Kind::complete) refuse("broken UTF-8");
    rest_.remove_prefix(step.length);
    return step.code;
  }

  FLASHLM_ONCE Op& add(Op::Kind kind) {
    ops_.push_back({kind});
    return ops_.back();
  }

  FLASHLM_ONCE void alternatives(int depth) {
    if (depth > kDeepest) refuse("groups too deep in each other");
    std::vector<std::size_t> ends;
    for (;;) {
      const std::size_t branch = ops_.size();
      add(Op::Kind::branch);
      while (!rest_.empty() && rest_.front() != '|' && rest_.front() != ')') term(depth);
      if (!take("|")) {
        // The last alternative needs no other way.
        ops_[branch] = {Op::Kind::jump};
        ops_[branch].target = branch + 1;
        break;
      }
      ends.push_back(ops_.size());
      add(Op::Kind::jump);
      ops_[branch].target = ops_.size();
    }
    for (const std::size_t end : ends) ops_[end].target = ops_.size();
  }

  FLASHLM_ONCE void term(int depth) {
    const std::size_t begin = ops_.size();
    if (take("(?=") || take("(?!")) {
      const bool wanted = whole_[whole_.size() - rest_.size() - 1] == '=';
      add(Op::Kind::ahead).wanted = wanted;
      group(depth);
      add(Op::Kind::accept);
      ops_[begin].target = ops_.size();
    } else if (take("^")) {
      add(Op::Kind::begin);
    } else if (take("$")) {
      add(Op::Kind::end);
    } else if (take("(?i:")) {
      const bool before = any_case_;
      any_case_ = true;
      group(depth);
      any_case_ = before;
      optional(begin);
    } else if (take("(?:")) {
      group(depth);
      optional(begin);
    } else if (rest_.front() == '(') {
      take("(");
      if (!rest_.empty() && rest_.front() == '?') refuse("a group of an unknown kind");
      group(depth);
      optional(begin);
    } else {
      Op& op = add(Op::Kind::repeat);
      op.set = sets_.size();
      sets_.push_back(set());
      sets_.back().close();
      times(ops_.back());
    }
  }

  FLASHLM_ONCE void group(int depth) {
    alternatives(depth + 1);
    if (!take(")")) refuse("a group without its end");
  }

  /// A ? behind the group whose ops begin at `begin`; other repetitions are of one class only.
  FLASHLM_ONCE void optional(std::size_t begin) {
    if (take("?")) {
      for (std::size_t at = begin; at < ops_.size(); ++at) {
        if (ops_[at].target > begin) ++ops_[at].target;
      }
      ops_.insert(ops_.begin() + static_cast<std::ptrdiff_t>(begin), Op{Op::Kind::branch});
      ops_[begin].target = ops_.size();
    }
    if (!rest_.empty() && std::string_view("?*+{").find(rest_.front()) != std::string_view::npos) {
      refuse("a group that is repeated");
    }
  }

  FLASHLM_ONCE std::size_t number() {
    std::size_t value = 0;
    const std::size_t before = rest_.size();
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9' && value < 100000) {
      value = 10 * value + static_cast<std::size_t>(rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    if (rest_.size() == before) refuse("no number in { }");
    return value;
  }

  FLASHLM_ONCE void times(Op& op) {
    if (take("?")) {
      op.least = 0;
    } else if (take("*")) {
      op.least = 0;
      op.most = kMost;
    } else if (take("+")) {
      op.most = kMost;
    } else if (take("{")) {
      op.least = op.most = number();
      if (take(",")) op.most = !rest_.empty() && rest_.front() == '}' ? kMost : number();
      if (!take("}") || op.most < op.least) refuse("{ } that no number of times fits");
      if (!rest_.empty() && rest_.front() == '+') refuse("a repetition that is repeated");
    } else {
      return;
    }
    op.possessive = take("+");
    if (!rest_.empty() && std::string_view("?*+{").find(rest_.front()) != std::string_view::npos) {
      refuse("a lazy repetition, or one that is repeated");
    }
  }

  FLASHLM_ONCE Set set() {
    Set set;
    if (take("[")) {
      set.negated = take("^");
      do {
        if (rest_.substr(0, 2) == "[:" || rest_.substr(0, 2) == "&&" ||
            (!rest_.empty() && rest_.front() == '[')) {
          refuse("a class inside a class");
        }
        item(set, true);
      } while (!take("]"));
    } else if (take(".")) {
      set.negated = true;
      set.ranges.emplace_back('\n', '\n');
    } else if (rest_.front() == '\\') {
      item(set, false);
    } else {
      const std::string_view special = "*+?{}";
      if (special.find(rest_.front()) != std::string_view::npos) refuse("nothing to repeat");
      letter(set, character());
    }
    return set;
  }

  FLASHLM_ONCE void letter(Set& set, char32_t code) {
    set.ranges.emplace_back(code, code);
    if (!any_case_ || code >= 128 || !is_letter(code)) return;
    set.ranges.emplace_back(code ^ 0x20, code ^ 0x20);
    if ((code | 0x20) == 's') set.ranges.emplace_back(0x17f, 0x17f);    // long s
    if ((code | 0x20) == 'k') set.ranges.emplace_back(0x212a, 0x212a);  // the sign of kelvin
  }

  /// A character, an escape or a range inside of [ ], or an escape outside.
  FLASHLM_ONCE void item(Set& set, bool inside) {
    const bool is_escape = !rest_.empty() && rest_.front() == '\\';
    char32_t first = character();
    if (is_escape) {
      first = character();
      if (first == 's' || first == 'S') {
        (first == 's' ? set.spaces : set.not_spaces) = true;
        return;
      }
      if (first == 'd') {
        set.categories |= bit(Category::Nd);
        return;
      }
      if (first == 'p' || first == 'P') {
        const Categories found = property();
        set.categories |= first == 'p' ? found : ~found;
        return;
      }
      first = escaped(first);
    }
    if (rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']' && inside) {
      take("-");
      char32_t last = character();
      if (last == '\\') last = escaped(character());
      if (last < first) refuse("a range that ends before it begins");
      if (any_case_) refuse("a range in any case");
      set.ranges.emplace_back(first, last);
      return;
    }
    letter(set, first);
  }

  FLASHLM_ONCE char32_t escaped(char32_t code) const {
    if (code == 'n') return '\n';
    if (code == 'r') return '\r';
    if (code == 't') return '\t';
    if (code == 'f') return '\f';
    if (code == 'v') return '\v';
    if (code < 128 && (is_letter(code) || is_number(code))) refuse("an unknown escape");
    return code;
  }

  FLASHLM_ONCE Categories property() {
    struct Name {
      std::string_view name;
      Categories categories;
    };
    static constexpr Name kNames[] = {
        {"{L}", kLetters},
        {"{M}", kMarks},
        {"{N}", kNumbers},
        {"{P}", kPunctuation},
        {"{S}", kSymbols},
        {"{Lu}", bit(Category::Lu)},
        {"{Ll}", bit(Category::Ll)},
        {"{Lt}", bit(Category::Lt)},
        {"{Lm}", bit(Category::Lm)},
        {"{Lo}", bit(Category::Lo)},
        {"{Mn}", bit(Category::Mn)},
        {"{Mc}", bit(Category::Mc)},
        {"{Me}", bit(Category::Me)},
        {"{Nd}", bit(Category::Nd)},
        {"{Nl}", bit(Category::Nl)},
        {"{No}", bit(Category::No)},
        {"{Z}", from_to(Category::Zs, Category::Zp)},
        {"{Zs}", bit(Category::Zs)},
        {"{C}", from_to(Category::Cc, Category::Cn)},
        {"{Cc}", bit(Category::Cc)},
        {"{Cf}", bit(Category::Cf)},
    };
    for (const Name& each : kNames) {
      if (take(each.name)) return each.categories;
    }
    refuse("a property that is not known");
  }

  std::string_view whole_;
  std::string_view rest_;
  std::vector<Set>& sets_;
  std::vector<Op>& ops_;
  bool any_case_ = false;
};

FLASHLM_ONCE Regex::Regex(std::string_view pattern) { Parser(pattern, sets_, ops_).parse(); }

FLASHLM_INLINE std::optional<std::size_t> Regex::match(std::string_view text,
                                                       std::size_t begin) const {
  return run(0, text, begin);
}

FLASHLM_INLINE std::optional<std::size_t> Regex::run(std::size_t op, std::string_view text,
                                                     std::size_t at) const {
  std::vector<Way> ways;
  for (;;) {
    const Op& now = ops_[op];
    bool fails = false;
    switch (now.kind) {
      case Op::Kind::repeat: {
        const Set& set = sets_[now.set];
        std::size_t least = now.least == 0 ? at : 0;  // where the fewest times end
        std::size_t n = 0;
        while (n < now.most && at < text.size()) {
          const Utf8Step step = utf8_step(text.substr(at));
          if (!set.has(step.code)) break;
          at += step.length;
          if (++n == now.least) least = at;
        }
        fails = n < now.least;
        ++op;
        if (!fails && !now.possessive && n > now.least) ways.push_back({op, at, least});
        break;
      }
      case Op::Kind::branch:
        ways.push_back({now.target, at, at});
        ++op;
        break;
      case Op::Kind::jump: op = now.target; break;
      case Op::Kind::ahead:
        fails = run(op + 1, text, at).has_value() != now.wanted;
        op = now.target;
        break;
      case Op::Kind::begin:
        fails = at != 0 && text[at - 1] != '\n';
        ++op;
        break;
      case Op::Kind::end:
        fails = at != text.size() && text[at] != '\n';
        ++op;
        break;
      case Op::Kind::accept: return at;
    }
    if (!fails) continue;
    if (ways.empty()) return std::nullopt;
    Way& way = ways.back();
    op = way.op;
    if (way.at == way.least) {  // another alternative
      at = way.at;
      ways.pop_back();
      continue;
    }
    do {
      --way.at;  // a repetition gives one character back
    } while ((static_cast<unsigned char>(text[way.at]) & 0xc0) == 0x80);
    at = way.at;
    if (way.at == way.least) ways.pop_back();
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::text
