# SPDX-License-Identifier: Apache-2.0
"""chat_format.py: what a chat template writes around each message.

With it C++ can do without Jinja.

A template is a program; most are concatenations: a text before and after each content. Those texts
are found by rendering conversations whose contents are markers, and proved on many more
conversations: one that comes out otherwise, or is refused where the rules would take it, and
nothing is stored but the reason.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flashlm._core import ArgumentError, Error, Tokenizer
from flashlm.chat._template.files import NAMED
from flashlm.chat.chat_template import ChatTemplate

NAME = "chat_format.json"
VERSION = 1
# The most roles that can be had; a template may fold the system message into the user's, or print a
# tool's as JSON.
_ROLES = (
    ("system", "user", "assistant", "tool"),
    ("system", "user", "assistant"),
    ("user", "assistant"),
)
_RANDOM_CONVERSATIONS = 300
_LAWFUL = 0.95  # how often a random message is one that the rules allow
_SHOWN = 200  # characters of a text in a reason
_WORDS = (
    *(
        "Hello",
        "two words",
        "",
        " ",
        "\n",
        "\t",
        "\u00fcber",
        "\U0001f30a",
        "{{ x }}",
        "{% if %}",
        "</think>",
        "<b>",
    ),
    *(
        "system",
        "user",
        "assistant",
        "'",
        '"',
        "\\",
        "[INST]",
        "None",
        "0",
        "\u3000",
        "\x1f",
        "\u200b",
        "- a\n- b",
    ),
)

Conversation = Sequence[Mapping[str, str]]


class _NoConcatenationError(Exception):
    """The template is not what a format can say; the message is the reason."""


@dataclass
class _Role:
    first: str = ""  # before the content of the first message
    later: str = ""  # before that of another one
    suffix: str = ""
    trim: bool = False
    after: tuple[str, ...] = ()  # the roles it may follow; "" is the beginning


def chat_format(files: Mapping[str, bytes], tokenizer: Tokenizer | None = None) -> bytes | None:
    r"""The content of chat_format.json.

    Args:
        files: The small files of a model folder, by name.
        tokenizer: Spells the special tokens that config.json names by id.

    Returns:
        JSON: the format, or the reason why there is none. None if there is no chat template at all.

    Example:
        >>> template = (
        ...     b"{% for m in messages %}[{{ m.role }}]{{ m.content }};{% endfor %}{{ '[bot]' }}"
        ... )
        >>> json.loads(chat_format({"chat_template.jinja": template}))["reason"]
        "what begins an answer does not come last"
        >>> template = template.replace(b"{{ '[bot]' }}", b"")
        >>> json.loads(chat_format({"chat_template.jinja": template}))["roles"][1]["later"]
        '[user]'
    """
    listed = json.loads(files.get("tokenizer_config.json", b"{}")).get("chat_template")
    if "chat_template.jinja" not in files and NAMED not in files and not listed:
        return None
    try:
        content = _derive(ChatTemplate.parse(files, tokenizer, name="chat_template"))
    except (Error, _NoConcatenationError) as error:
        content = {"reason": str(error)}
    return (
        json.dumps({"version": VERSION, **content}, ensure_ascii=False, indent=2) + "\n"
    ).encode()


def _derive(template: ChatTemplate) -> dict[str, Any]:
    """The format with the most roles. Raises _NoConcatenationError if there is none."""
    missing: dict[str, str] = {}
    for names in _ROLES:
        probe = _Probe(template)
        try:
            answer, roles = _find(probe, names)
            _prove(probe, names, answer, roles)
        except _NoConcatenationError as error:
            dropped = {_ROLES[0]: "tool", _ROLES[1]: "system"}.get(names)
            if dropped is None:
                raise
            missing[dropped] = str(error)
            continue
        for name in set(names) - set(roles):
            missing[name] = "the template refuses it"
        return {
            "answer": answer,
            "roles": [{"role": name, **vars(role)} for name, role in roles.items()],
            "missing": dict(sorted(missing.items())),
        }
    raise AssertionError("the last choice of roles returns or raises")


class _Probe:
    """Renders conversations; the same ones once."""

    def __init__(self, template: ChatTemplate) -> None:
        self._template = template

    def render(
        self, messages: Conversation, *, answer: bool = False, day: str = "a day"
    ) -> str | None:
        """The text, or None where the template refuses the messages."""
        try:
            return self._template._rendered(  # noqa: SLF001 - with a clock, which is no plain data
                {
                    "messages": [dict(message) for message in messages],
                    "tools": None,
                    "documents": None,
                    "add_generation_prompt": answer,
                    "strftime_now": lambda _: day,
                }
            )
        except ArgumentError:
            return None

    def between(self, roles: Sequence[str]) -> list[str] | None:
        """The texts before, between and after the contents of a conversation.

        None where the template refuses it.
        """
        contents = [f"Content{number}of{len(roles)}" for number in range(len(roles))]
        text = self.render(_talk(roles, contents))
        if text is None:
            return None
        pieces = []
        for role, content in zip(roles, contents, strict=True):
            if text.count(content) != 1:
                raise _NoConcatenationError(
                    f"a {role!r} message does not come out once, in its place"
                )
            before, text = text.split(content)
            pieces.append(before)
        return [*pieces, text]


def _talk(roles: Sequence[str], contents: Sequence[str]) -> list[dict[str, str]]:
    return [
        {"role": role, "content": content} for role, content in zip(roles, contents, strict=True)
    ]


def _find(probe: _Probe, names: Sequence[str]) -> tuple[str, dict[str, _Role]]:
    """The text before an answer, and the rules of each role that the template takes."""
    shapes: dict[tuple[str, ...], list[str]] = {}
    for length in (1, 2, 3):
        for roles in itertools.product(names, repeat=length):
            pieces = probe.between(roles)
            if pieces is not None:
                shapes[roles] = pieces
    found: dict[str, _Role] = {}
    for roles, pieces in shapes.items():
        found.setdefault(roles[-1], _Role(suffix=pieces[-1]))
    if "user" not in found or "assistant" not in found:
        raise _NoConcatenationError("it takes no conversation of a user and an assistant")
    for roles, pieces in shapes.items():
        _learn(found, roles, pieces)
        found[roles[-1]].trim = found[roles[-1]].trim or _trims(probe, roles)
    return _find_answer(probe, next(roles for roles in shapes if roles[-1] == "user")), found


def _learn(found: Mapping[str, _Role], roles: Sequence[str], pieces: Sequence[str]) -> None:
    """Takes what a conversation says of its last message."""
    role, previous = found[roles[-1]], roles[-2] if len(roles) > 1 else ""
    role.after = tuple(sorted({*role.after, previous}))
    if not previous:
        role.first = pieces[0]
    elif previous not in found or not pieces[-2].startswith(found[previous].suffix):
        raise _NoConcatenationError(
            f"what ends a {previous!r} message depends on what comes after it"
        )
    else:
        role.later = pieces[-2][len(found[previous].suffix) :]


def _find_answer(probe: _Probe, roles: Sequence[str]) -> str:
    """What the template writes before an answer."""
    talk = _talk(roles, ["text"] * len(roles))
    without, asked = probe.render(talk), probe.render(talk, answer=True)
    if without is None or asked is None or not asked.startswith(without):
        raise _NoConcatenationError("what begins an answer does not come last")
    if probe.render(talk, answer=True, day="another day") != asked:
        raise _NoConcatenationError("it writes the date of the day")
    return asked[len(without) :]


def _trims(probe: _Probe, roles: Sequence[str]) -> bool:
    plain = ["text"] * (len(roles) - 1)
    return probe.render(_talk(roles, [*plain, " \n text\t "])) == probe.render(
        _talk(roles, [*plain, "text"])
    )


def _write(messages: Conversation, answer: str, roles: Mapping[str, _Role]) -> str | None:
    """What a reader of the format writes; None where the format refuses."""
    text, previous = "", ""
    for message in messages:
        role = roles.get(message["role"])
        if role is None or previous not in role.after:
            return None
        content = message["content"].strip() if role.trim else message["content"]
        text += (role.later if previous else role.first) + content + role.suffix
        previous = message["role"]
    return text + answer


def _prove(probe: _Probe, names: Sequence[str], answer: str, roles: Mapping[str, _Role]) -> None:
    """Raises _NoConcatenationError at the first conversation that the template writes otherwise."""
    conversations = [
        _talk(order, ["one", "two", "three", "four"][:length])
        for length in (1, 2, 3, 4)
        for order in itertools.product(names, repeat=length)
    ]
    chance = random.Random(0)  # noqa: S311 - the same conversations each time
    for _ in range(_RANDOM_CONVERSATIONS):
        order = _random_order(chance, names, roles)
        contents = ["".join(chance.choices(_WORDS, k=chance.randrange(1, 5))) for _ in order]
        conversations.append(_talk(order, contents))
    for messages in conversations:
        for asked in (True, False):
            expected = probe.render(messages, answer=asked)
            written = _write(messages, answer if asked else "", roles)
            if expected != written:
                raise _NoConcatenationError(
                    f"{json.dumps(messages, ensure_ascii=False)} comes out as {_shown(expected)}, "
                    f"a concatenation would be {_shown(written)}"
                )


def _random_order(
    chance: random.Random, names: Sequence[str], roles: Mapping[str, _Role]
) -> list[str]:
    """A conversation that the rules allow, or now and then any."""
    order: list[str] = []
    for _ in range(chance.randrange(1, 9)):
        previous = order[-1] if order else ""
        allowed = [name for name, role in roles.items() if previous in role.after]
        order.append(
            chance.choice(allowed if allowed and chance.random() < _LAWFUL else list(names))
        )
    return order


def _shown(text: str | None) -> str:
    return (
        "refused" if text is None else repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
    )
