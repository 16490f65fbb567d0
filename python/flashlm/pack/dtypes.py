# SPDX-License-Identifier: Apache-2.0
"""dtypes.py: which number format each tensor gets.

What the engine computes with stays as it is; every other type becomes f16, which has at least as many bits. On request
all matrices get one format. The three matrices of a feed-forward network share one, since they lie in one bundle.
"""

from __future__ import annotations

from collections.abc import Mapping

NATIVE = {"F32": "f32", "F16": "f16", "BF16": "bf16", "Q8_0": "q8_0", "Q4_0": "q4_0"}  # GGUF's and safetensors' words
BLOCK = 32  # numbers that share a scale in q8_0 and q4_0
QUANTISED = ("q8_0", "q4_0")
# Rounding turns larger numbers into infinity; the scale of a block is an f16 number.
LARGEST = {"f32": 3.5e38, "f16": 65504.0, "bf16": 3.38e38, "q8_0": 127 * 65504.0, "q4_0": 8 * 65504.0}

# Every token begins with one and ends with the other, so rounding them costs more than rounding any layer: in q4_0,
# more than a third of what SmolLM2-135M loses in perplexity.
_ENDS = ("embedding", "head")

_FEED_FORWARD = ("gate", "up", "down")


def choose(kinds: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]], dtype: str) -> dict[str, str]:
    """The number format of every tensor.

    Args:
        kinds: Of each tensor by flashlm's name, its type in the source's words.
        shapes: Its shape.
        dtype: "source", or the format that all matrices shall have. Where their rows are not whole blocks, q8_0 and
            q4_0 become f16; with q4_0, embedding and head become q8_0 unless the source has them in q4_0.

    Returns:
        Name -> "f32", "f16", "bf16", "q8_0" or "q4_0". Vectors are f32.

    Example:
        >>> choose({"head": "Q6_K", "q": "Q4_0"}, {"head": (9, 64), "q": (64, 64)}, "source")
        {'head': 'f16', 'q': 'q4_0'}
    """
    result: dict[str, str] = {}
    for name, kind in kinds.items():
        layer, _, part = name.rpartition(".")
        if len(shapes[name]) == 1:
            result[name] = "f32"
        elif layer and part in _FEED_FORWARD:
            names = [each for part in _FEED_FORWARD if (each := f"{layer}.{part}") in kinds]
            wanted = _common({kinds[each] for each in names}) if dtype == "source" else dtype
            result[name] = _of_blocks(wanted, [shapes[each][-1] for each in names])
        else:
            wanted = NATIVE.get(kind, "f16") if dtype == "source" else dtype
            if name in _ENDS and wanted == "q4_0" and kind != "Q4_0":
                wanted = "q8_0"
            result[name] = _of_blocks(wanted, [shapes[name][-1]])
    return result


def _common(kinds: set[str]) -> str:
    """The format of matrices that share one: their own, or one that has at least the bits of each."""
    formats = {NATIVE.get(kind, "f16") for kind in kinds}
    if len(formats) == 1:
        return formats.pop()
    return "f32" if formats & {"f32", "bf16"} else "f16"


def _of_blocks(dtype: str, lengths: list[int]) -> str:
    """`dtype`, or f16 if it has blocks and a row of one of these lengths does not."""
    return "f16" if dtype in QUANTISED and any(length % BLOCK for length in lengths) else dtype
