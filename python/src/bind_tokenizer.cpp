// SPDX-License-Identifier: Apache-2.0
/// bind_tokenizer.cpp: flashlm.Tokenizer.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "flashlm/base/token.hpp"
#include "flashlm/text/generation/kept_tokens.hpp"
#include "flashlm/text/tokenizer/tokenizer.hpp"

namespace py = pybind11;

void bind_tokenizer(py::module_& module) {
  using flashlm::Token;
  using flashlm::text::EncodeOptions;
  using flashlm::text::TextPart;
  using flashlm::text::Tokenizer;
  using Release = py::call_guard<py::gil_scoped_release>;

  py::class_<Tokenizer>(module, "Tokenizer",
                        R"(The tokenizer of a model: byte-level BPE from a tokenizer.json.

Gives the ids of the Hugging Face `tokenizers` library. Thread-safe.

Example:
    >>> tokenizer = flashlm.Tokenizer.open("tiny.flash/tokenizer.json")
    >>> tokenizer.decode(tokenizer.encode("Hello"))
    'Hello')")
      .def_static("open", &Tokenizer::open, py::arg("path"), Release(), R"(Read a tokenizer.json.

Args:
    path: The file.

Returns:
    The tokenizer.

Raises:
    IoError: The file cannot be read.
    FormatError: The file is broken or asks for something unknown; the message names it.

Example:
    >>> flashlm.Tokenizer.open("tiny.flash/tokenizer.json").vocab_size
    279)")
      .def_static(
          "parse",
          [](const std::string& json, const std::string& name) {
            return Tokenizer::parse(json, name);
          },
          py::arg("json"), py::arg("name") = "tokenizer.json", Release(),
          R"(Read the text of a tokenizer.json.

Args:
    json: The text.
    name: What errors call it.

Returns:
    The tokenizer.

Raises:
    FormatError: The text is broken or asks for something unknown; the message names it.)")
      .def(
          "encode",
          [](const Tokenizer& self, const std::string& text, bool parse_special, bool add_special) {
            return self.encode(
                text, EncodeOptions{.parse_special = parse_special, .add_special = add_special});
          },
          py::arg("text"), py::kw_only(), py::arg("parse_special") = true,
          py::arg("add_special") = true, Release(),
          R"(Turn text into token ids.

Args:
    text: Any text.
    parse_special: Whether "<|im_end|>" in the text is that token. Pass False for text that is not trusted.
    add_special: Whether to add what the model wants around a text, such as a BOS token.

Returns:
    The ids.)")
      .def(
          "encode_parts",
          [](const Tokenizer& self, const std::vector<std::pair<std::string, bool>>& parts) {
            std::vector<TextPart> views;
            for (const auto& [text, trusted] : parts) views.push_back({text, trusted});
            return self.encode(views);
          },
          py::arg("parts"), Release(),
          R"(Turn the parts of one text into token ids, without any around it.

Only trusted parts hold special tokens. Where no other part spells one, these are the ids of the joined text.

Args:
    parts: Pairs of a text and whether it is trusted.

Returns:
    The ids.

Example:
    >>> lm.tokenizer.encode("<|im_end|>"), len(lm.tokenizer.encode("<|im_end|>", parse_special=False))
    ([2], 9))")
      .def(
          "decode",
          [](const Tokenizer& self, const std::vector<Token>& ids, bool skip_special) {
            return self.decode(ids, skip_special);
          },
          py::arg("ids"), py::kw_only(), py::arg("skip_special") = false, Release(),
          R"(Turn token ids into text.

Args:
    ids: Token ids. An id beyond the vocabulary stands for nothing.
    skip_special: Whether to leave control tokens out.

Returns:
    The text, with U+FFFD for bytes that are no UTF-8.

Example:
    >>> lm.tokenizer.decode([2], skip_special=True)
    ''

Raises:
    ArgumentError: An id is negative.)")
      .def(
          "bytes",
          [](const Tokenizer& self, Token id) {
            const std::string_view bytes = self.bytes(id);
            return py::bytes(bytes.data(), bytes.size());
          },
          py::arg("id"), R"(The bytes of one token, which may be a part of a character.

Args:
    id: A token id.

Returns:
    Its bytes; none for an id beyond the vocabulary.

Example:
    >>> lm.tokenizer.bytes(2)
    b'<|im_end|>'

Raises:
    ArgumentError: The id is negative.)")
      .def(
          "id", [](const Tokenizer& self, const std::string& token) { return self.id(token); },
          py::arg("token"),
          R"(The id of a token as tokenizer.json writes it, where a G with a dot above stands for a space.

Args:
    token: For example "<|im_end|>".

Returns:
    Its id, or None.

Example:
    >>> lm.tokenizer.id("<|im_end|>")
    2)")
      .def("is_special", &Tokenizer::is_special, py::arg("id"), R"(Whether an id is a control token.

Args:
    id: A token id.

Returns:
    True for control tokens.

Example:
    >>> lm.tokenizer.is_special(2)
    True)")
      .def_property_readonly("special_tokens", &Tokenizer::special_tokens,
                             "Every text that is a control token where it is trusted.")
      .def_property_readonly("vocab_size", &Tokenizer::vocab_size, "One more than the largest id.")
      .def("__repr__", [](const Tokenizer& self) {
        return "<flashlm.Tokenizer vocab_size=" + std::to_string(self.vocab_size()) + ">";
      });

  module.def(
      "keep_tokens",
      [](const std::vector<Token>& before, const std::vector<Token>& prompt,
         const Tokenizer& tokenizer) {
        return flashlm::text::keep_tokens(before, prompt, tokenizer);
      },
      py::arg("before"), py::arg("prompt"), py::arg("tokenizer"), Release(),
      R"(A prompt that begins with the tokens that are there, as far as they spell the same text.

Args:
    before: What a session has read and written.
    prompt: What comes next, as the tokenizer spells it.
    tokenizer: Of both.

Returns:
    Ids of the same text as `prompt`.)");
}
