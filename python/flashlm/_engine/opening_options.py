# SPDX-License-Identifier: Apache-2.0
"""opening_options.py: refuses what a model cannot be opened with, rather than to ignore it.

Words and ranges are those of the engine's table (include/flashlm/text/options.hpp).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from flashlm import _core
from flashlm._core import ArgumentError, parse_memory
from flashlm._engine import checks

_TABLE = {option["name"]: option for option in _core.OPENING_OPTIONS}
READERS = tuple(_TABLE["reader"]["words"].split(", "))
MOST_THREADS: int = _TABLE["threads"]["most"]
_DRAFTERS = ("auto", "none")


def check_opening(options: Mapping[str, Any]) -> None:
    """Raises ArgumentError for what nobody knows, NotImplementedError for what comes later."""
    for name, value in options.items():
        option = _TABLE[name]
        if name == "selector" and isinstance(value, str) and value == "router":
            raise NotImplementedError(
                "[language_model] selector: 'router' comes with mixtures of experts, which this "
                "version does not have "
                "yet."
            )
        if words := option["words"]:
            checks.choice(value, name, words.split(", "), where="language_model")
        elif isinstance(option["default"], bool):
            checks.flag(value, name, where="language_model")
        elif value is not None or option["default"] is not None:
            checks.whole(
                value, name, where="language_model", least=option["least"], most=option["most"]
            )


def check_drafter(drafter: object) -> None:
    """Raises ArgumentError for what nobody knows, NotImplementedError for what comes later."""
    if drafter is None or drafter in _DRAFTERS:
        return
    expected = f"expected 'auto' or 'none', got {checks.shown(drafter)}"
    if not isinstance(drafter, (str, os.PathLike)):
        raise ArgumentError(f"[language_model] drafter: {expected}.")
    raise NotImplementedError(
        f"[language_model] drafter: {expected}. Speculative decoding is not in this version yet."
    )


def check_whole(
    name: str, value: object, *, least: int, most: int, where: str = "language_model"
) -> None:
    """Raises ArgumentError unless `value` is None or a whole number from `least` to `most`."""
    if value is not None:
        checks.whole(value, name, where=where, least=least, most=most)


def check_memory(memory: str | int, name: str = "memory", where: str = "language_model") -> str:
    """The budget as the engine reads it. Raises ArgumentError for what is none."""
    expected = "'auto', bytes such as '4GiB', or a share of the weights such as '50%'"
    try:
        text = (
            checks.valid(memory)
            if isinstance(memory, str)
            else str(_bytes(memory, name, where, expected))
        )
        parse_memory(text)
    except ArgumentError:
        checks.refuse(where, name, expected, memory)
    return text


def check_size(size: str | int, name: str, where: str = "language_model") -> int:
    """A number of bytes from a number or a text such as "8GiB".

    Raises ArgumentError for anything else.
    """
    if not isinstance(size, str):
        return _bytes(size, name, where, "bytes as a number or text such as '8GiB'")
    parsed = parse_memory(size)
    if parsed.share is not None or parsed.automatic:
        got = "a share, " if parsed.share is not None else ""
        raise ArgumentError(
            f"[{where}] {name}: expected bytes such as '8GiB', got {got}{checks.shown(size)}."
        )
    return parsed.bytes


def _bytes(size: object, name: str, where: str, texts: str) -> int:
    if isinstance(size, bool) or not hasattr(size, "__index__"):
        checks.refuse(where, name, texts, size)
    return checks.whole(size, name, where=where, least=0, most=checks.MOST_64_BITS)
