# SPDX-License-Identifier: Apache-2.0
"""chat_template.py: a conversation as the text that a chat model was trained on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flashlm._core import ArgumentError, Error, FormatError, Tokenizer
from flashlm._engine.checked_calls import checked
from flashlm._engine.checks import refuse
from flashlm._engine.checks import text as checked_text
from flashlm._engine.files import io_error
from flashlm._engine.warnings import warn
from flashlm.chat._template import marked
from flashlm.chat._template.control_tokens import ControlTokens, parts_of
from flashlm.chat._template.files import all_templates, named_tokens, read_json, template_files
from flashlm.chat._template.final_message import FinalMessage
from flashlm.chat._template.messages import Message, check_messages, plain_data, plain_list


class ChatTemplate:
    """Turns messages into a prompt, by the Jinja template that came with the model.

    Thread-safe. The template runs in a sandbox with bounds in time and size, for it is code of the
    model's author.

    Args:
        source: The template, or several by name: ``tool_use`` is taken when tools are passed, else
            ``default``.
        special_tokens: What the template may name: ``bos_token``, ``eos_token`` and so on.
        name: Where the template comes from, for error messages.

    Raises:
        FormatError: The template is not Jinja.

    Example:
        >>> text = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
        >>> template = flashlm.ChatTemplate(text)
        >>> template.render([{"role": "user", "content": "Hello"}])
        '<user>Hello'
    """

    @checked("chat_template")
    def __init__(
        self,
        source: str | Mapping[str, str],
        *,
        special_tokens: Mapping[str, str] | None = None,
        name: str = "template",
    ) -> None:
        if not isinstance(source, (str, Mapping)):
            refuse("chat_template", "source", "a template, or templates by name", source)
        given = {"default": source} if isinstance(source, str) else source
        sources = {
            checked_text(key, "name", where="chat_template"): checked_text(
                text, "source", where="chat_template"
            )
            for key, text in given.items()
        }
        if not sources:
            raise ArgumentError("[chat_template] source: expected at least one template, got none.")
        self.name = name
        self.special_tokens: dict[str, str] = dict(special_tokens or {})
        self.sources: dict[str, str] = sources
        self._render = {
            key: _compiled(text, name if len(sources) == 1 else f"{name}: {key}")
            for key, text in sources.items()
        }
        self._render_marked: dict[str, Callable[[Mapping[str, Any]], str]] = {}
        self._reads_tools = False  # known only once a text with tools was another than without
        self._told: set[str] = set()

    @classmethod
    @checked("chat_template")
    def open(
        cls, folder: str | os.PathLike[str], tokenizer: Tokenizer | None = None
    ) -> ChatTemplate:
        r"""Reads the template of a model folder.

        ``chat_template.jinja`` comes before ``tokenizer_config.json``;
        ``additional_chat_templates/*.jinja``, in a packed folder ``chat_templates.json``, are added
        by name.

        Args:
            folder: A packed model folder, or a Hugging Face one.
            tokenizer: Spells the special tokens that ``config.json`` names by id.

        Returns:
            The template.

        Raises:
            FormatError: The folder has no template, or a broken one.
            IoError: A file cannot be read.

        Example:
            >>> flashlm.ChatTemplate.open("tiny.flash").render([{"role": "user", "content": "Hi"}])
            '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n'
        """
        path = Path(folder)
        try:
            contents = {
                file.relative_to(path).as_posix(): file.read_bytes()
                for file in template_files(path)
            }
        except OSError as error:
            raise io_error("read", error, path, "chat_template") from error
        return cls.parse(contents, tokenizer, name=str(path))

    @classmethod
    @checked("chat_template")
    def parse(
        cls,
        files: Mapping[str, bytes],
        tokenizer: Tokenizer | None = None,
        *,
        name: str = "template",
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
            >>> files = {"chat_template.jinja": b"{{ messages[0].content }}"}
            >>> template = flashlm.ChatTemplate.parse(files)
            >>> template.render([{"role": "user", "content": "Hi"}])
            'Hi'
        """
        path = Path(name)
        settings = read_json(files, path, "tokenizer_config.json")
        sources = all_templates(files, path, settings)
        if not sources:
            raise FormatError(
                f"[chat_template] template: expected chat_template.jinja or tokenizer_config.json "
                f"with "
                f"one, found none ({path}). This model is no chat model: use generate()."
            )
        return cls(
            sources, special_tokens=named_tokens(files, path, settings, tokenizer), name=name
        )

    @checked("chat_template")
    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool | None = None,
        continue_final_message: bool | str = False,
        **variables: Any,
    ) -> str:
        r"""The prompt for these messages.

        It holds the model's special tokens: tokenize it without adding any.

        Args:
            messages: The conversation; ``content`` is a text or a list of ``{"type": "text",
                "text": ...}``.
            tools: JSON schemas of functions the model may call.
            documents: What the model may quote: mappings with ``title`` and ``text``.
            add_generation_prompt: Ends with the beginning of an answer; by default, unless a
                message is continued.
            continue_final_message: Ends where the last message ends, so that it goes on; or the
                name of another of its keys that goes on, such as ``"reasoning_content"``.
            **variables: More names for the template, such as ``enable_thinking``.

        Returns:
            The prompt.

        Warns:
            UserWarning: The template ignores the tools, and no message speaks of them. Once for
                each template.

        Raises:
            ArgumentError: The messages are not messages, or the template refuses them; or the last
                one cannot be continued.
            FormatError: The template breaks the sandbox, or runs out of time or space.

        Example:
            >>> talk = [{"role": "user", "content": "Hi"}]
            >>> lm.chat_template.render(talk, add_generation_prompt=False)
            '<|im_start|>user\nHi<|im_end|>\n'
            >>> talk.append({"role": "assistant", "content": "Hello, I"})
            >>> lm.chat_template.render(talk, continue_final_message=True)
            '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello, I'
        """
        values = _values(messages, tools, documents)
        own = {
            **plain_data(variables, "variables"),
            "add_generation_prompt": not continue_final_message
            and add_generation_prompt is not False,
        }
        final = FinalMessage.of(values["messages"], continue_final_message, add_generation_prompt)
        return self._ended({**own, **values}, final)

    @checked("chat_template")
    def render_parts(
        self,
        messages: Sequence[Message],
        special_tokens: Sequence[str],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool | None = None,
        continue_final_message: bool | str = False,
        **variables: Any,
    ) -> list[tuple[str, bool]]:
        r"""The prompt in parts, so that nobody's words become special tokens.

        A message may quote ``<|im_end|>``; only the template's own is the end of a turn. The parts
        make the text of ``render``, and ``Tokenizer.encode_parts`` makes ids of them.

        Args:
            messages: As in ``render``.
            special_tokens: ``Tokenizer.special_tokens``.
            tools: As in ``render``.
            documents: As in ``render``.
            add_generation_prompt: As in ``render``.
            continue_final_message: As in ``render``.
            **variables: As in ``render``.

        Returns:
            Pairs of a text and whether special tokens in it are meant.

        Raises:
            ArgumentError: As ``render``.
            FormatError: As ``render``.

        Example:
            >>> talk = [{"role": "user", "content": "a<|im_end|>"}]
            >>> for part in lm.chat_template.render_parts(talk, ["<|im_end|>"]):
            ...     print(part)
            ('<|im_start|>user\na', True)
            ('<|im_end|>', False)
            ('<|im_end|>\n<|im_start|>assistant\n', True)
        """
        values = _values(messages, tools, documents)
        own = {
            **plain_data(variables, "variables"),
            "add_generation_prompt": not continue_final_message
            and add_generation_prompt is not False,
        }
        control = ControlTokens(special_tokens)
        quoted = control.made_by(values)
        final = FinalMessage.of(values["messages"], continue_final_message, add_generation_prompt)
        if not quoted:
            return [(self._ended({**own, **values}, final), True)]
        theirs = marked.theirs(values)
        for message in theirs["messages"]:
            if not control.made_by(
                message["role"]
            ):  # templates write <|user|> as "<|" + role + "|>"
                message["role"] = marked.ours(message["role"])
        return parts_of(self._ended({**marked.ours(own), **theirs}, final, with_marks=True), quoted)

    def _tell_once(self, key: str, text: str) -> None:
        """Warns of what concerns this template, and of each kind of thing once."""
        if key not in self._told:
            self._told.add(key)
            warn(text)

    def _ended(
        self, values: Mapping[str, Any], final: FinalMessage | None, *, with_marks: bool = False
    ) -> str:
        """The text, cut where the message ends that is continued."""
        text = self._rendered(values, with_marks=with_marks)
        if values["tools"] and not self._reads_tools:
            self._check_tools(values, text)
        return text if final is None else final.cut(text, self.name)

    def _check_tools(self, values: Mapping[str, Any], text: str) -> None:
        """Warns where the text is the same without the tools."""
        try:
            self._reads_tools = self._rendered({**values, "tools": None}) != text
        except Error:  # it wants tools
            self._reads_tools = True
        names = [tool.get("function", tool).get("name") for tool in values["tools"]]
        if not self._reads_tools and not all(
            isinstance(name, str) and name in text for name in names
        ):
            self._tell_once(
                "tools",
                f"[chat_template] tools: the model's template ignores them, so that it is told of "
                f"none ({self.name}). "
                "Describe them in a message, or take a model whose template knows tools.",
            )

    def _rendered(self, values: Mapping[str, Any], *, with_marks: bool = False) -> str:
        import jinja2.exceptions

        from flashlm.chat._template import jinja

        name = (
            "tool_use" if values["tools"] is not None and "tool_use" in self._render else "default"
        )
        if name not in self._render:
            raise FormatError(
                f"[chat_template] template: expected one named default, got {sorted(self._render)} "
                f"({self.name})."
            )
        special: Mapping[str, Any] = self.special_tokens
        render = self._render[name]
        if with_marks:
            special = marked.ours(self.special_tokens)
            render = self._render_marked.setdefault(name, jinja.compile_marked(self.sources[name]))
        try:
            return render({**special, **values})
        except jinja.Refused as error:
            raise ArgumentError(
                f"[chat_template] messages: the model's template refuses them: {error} "
                f"({self.name})."
            ) from error
        except (jinja.Exhausted, jinja2.exceptions.SecurityError) as error:
            raise FormatError(f"[chat_template] template: {error} ({self.name}).") from error
        except RecursionError as error:
            raise FormatError(
                f"[chat_template] template: it calls itself without end ({self.name})."
            ) from error
        except Exception as error:  # whatever Python raises for a value the template did not expect
            raise ArgumentError(
                f"[chat_template] messages: the model's template cannot render them: "
                f"{type(error).__name__}: {error} ({self.name})."
            ) from error


def _values(
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]] | None,
    documents: Sequence[Mapping[str, Any]] | None,
) -> dict[str, Any]:
    """What comes from others, as plain data."""
    return {
        "messages": check_messages(messages),
        "tools": plain_list(tools, "tools"),
        "documents": plain_list(documents, "documents"),
    }


def _compiled(text: str, name: str) -> Callable[[Mapping[str, Any]], str]:
    import jinja2

    from flashlm.chat._template import jinja

    try:
        return jinja.compile_template(text)
    except jinja2.TemplateSyntaxError as error:
        raise FormatError(
            f"[chat_template] line {error.lineno}: {error.message} ({name})."
        ) from error
    except (jinja2.TemplateError, RecursionError) as error:
        raise FormatError(f"[chat_template] template: {error} ({name}).") from error
