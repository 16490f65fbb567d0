# SPDX-License-Identifier: Apache-2.0
"""chat_template.py: a conversation as the text that a chat model was trained on."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flashlm._core import ArgumentError, FormatError, Tokenizer
from flashlm.messages import Message, check_messages, plain_data, plain_list


class ChatTemplate:
    """Turns messages into a prompt, by the Jinja template that came with the model.

    Thread-safe. The template runs in a sandbox with bounds in time and size, for it is code of the model's author.

    Args:
        source: The template, or several by name: ``tool_use`` is taken when tools are passed, else ``default``.
        special_tokens: What the template may name: ``bos_token``, ``eos_token`` and so on.
        name: Where the template comes from, for error messages.

    Raises:
        FormatError: The template is not Jinja.

    Example:
        >>> template = flashlm.ChatTemplate("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}")
        >>> template.render([{"role": "user", "content": "Hello"}])
        '<user>Hello'
    """

    def __init__(
        self,
        source: str | Mapping[str, str],
        *,
        special_tokens: Mapping[str, str] | None = None,
        name: str = "template",
    ) -> None:
        sources = {"default": source} if isinstance(source, str) else dict(source)
        if not sources:
            raise ArgumentError("[chat_template] source: expected at least one template, got none.")
        self.name = name
        self.special_tokens: dict[str, str] = dict(special_tokens or {})
        self.sources: dict[str, str] = sources
        self._render = {
            key: _compiled(text, name if len(sources) == 1 else f"{name}: {key}") for key, text in sources.items()
        }

    @classmethod
    def open(cls, folder: str | os.PathLike[str], tokenizer: Tokenizer | None = None) -> ChatTemplate:
        r"""Reads the template of a model folder.

        ``chat_template.jinja`` comes before ``tokenizer_config.json``; ``additional_chat_templates/*.jinja`` are added
        by name.

        Args:
            folder: A packed model folder, or a Hugging Face one.
            tokenizer: Spells the special tokens that ``config.json`` names by id.

        Returns:
            The template.

        Raises:
            FormatError: The folder has no template, or a broken one.

        Example:
            >>> flashlm.ChatTemplate.open("tiny.flash").render([{"role": "user", "content": "Hi"}])
            '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n'
        """
        path = Path(folder)
        names = ["tokenizer_config.json", "config.json", "generation_config.json", "chat_template.jinja"]
        more = sorted((path / "additional_chat_templates").glob("*.jinja"))
        files = [file for file in [*(path / name for name in names), *more] if file.is_file()]
        contents = {file.relative_to(path).as_posix(): file.read_bytes() for file in files}
        return cls.parse(contents, tokenizer, name=str(path))

    @classmethod
    def parse(
        cls, files: Mapping[str, bytes], tokenizer: Tokenizer | None = None, *, name: str = "template"
    ) -> ChatTemplate:
        r"""The same from the contents of a folder's files, by their names.

        Args:
            files: For example ``{"chat_template.jinja": b"..."}``.
            tokenizer: As in ``open``.
            name: What errors call the folder.

        Returns:
            The template.

        Raises:
            FormatError: No file has a template, or a broken one.

        Example:
            >>> template = flashlm.ChatTemplate.parse({"chat_template.jinja": b"{{ messages[0].content }}"})
            >>> template.render([{"role": "user", "content": "Hi"}])
            'Hi'
        """
        path = Path(name)
        settings = _read_json(files, path, "tokenizer_config.json")
        sources: dict[str, str] = {}
        listed = settings.get("chat_template")
        if isinstance(listed, str):
            sources["default"] = listed
        elif isinstance(listed, list):
            for entry in listed:
                if not isinstance(entry, dict) or not all(isinstance(entry.get(k), str) for k in ("name", "template")):
                    raise FormatError(
                        "[chat_template] chat_template: expected a list of {name, template}, got "
                        f"{entry!r} ({path / 'tokenizer_config.json'})."
                    )
                sources[entry["name"]] = entry["template"]
        for file in sorted(files):
            if file.startswith("additional_chat_templates/"):
                sources[Path(file).stem] = _read_text(files, path, file)
        if "chat_template.jinja" in files:
            sources["default"] = _read_text(files, path, "chat_template.jinja")
        if not sources:
            raise FormatError(
                f"[chat_template] template: expected chat_template.jinja or tokenizer_config.json with "
                f"one, found none ({path}). This model is no chat model: use generate()."
            )
        return cls(sources, special_tokens=_special_tokens(files, path, settings, tokenizer), name=name)

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = True,
        **variables: Any,
    ) -> str:
        r"""The prompt for these messages. It holds the model's special tokens: tokenize it without adding any.

        Args:
            messages: The conversation; ``content`` is a text or a list of ``{"type": "text", "text": ...}``.
            tools: JSON schemas of functions the model may call.
            documents: What the model may quote: mappings with ``title`` and ``text``.
            add_generation_prompt: Ends with the beginning of an answer.
            **variables: More names for the template, such as ``enable_thinking``.

        Returns:
            The prompt.

        Raises:
            ArgumentError: The messages are not messages, or the template refuses them.
            FormatError: The template breaks the sandbox, or runs out of time or space.

        Example:
            >>> lm.chat_template.render([{"role": "user", "content": "Hi"}], add_generation_prompt=False)
            '<|im_start|>user\nHi<|im_end|>\n'
        """
        return self._rendered(
            {
                **plain_data(variables, "variables"),
                "messages": check_messages(messages),
                "tools": plain_list(tools, "tools"),
                "documents": plain_list(documents, "documents"),
                "add_generation_prompt": add_generation_prompt,
            }
        )

    def render_parts(
        self,
        messages: Sequence[Message],
        special_tokens: Sequence[str],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = True,
        **variables: Any,
    ) -> list[tuple[str, bool]]:
        r"""The prompt in parts, so that nobody's words become special tokens.

        A message may quote ``<|im_end|>``; only the template's own is the end of a turn. The parts make the text of
        ``render``, and ``Tokenizer.encode_parts`` makes ids of them.

        Args:
            messages: As in ``render``.
            special_tokens: ``Tokenizer.special_tokens``.
            tools: As in ``render``.
            documents: As in ``render``.
            add_generation_prompt: As in ``render``.
            **variables: As in ``render``.

        Returns:
            Pairs of a text and whether special tokens in it are meant.

        Raises:
            ArgumentError: As ``render``.
            FormatError: As ``render``.

        Example:
            >>> lm.chat_template.render_parts([{"role": "user", "content": "a<|im_end|>"}], ["<|im_end|>"])
            [('<|im_start|>user\na', True), ('<|im_end|>', False), ('<|im_end|>\n<|im_start|>assistant\n', True)]
        """
        quoted = _Quoted(special_tokens)
        rendered = self._rendered(
            {
                **plain_data(variables, "variables"),
                "messages": [quoted.hide_message(message) for message in check_messages(messages)],
                "tools": quoted.hide(plain_list(tools, "tools")),
                "documents": quoted.hide(plain_list(documents, "documents"), ends=True),
                "add_generation_prompt": add_generation_prompt,
            }
        )
        return quoted.parts(rendered)

    def _rendered(self, values: Mapping[str, Any]) -> str:
        import jinja2.exceptions

        from flashlm import _jinja

        render = self._render.get("tool_use" if values["tools"] and "tool_use" in self._render else "default")
        if render is None:
            raise FormatError(
                f"[chat_template] template: expected one named default, got {sorted(self._render)} ({self.name})."
            )
        try:
            return render({**self.special_tokens, **values})
        except _jinja.Refused as error:
            raise ArgumentError(
                f"[chat_template] messages: the model's template refuses them: {error} ({self.name})."
            ) from error
        except (_jinja.Exhausted, jinja2.exceptions.SecurityError) as error:
            raise FormatError(f"[chat_template] template: {error} ({self.name}).") from error
        except RecursionError as error:
            raise FormatError(f"[chat_template] template: it calls itself without end ({self.name}).") from error
        except Exception as error:  # whatever Python raises for a value the template did not expect
            raise ArgumentError(
                f"[chat_template] messages: the model's template cannot render them: "
                f"{type(error).__name__}: {error} ({self.name})."
            ) from error


class _Quoted:
    """Hides special tokens that somebody quotes from a template, and finds them again in what it wrote.

    In their place stand digits that nobody can guess, which no template trims, escapes or changes the case of.
    """

    _INDEX_DIGITS = 8

    def __init__(self, special_tokens: Sequence[str]) -> None:
        self._special = [token for token in special_tokens if token]
        longest_first = sorted(self._special, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        self._secret = str(10**23 + secrets.randbelow(10**24))
        self._hidden: list[str] = []

    def hide_message(self, message: dict[str, Any]) -> dict[str, Any]:
        return {self._hide_text(key): self.hide(value, ends=key == "content") for key, value in message.items()}

    def hide(self, value: Any, *, ends: bool = False) -> Any:
        """The value with every quoted token hidden; with `ends`, also what only the template's text would complete."""
        if isinstance(value, str):
            return self._hide_text(value, ends=ends)
        if isinstance(value, list):
            return [self.hide(item, ends=ends) for item in value]
        if isinstance(value, dict):
            return {self._hide_text(key): self.hide(item, ends=ends) for key, item in value.items()}
        return value

    def _hide_text(self, text: str, *, ends: bool = False) -> str:
        if self._pattern is None:
            return text
        text = self._pattern.sub(lambda match: self._mark(match.group()), text)
        if ends:
            begun = max((_overlap(text, token) for token in self._special), default=0)
            if begun:
                text = text[:-begun] + self._mark(text[-begun:])
        return text

    def _mark(self, text: str) -> str:
        self._hidden.append(text)
        return f"{self._secret}{len(self._hidden) - 1:0{self._INDEX_DIGITS}d}"

    def parts(self, rendered: str) -> list[tuple[str, bool]]:
        pieces = re.split(f"{self._secret}([0-9]{{{self._INDEX_DIGITS}}})", rendered)
        parts = [
            (self._hidden[int(piece)], False) if index % 2 and int(piece) < len(self._hidden) else (piece, True)
            for index, piece in enumerate(pieces)
        ]
        return [part for part in parts if part[0]]


def _overlap(text: str, token: str) -> int:
    """How many characters at the end of `text` begin `token`, fewer than all of it."""
    return next((n for n in range(min(len(text), len(token) - 1), 0, -1) if text.endswith(token[:n])), 0)


def _compiled(text: str, name: str) -> Callable[[Mapping[str, Any]], str]:
    import jinja2

    from flashlm import _jinja

    try:
        return _jinja.compile_template(text)
    except jinja2.TemplateSyntaxError as error:
        raise FormatError(f"[chat_template] line {error.lineno}: {error.message} ({name}).") from error
    except (jinja2.TemplateError, RecursionError) as error:
        raise FormatError(f"[chat_template] template: {error} ({name}).") from error


def _special_tokens(
    files: Mapping[str, bytes], folder: Path, settings: Mapping[str, Any], tokenizer: Tokenizer | None
) -> dict[str, str]:
    """The special tokens by name: from tokenizer_config.json, else by their ids in the model's configs."""
    tokens: dict[str, str] = {}
    if tokenizer is not None:
        for file in ("config.json", "generation_config.json"):
            config = _read_json(files, folder, file)
            for name in ("bos_token", "eos_token", "pad_token", "unk_token"):
                value = config.get(f"{name}_id")
                first = value[0] if isinstance(value, list) and value else value
                if isinstance(first, int) and not isinstance(first, bool) and 0 <= first < tokenizer.vocab_size:
                    tokens.setdefault(name, tokenizer.decode([first]))
    for name, value in settings.items():
        spelled = value.get("content") if isinstance(value, dict) else value
        if name.endswith("_token") and isinstance(spelled, str):
            tokens[name] = spelled
    return tokens


def _read_text(files: Mapping[str, bytes], folder: Path, name: str) -> str:
    try:
        # As a text file is read: every line end is \n.
        return files[name].decode().replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise FormatError(
            f"[chat_template] text: expected UTF-8, got byte {error.object[error.start]:#04x} at "
            f"{error.start} ({folder / name})."
        ) from error


def _read_json(files: Mapping[str, bytes], folder: Path, name: str) -> dict[str, Any]:
    if name not in files:
        return {}
    try:
        value = json.loads(_read_text(files, folder, name))
    except ValueError as error:
        raise FormatError(f"[chat_template] json: {error} ({folder / name}).") from error
    if not isinstance(value, dict):
        raise FormatError(f"[chat_template] json: expected an object, got {type(value).__name__} ({folder / name}).")
    return value
