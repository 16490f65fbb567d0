# SPDX-License-Identifier: Apache-2.0
"""choices.py: refuses what a model cannot be opened with, rather than to ignore it."""

from __future__ import annotations

from flashlm._core import ArgumentError, parse_memory

# What has a name already and comes later.
_SELECTORS = {"predictor": "low-rank predictors", "gate": "the gate selector", "router": "mixtures of experts"}


def check_choices(*, selector: str, policy: str, window: int | None, drafter: object | None) -> None:
    """Raises NotImplementedError for what comes later, ArgumentError for what nobody knows."""
    if selector not in ("auto", "dense"):
        coming = _SELECTORS.get(selector)
        if coming is None:
            raise ArgumentError(f"[language_model] selector: expected 'auto' or 'dense', got {selector!r}.")
        raise NotImplementedError(
            f"[language_model] selector: {selector!r} comes with {coming}, which this version "
            "does not have yet. Use 'auto' or 'dense'."
        )
    if policy != "auto":
        raise NotImplementedError(
            f"[language_model] policy: expected 'auto', got {policy!r}. Choosing what stays in "
            "DRAM comes with the neuron cache, which this version does not have yet."
        )
    if window is not None:
        raise NotImplementedError(
            f"[language_model] window: expected None, got {window!r}. It belongs to the sparse "
            "selectors, which this version does not have yet."
        )
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
