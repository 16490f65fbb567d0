// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/generation/guide.hpp"

#include <memory>
#include <string>

#include "flashlm/text/language_model.hpp"
#include "support/catch.hpp"
#include "support/tiny_model.hpp"

using namespace flashlm;

namespace {

/// One text, "ab", without a choice.
class OneText : public text::Language {
 public:
  std::unique_ptr<text::Guide> guide(std::shared_ptr<const text::Tokenizer> tokenizer,
                                     std::span<const Token>, std::size_t) const override {
    class Once : public text::Guide {
     public:
      explicit Once(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}
      std::size_t least_room() override { return tokens_.size(); }
      bool is_complete() const noexcept override { return is_written_; }
      bool is_cut() const noexcept override { return false; }
      std::vector<Token> forced(std::size_t) override { return is_written_ = true, tokens_; }
      std::optional<Token> choose(text::Sampler&, std::span<float>, std::span<const Token>,
                                  std::size_t) override {
        return std::nullopt;
      }

     private:
      std::vector<Token> tokens_;
      bool is_written_ = false;
    };
    return std::make_unique<Once>(tokenizer->encode("ab", {.add_special = false}));
  }
};

}  // namespace

TEST_CASE("a generation follows any language") {
  const support::TinyModel tiny;
  auto lm = text::LanguageModel::open(tiny.path());
  auto generation = lm.stream("x", {.grammar = std::make_shared<const OneText>()});
  CHECK(generation.rest() == "ab");
  CHECK(generation.finish_reason() == text::FinishReason::eos);
  CHECK_THROWS_AS(
      lm.stream("x", {.max_new_tokens = 1, .grammar = std::make_shared<const OneText>()}),
      ArgumentError);
}
