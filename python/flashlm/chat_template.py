# SPDX-License-Identifier: Apache-2.0
"""chat_template.py: a conversation as the text that a chat model was trained on."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from flashlm import _marked
from flashlm._core import ArgumentError, FormatError, Tokenizer
from flashlm.messages import Message, check_messages, plain_data, plain_list

DEFAULT = "chat_template.jinja"
NAMED = "chat_templates.json"
"""The templates beside the default one, by name, in a packed folder, which has no folders inside."""
NAMED_FOLDER = "additional_chat_templates"
FILES = ("tokenizer_config.json", "special_tokens_map.json", "config.json", "generation_config.json", DEFAULT, NAMED)
"""What `ChatTemplate.open` reads, besides ``*.jinja`` in `NAMED_FOLDER`; what packing keeps too."""


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
        self._render_marked: dict[str, Callable[[Mapping[str, Any]], str]] = {}

    @classmethod
    def open(cls, folder: str | os.PathLike[str], tokenizer: Tokenizer | None = None) -> ChatTemplate:
        r"""Reads the template of a model folder.

        ``chat_template.jinja`` comes before ``tokenizer_config.json``; ``additional_chat_templates/*.jinja``, in a
        packed folder ``chat_templates.json``, are added by name.

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
        contents = {file.relative_to(path).as_posix(): file.read_bytes() for file in template_files(path)}
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
        sources = _templates(files, path, settings)
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
        values = {
            "messages": check_messages(messages),
            "tools": plain_list(tools, "tools"),
            "documents": plain_list(documents, "documents"),
        }
        own = {**plain_data(variables, "variables"), "add_generation_prompt": add_generation_prompt}
        control = _Control(special_tokens)
        quoted = control.made_by(values)
        if not quoted:
            return [(self._rendered({**own, **values}), True)]
        theirs = _marked.theirs(values)
        for message in theirs["messages"]:
            if not control.made_by(message["role"]):  # templates write <|user|> as "<|" + role + "|>"
                message["role"] = _marked.ours(message["role"])
        return _parts(self._rendered({**_marked.ours(own), **theirs}, marked=True), quoted)

    def _rendered(self, values: Mapping[str, Any], *, marked: bool = False) -> str:
        import jinja2.exceptions

        from flashlm import _jinja

        name = "tool_use" if values["tools"] is not None and "tool_use" in self._render else "default"
        if name not in self._render:
            raise FormatError(
                f"[chat_template] template: expected one named default, got {sorted(self._render)} ({self.name})."
            )
        special: Mapping[str, Any] = self.special_tokens
        render = self._render[name]
        if marked:
            special = _marked.ours(self.special_tokens)
            render = self._render_marked.setdefault(name, _jinja.compile_marked(self.sources[name]))
        try:
            return render({**special, **values})
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


class _Control:
    """The control tokens of a tokenizer, and which of them a template may make of somebody's words."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = [token for token in tokens if token]
        self._ends = re.compile("|".join({re.escape(token[at]) for token in self._tokens for at in (0, -1)}) or "(?!)")

    def made_by(self, value: Any) -> set[str]:
        """The tokens that stand in a text of the value, or may be made of what stands there by cutting and joining."""
        if isinstance(value, str):
            if self._ends.search(value) is None:
                return set()
            texts = {value, value.strip()}
            return {token for token in self._tokens if any(_may_make(text, token) for text in texts)}
        items = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
        return set().union(*map(self.made_by, items))


def _may_make(text: str, token: str) -> bool:
    """Whether `text` holds `token`, a part of it at an end, or both of its ends with something between."""
    if token in text or (token[:2] in text and token[-2:] in text):
        return True
    lengths = range(1, min(len(text) + 1, len(token)))
    return any(token.startswith(text[-n:]) or token.endswith(text[:n]) for n in lengths)


def _parts(text: str, quoted: Collection[str]) -> list[tuple[str, bool]]:
    """The text cut where one of the `quoted` tokens, or a part of it, is somebody's words."""
    marks = _marked.marks_of(text)
    text = str.__str__(text)
    pattern = re.compile("|".join(map(re.escape, sorted(quoted, key=len, reverse=True))))
    trusted = bytearray(b"1" * len(text))
    behind = 0
    for begin in re.finditer("|".join({re.escape(token[0]) for token in quoted}), text):
        token = pattern.match(text, begin.start())
        if token is None or _marked.THEIRS not in marks[token.start() : token.end()]:
            continue
        for place in range(token.start(), token.end()):
            if marks[place] == _marked.THEIRS:
                trusted[place] = ord("b" if place == token.start() >= behind else "0")
        behind = max(behind, token.end())
    runs = re.finditer(rb"(1+)|b0*|0+", trusted)
    return [(text[run.start() : run.end()], run[1] is not None) for run in runs]


def template_files(folder: Path) -> list[Path]:
    """The files of a model folder that `ChatTemplate.open` reads."""
    named = sorted((folder / NAMED_FOLDER).glob("*.jinja"))
    return [file for file in [*(folder / name for name in FILES), *named] if file.is_file()]


def named_templates(files: Mapping[str, bytes], folder: Path) -> dict[str, str]:
    """The templates by name that have files of their own; errors as those of `ChatTemplate.parse`."""
    sources: dict[str, str] = {}
    for key, value in _read_json(files, folder, NAMED).items():
        if not isinstance(value, str):
            raise FormatError(
                f"[chat_template] {key}: expected a template, got {type(value).__name__} ({folder / NAMED})."
            )
        sources[key] = value
    for file in sorted(files):
        if file.startswith(f"{NAMED_FOLDER}/"):
            sources[Path(file).stem] = _read_text(files, folder, file)
    return sources


def _templates(files: Mapping[str, bytes], folder: Path, settings: Mapping[str, Any]) -> dict[str, str]:
    """All templates by name. As in transformers, those of tokenizer_config.json do not count beside a file."""
    sources: dict[str, str] = {}
    listed = settings.get("chat_template")
    if DEFAULT in files:
        sources["default"] = _read_text(files, folder, DEFAULT)
    elif isinstance(listed, str):
        sources["default"] = listed
    elif isinstance(listed, list):
        for entry in listed:
            if not isinstance(entry, dict) or not all(isinstance(entry.get(k), str) for k in ("name", "template")):
                raise FormatError(
                    "[chat_template] chat_template: expected a list of {name, template}, got "
                    f"{entry!r} ({folder / 'tokenizer_config.json'})."
                )
            sources[entry["name"]] = entry["template"]
    return {**sources, **named_templates(files, folder)}


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
    if "added_tokens_decoder" not in settings:  # a folder of an older version of transformers
        settings = {**settings, **_read_json(files, folder, "special_tokens_map.json")}
    extra = settings.get("extra_special_tokens")
    for name, value in [*settings.items(), *(extra.items() if isinstance(extra, dict) else ())]:
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
