# SPDX-License-Identifier: Apache-2.0
"""choices.py: refuses what a model cannot be opened with, rather than to ignore it."""

from __future__ import annotations

from flashlm._core import ArgumentError, parse_memory

_SELECTORS = ("auto", "dense", "predictor", "gate", "threshold")
_POLICIES = ("auto", "combined", "window", "lru", "frequency", "none")


def check_choices(*, selector: str, policy: str, window: int | None, drafter: object | None) -> None:
    """Raises NotImplementedError for what comes later, ArgumentError for what nobody knows."""
    if selector == "router":
        raise NotImplementedError(
            "[language_model] selector: 'router' comes with mixtures of experts, which this version does not have yet."
        )
    for name, value, known in (("selector", selector, _SELECTORS), ("policy", policy, _POLICIES)):
        if value not in known:
            raise ArgumentError(f"[language_model] {name}: expected one of {', '.join(known)}, got {value!r}.")
    if isinstance(window, bool) or not isinstance(window, (int, type(None))):
        raise ArgumentError(f"[language_model] window: expected a number of tokens or None, got {window!r}.")
    if drafter is not None:
        raise NotImplementedError(
            f"[language_model] drafter: expected None, got {drafter!r}. Speculative decoding is "
            "not in this version yet."
        )


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
