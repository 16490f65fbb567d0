# SPDX-License-Identifier: Apache-2.0
"""turn_ends.py: which tokens end what a model writes: the end of a text, and the end of a turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# What ends a turn in the families' chat formats; llama.cpp stops at these too.
_END_OF_TURN = (
    *(
        "<|im_end|>",
        "<|eot_id|>",
        "<|eom_id|>",
        "<|end|>",
        "<|end_of_turn|>",
        "<end_of_turn>",
        "<|eot|>",
        "<|return|>",
    ),
    *(
        "<|call|>",
        "<|END_OF_TURN_TOKEN|>",
        "<end_of_utterance>",
        "<|endofturn|>",
        "[|endofturn|]",
        "<|end_of_text|>",
    ),
    *("<|endoftext|>", "<\uff5cend\u2581of\u2581sentence\uff5c>", "<EOT>", "[EOT]", "< EOT >"),
)
_CALLS = (
    "<|return|>",
    "<|call|>",
)  # a model that has both ends only a part of its turn with <|end|>


def turn_ends(
    control: Iterable[str], templates: Iterable[str], eos_token: str | None = None
) -> list[str]:
    """The texts of the tokens that end a turn.

    Args:
        control: The model's control tokens.
        templates: Its chat templates.
        eos_token: What its tokenizer calls the end.

    Returns:
        Those of the control tokens that are the tokenizer's end, or that a template ends turns
        with.

    Example:
        >>> template = "{{ m.content }}<|im_end|>"
        >>> turn_ends(["<|endoftext|>", "<|im_end|>"], [template], "<|endoftext|>")
        ['<|endoftext|>', '<|im_end|>']
    """
    known = set(control)
    templates = list(templates)
    found = [
        text
        for text in _END_OF_TURN
        if text in known and any(text in template for template in templates)
    ]
    if all(text in known for text in _CALLS) and "<|end|>" in found:
        found.remove("<|end|>")
    return list(dict.fromkeys([*([eos_token] if eos_token in known and eos_token else []), *found]))


def with_ends(
    generation: Mapping[str, Any],
    config: Mapping[str, Any],
    control: Mapping[str, int],
    ends: Iterable[str],
) -> dict[str, Any]:
    """The content of generation_config.json with all ids that end a text or a turn.

    Args:
        generation: The source's own generation_config.json, or what stands for it.
        config: Its config.json.
        control: The control tokens' ids.
        ends: Those that `turn_ends` found.

    Returns:
        The same as `generation` where that has them all.

    Example:
        >>> ids = {"<|endoftext|>": 0, "<|im_end|>": 2}
        >>> with_ends({"eos_token_id": 0}, {}, ids, ["<|im_end|>"])
        {'eos_token_id': [0, 2]}
    """
    own = _ids(generation.get("eos_token_id"))
    # Where both configs name an end, config.json's may be what its class has by default, and no end
    # at all.
    also = [
        token for token in _ids(config.get("eos_token_id")) if not own or token in control.values()
    ]
    size = config.get("vocab_size")
    named = [control[text] for text in ends if not isinstance(size, int) or control[text] < size]
    ids = list(dict.fromkeys([*own, *also, *named]))
    if set(ids) == set(own):
        return dict(generation)
    return {**generation, "eos_token_id": ids if len(ids) > 1 else ids[0]}


def _ids(value: object) -> list[int]:
    values = value if isinstance(value, list) else [value]
    return [token for token in values if isinstance(token, int) and not isinstance(token, bool)]
