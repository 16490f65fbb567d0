# SPDX-License-Identifier: Apache-2.0
"""dtypes.py: which number format each tensor gets.

What the engine computes with stays as it is; every other type becomes f16, which has at least as
many bits. On request all matrices get one format. The three matrices of a feed-forward network
share one where they lie in one bundle.
"""

from __future__ import annotations

from collections.abc import Mapping

from flashlm import _core

FORMATS = {each.name: each for each in _core.number_formats()}
NATIVE = {
    each.gguf_name: each.name for each in FORMATS.values()
}  # of GGUF's and safetensors' words
ROUNDED = tuple(
    name for name, each in FORMATS.items() if each.can_round
)  # what a matrix can be rounded to
QUANTISED = frozenset(name for name, each in FORMATS.items() if each.is_block)

# Every token begins with one and ends with the other, so rounding them costs more than rounding any
# layer: in q4_0, more than a third of what SmolLM2-135M loses in perplexity.
_ENDS = ("embedding", "head")
_ENDS_FORMAT = "q8_0"  # what they get in place of a format of fewer bits

_FEED_FORWARD = ("gate", "up", "down")


def choose(
    kinds: Mapping[str, str],
    shapes: Mapping[str, tuple[int, ...]],
    dtype: str,
    *,
    bundled: bool = False,
) -> dict[str, str]:
    """The number format of every tensor.

    Args:
        kinds: Of each tensor by flashlm's name, its type in the source's words.
        shapes: Its shape.
        dtype: "source", or the format that all matrices shall have. Where their rows are not whole
            blocks, they become f16; with fewer bits than q8_0, embedding and head become q8_0
            unless the source has them in that format.
        bundled: Whether the matrices of a feed-forward network share a format: their own if they
            agree, f32 if one of them is f32 or bf16, else f16.

    Returns:
        Name -> the name of a number format. Vectors are f32.

    Example:
        >>> choose({"head": "Q6_K", "q": "Q4_0"}, {"head": (9, 64), "q": (64, 64)}, "source")
        {'head': 'f16', 'q': 'q4_0'}
    """
    result: dict[str, str] = {}
    for name, kind in kinds.items():
        layer, _, part = name.rpartition(".")
        if len(shapes[name]) == 1:
            result[name] = "f32"
        elif bundled and layer and part in _FEED_FORWARD:
            names = [each for part in _FEED_FORWARD if (each := f"{layer}.{part}") in kinds]
            wanted = _common({kinds[each] for each in names}) if dtype == "source" else dtype
            result[name] = _of_blocks(wanted, [shapes[each][-1] for each in names])
        else:
            wanted = NATIVE.get(kind, "f16") if dtype == "source" else dtype
            if name in _ENDS and _bits(wanted) < _bits(_ENDS_FORMAT) and wanted != NATIVE.get(kind):
                wanted = _ENDS_FORMAT
            result[name] = _of_blocks(wanted, [shapes[name][-1]])
    return result


def is_network(name: str) -> bool:
    """Whether a tensor is a matrix of a feed-forward network.

    Example:
        >>> is_network("layers.0.up"), is_network("layers.0.up_bias")
        (True, False)
    """
    return name.rpartition(".")[2] in _FEED_FORWARD


def _common(kinds: set[str]) -> str:
    """The format of matrices that share one: their own, or one with at least the bits of each."""
    formats = {NATIVE.get(kind, "f16") for kind in kinds}
    if len(formats) == 1:
        return formats.pop()
    return "f16" if formats <= {"f16", *QUANTISED} else "f32"


def _of_blocks(dtype: str, lengths: list[int]) -> str:
    """`dtype`, or f16 if a row of one of these lengths is not whole blocks of it."""
    return "f16" if any(length % FORMATS[dtype].numbers for length in lengths) else dtype


def _bits(dtype: str) -> float:
    """Bits of a number, with its share of a scale."""
    return 8 * FORMATS[dtype].bytes / FORMATS[dtype].numbers
