# SPDX-License-Identifier: Apache-2.0
"""choices.py: refuses what a model cannot be opened with, rather than to ignore it."""

from __future__ import annotations

import operator

from flashlm._core import ArgumentError, parse_memory

READERS = ("auto", "threads", "uring")
_SELECTORS = ("auto", "dense", "predictor", "gate", "threshold")
_MOST_THREADS = 1024
MOST_32_BITS = (1 << 31) - 1
MOST_64_BITS = (1 << 63) - 1
_POLICIES = ("auto", "combined", "window", "lru", "frequency", "paper", "none")


def check_choices(*, selector: str, policy: str, window: int | None, drafter: object | None) -> None:
    """Raises NotImplementedError for what comes later, ArgumentError for what nobody knows."""
    if selector == "router":
        raise NotImplementedError(
            "[language_model] selector: 'router' comes with mixtures of experts, which this version does not have yet."
        )
    for name, value, known in (("selector", selector, _SELECTORS), ("policy", policy, _POLICIES)):
        if value not in known:
            raise ArgumentError(f"[language_model] {name}: expected one of {', '.join(known)}, got {value!r}.")
    check_whole("window", window, least=1, most=MOST_32_BITS)
    if drafter is not None:
        raise NotImplementedError(
            f"[language_model] drafter: expected None, got {drafter!r}. Speculative decoding is "
            "not in this version yet."
        )


def check_sizes(*, context: int | None, threads: int | None) -> None:
    """Raises ArgumentError for numbers that no model can be opened with."""
    check_whole("context", context, least=1, most=MOST_32_BITS)
    check_whole("threads", threads, least=1, most=_MOST_THREADS)


def check_whole(name: str, value: object, *, least: int, most: int, where: str = "language_model") -> None:
    """Raises ArgumentError unless `value` is None or a whole number from `least` to `most`."""
    if value is None:
        return
    try:
        number = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None:
        raise ArgumentError(f"[{where}] {name}: expected a whole number, got {value!r}")
    if number < least:
        raise ArgumentError(f"[{where}] {name}: expected {least} or more, got {number}")
    if number > most:
        raise ArgumentError(f"[{where}] {name}: expected {least} to {most}, got {number}")


def check_memory(memory: str | int) -> str:
    """The budget as the engine reads it. Raises ArgumentError for what is neither a number nor a text."""
    if isinstance(memory, bool) or not isinstance(memory, (str, int)):
        raise ArgumentError(
            "[language_model] memory: expected bytes as a number or text such as '4GiB' or '50%', got "
            f"{type(memory).__name__}."
        )
    return memory if isinstance(memory, str) else str(memory)


def check_size(size: str | int, name: str) -> int:
    """A number of bytes from a number or a text such as "8GiB". Raises ArgumentError for anything else."""
    if isinstance(size, bool) or not isinstance(size, (str, int)):
        raise ArgumentError(
            f"[language_model] {name}: expected bytes as a number or text such as '8GiB', got {type(size).__name__}."
        )
    if isinstance(size, int):
        return size
    parsed = parse_memory(size)
    if parsed.share is not None:
        raise ArgumentError(f"[language_model] {name}: expected bytes such as '8GiB', got a share, {size!r}.")
    return parsed.bytes
