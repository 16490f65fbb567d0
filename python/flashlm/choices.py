# SPDX-License-Identifier: Apache-2.0
"""choices.py: refuses what a model cannot be opened with, rather than to ignore it."""

from __future__ import annotations

from flashlm import _values
from flashlm._core import ArgumentError, parse_memory
from flashlm._values import MOST_32_BITS

READERS = ("auto", "threads", "uring")
_SELECTORS = ("auto", "dense", "predictor", "gate", "threshold")
MOST_THREADS = 1024
_POLICIES = ("auto", "combined", "window", "lru", "frequency", "paper", "none")


def check_choices(*, selector: str, policy: str, window: int | None, drafter: object | None) -> None:
    """Raises NotImplementedError for what comes later, ArgumentError for what nobody knows."""
    if isinstance(selector, str) and selector == "router":
        raise NotImplementedError(
            "[language_model] selector: 'router' comes with mixtures of experts, which this version does not have yet."
        )
    _values.choice(selector, "selector", _SELECTORS, where="language_model")
    _values.choice(policy, "policy", _POLICIES, where="language_model")
    check_whole("window", window, least=1, most=MOST_32_BITS)
    if drafter is not None:
        raise NotImplementedError(
            f"[language_model] drafter: expected None, got {_values.shown(drafter)}. Speculative decoding is "
            "not in this version yet."
        )


def check_sizes(*, context: int | None, threads: int | None, parallel: int = 1) -> None:
    """Raises ArgumentError for numbers that no model can be opened with."""
    _values.whole(parallel, "parallel", where="language_model", least=1, most=MOST_32_BITS)
    check_whole("context", context, least=1, most=MOST_32_BITS)
    check_whole("threads", threads, least=1, most=MOST_THREADS)


def check_whole(name: str, value: object, *, least: int, most: int, where: str = "language_model") -> None:
    """Raises ArgumentError unless `value` is None or a whole number from `least` to `most`."""
    if value is not None:
        _values.whole(value, name, where=where, least=least, most=most)


def check_memory(memory: str | int, name: str = "memory", where: str = "language_model") -> str:
    """The budget as the engine reads it. Raises ArgumentError for what is none."""
    expected = "'auto', bytes such as '4GiB', or a share of the weights such as '50%'"
    try:
        text = _values.valid(memory) if isinstance(memory, str) else str(_bytes(memory, name, where, expected))
        parse_memory(text)
    except ArgumentError:
        _values.refuse(where, name, expected, memory)
    return text


def check_size(size: str | int, name: str, where: str = "language_model") -> int:
    """A number of bytes from a number or a text such as "8GiB". Raises ArgumentError for anything else."""
    if not isinstance(size, str):
        return _bytes(size, name, where, "bytes as a number or text such as '8GiB'")
    parsed = parse_memory(size)
    if parsed.share is not None or parsed.automatic:
        got = "a share, " if parsed.share is not None else ""
        raise ArgumentError(f"[{where}] {name}: expected bytes such as '8GiB', got {got}{_values.shown(size)}.")
    return parsed.bytes


def _bytes(size: object, name: str, where: str, texts: str) -> int:
    if isinstance(size, bool) or not hasattr(size, "__index__"):
        _values.refuse(where, name, texts, size)
    return _values.whole(size, name, where=where, least=0, most=_values.MOST_64_BITS)
