# SPDX-License-Identifier: Apache-2.0
"""fields.py: the keys of a config.json, or of a GGUF's metadata, read strictly.

A key that nobody asked for is refused.

A family asks for the keys that shape its graph. What is left must be known to be harmless, since it
could as well be a feature that the graph lacks.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flashlm._core import FormatError
from flashlm.packing.graph import (
    Rope,
    default_frequencies,
    linear_frequencies,
    llama3_frequencies,
    rope,
    yarn_attention_factor,
    yarn_frequencies,
)

_MOST = 1 << 31
_MOST_LAYERS = 1 << 16

# Keys that shape no graph, whatever they hold: how a model was made, saved, trained or is sampled
# from.
HARMLESS = frozenset(
    """
    _attn_implementation _attn_implementation_autoset _name_or_path architectures
    attn_implementation bad_words_ids begin_suppress_tokens chunk_size_feed_forward
    diversity_penalty do_sample dtype early_stopping encoder_no_repeat_ngram_size
    exponential_decay_length_penalty finetuning_task gradient_checkpointing id2label init_std
    initializer_factor initializer_range is_decoder is_llama_config label2id layerdrop
    length_penalty max_length max_sequence_length min_length model_type no_repeat_ngram_size
    num_beam_groups num_beams num_labels num_return_sequences output_attentions output_hidden_states
    output_scores prefix problem_type pruned_heads remove_invalid_values repetition_penalty
    return_dict return_dict_in_generate suppress_tokens task_specific_params temperature
    tf_legacy_loss tokenizer_class top_k top_p torch_dtype torchscript transformers.js_config
    transformers_version typical_p unsloth_fixed unsloth_version use_bfloat16 use_cache
    """.split()  # noqa: SIM905 - one name a line would be long
)
_HARMLESS_ENDS = ("_token_id", "dropout", "_pdrop")

# Keys that say of a feature that it is not there, by one of these values. Anything else is refused;
# a family that has the feature asks for the key itself.
MUST_BE_OFF: Mapping[str, tuple[object, ...]] = {
    "add_cross_attention": (False, None),
    "attention_bias": (False, None),
    "attention_out_bias": (False, None),
    "auto_map": (None,),
    "clip_qkv": (None,),
    "cross_attention_hidden_size": (None,),
    "embedding_size": (None,),
    "is_encoder_decoder": (False, None),
    "mlp_bias": (False, None),
    "partial_rotary_factor": (1, None),
    "pretraining_tp": (1, None),
    "qk_layernorm": (False, None),
    "quantization": (None,),
    "quantization_config": (None,),
    "rope_interleaved": (False, None),
    "sliding_window": (None,),
    "tie_encoder_decoder": (False, None),
    "use_mrope": (False, None),
    "use_qk_norm": (False, None),
    "use_sliding_window": (False, None),
}

_ROPE_TYPES: dict[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
    "yarn": ("factor", "original_max_position_embeddings"),
}


class Fields:
    """The keys of one object, by name; remembers which were asked for.

    Args:
        values: The object.
        path: Its file, for messages.
        where: The part of messages in brackets.
        kind: What the object is called in messages.
        prefix: What stands before its keys in messages.
        strict: Whether `finish` refuses keys that nobody asked for.

    Example:
        >>> config = Fields({"hidden_size": 64, "glow": True}, Path("config.json"))
        >>> config.count("hidden_size")
        64
        >>> config.finish("Families that run: llama.")
        Traceback (most recent call last):
        ...
        flashlm.FormatError: [pack] config: glow = True is not known, and may change what the model
        computes \
(config.json). Families that run: llama.
    """

    harmless = HARMLESS
    must_be_off = MUST_BE_OFF

    def __init__(
        self,
        values: Mapping[str, Any],
        path: Path,
        *,
        where: str = "pack",
        kind: str = "config",
        prefix: str = "",
        strict: bool = True,
    ) -> None:
        self.path = path
        self._values = values
        self._where = where
        self._kind = kind
        self._prefix = prefix
        self._strict = strict
        self._asked: set[str] = set()
        self._turns_part = False  # of a head, with rope

    def get(self, key: str, default: Any = None) -> Any:
        """The value as it is; the default where it is absent or null."""
        self._asked.add(key)
        value = self._values.get(key)
        return default if value is None else value

    def ignore(self, *keys: str) -> None:
        """Says that these keys may hold anything."""
        self._asked.update(keys)

    def count(
        self, key: str, default: int | None = None, *, most: int = _MOST - 1, least: int = 1
    ) -> int:
        """A whole number.

        A list of one number a layer counts as that number, if all are the same.
        """
        value = self.get(key, default)
        if isinstance(value, list) and value and all(item == value[0] for item in value):
            value = value[0]
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            what = (
                "a positive whole number"
                if most == _MOST - 1 and least == 1
                else f"{least} to {most}"
            )
            raise self.error(f"expected {self._prefix}{key} to be {what}, got {brief(value)}")
        return value

    def layers(self, key: str) -> int:
        """The number of layers."""
        return self.count(key, most=_MOST_LAYERS)

    def number(self, key: str, default: float | None = None) -> float:
        """A positive number."""
        value = self.get(key, default)
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not math.isfinite(value)
            or value <= 0
        ):
            raise self.error(
                f"expected {self._prefix}{key} to be a positive number, got {brief(value)}"
            )
        return float(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.get(key, default)
        if not isinstance(value, bool):
            raise self.error(
                f"expected {self._prefix}{key} to be true or false, got {brief(value)}"
            )
        return value

    def word(self, key: str, default: str, known: tuple[str, ...]) -> str:
        """One of some words."""
        value = self.get(key, default)
        if value not in known:
            expected = repr(known[0]) if len(known) == 1 else f"one of {', '.join(known)}"
            raise self.error(
                f"{self._prefix}{key} = {brief(value)} is not supported, expected {expected}"
            )
        return str(value)

    def off(self, key: str, *allowed: object) -> None:
        """Refuses a feature, unless the key is absent or has one of these values."""
        self._asked.add(key)
        if key in self._values and self._values[key] not in allowed:
            raise self.error(
                f"{self._prefix}{key} = {brief(self._values[key])} is not supported, expected "
                f"{allowed[0]!r}"
            )

    def divides(self, key: str, value: int, whole_key: str, whole: int) -> None:
        """Refuses `value`, unless it divides `whole`."""
        if whole % value:
            raise self.error(
                f"expected {self._prefix}{whole_key} to be a multiple of {self._prefix}{key}, got "
                f"{whole} and {value}"
            )

    def full_attention(self) -> None:
        """Refuses sliding windows, as the keys of Qwen say them.

        Sizes of windows that are not used may be any.
        """
        self.off("use_sliding_window", False, None)
        self.ignore("sliding_window", "max_window_layers")
        kinds = self.get("layer_types", [])
        if not isinstance(kinds, list) or any(kind != "full_attention" for kind in kinds):
            raise self.error(
                f"expected layer_types to be full_attention everywhere, got {brief(kinds)}"
            )

    def rotary(
        self, head_dim: int, key: str = "partial_rotary_factor", default: float = 1.0
    ) -> int:
        """How many numbers of a head turn.

        It is a fraction, which `rope_parameters` or a key of its own names.

        Args:
            head_dim: Numbers of a head.
            key: The key.
            default: The fraction where neither names one.
        """
        scaling = self.get("rope_parameters", self.get("rope_scaling", {}))
        fraction = self.number(key, default)
        if isinstance(scaling, dict):
            fraction = Fields(scaling, self.path).number("partial_rotary_factor", fraction)
        dims = int(head_dim * fraction)
        if dims % 2 or not 0 < dims <= head_dim:
            raise self.error(
                f"expected {self._prefix}{key} to give an even number of {head_dim}, got {dims}"
            )
        self._turns_part = True
        return dims

    def windows(self, usual: Sequence[str]) -> list[int | None]:
        """The window of each layer, None for all positions.

        Args:
            usual: "sliding_attention" or "full_attention" a layer, where `layer_types` does not say
                them.
        """
        kinds = self.get("layer_types", list(usual))
        known = ("full_attention", "sliding_attention")
        if (
            not isinstance(kinds, list)
            or len(kinds) != len(usual)
            or any(kind not in known for kind in kinds)
        ):
            raise self.error(
                f"expected layer_types to be one of {', '.join(known)} for each of {len(usual)} "
                f"layers, "
                f"got {brief(kinds)}"
            )
        self.ignore("sliding_window")
        slides = [kind == "sliding_attention" for kind in kinds]
        window = self.count("sliding_window") if any(slides) else None
        return [window if slide else None for slide in slides]

    def rope(self, dims: int, theta: float = 10000.0) -> Rope:
        """Rotary positions of a config.json.

        It says `rope_theta` with `rope_scaling`, or the `rope_parameters` of both.

        Args:
            dims: How many numbers of a head turn.
            theta: Where the config names none.
        """
        theta = self.number("rope_theta", theta)
        name = "rope_parameters" if self.get("rope_parameters") is not None else "rope_scaling"
        self.ignore("rope_parameters", "rope_scaling")
        values = self.get(name, {})
        if not isinstance(values, dict):
            raise self.error(f"expected {name} to be an object, got {brief(values)}")
        scaling = Fields(values, self.path, strict=self._strict)
        theta = scaling.number("rope_theta", theta)
        kind = scaling.get("rope_type", scaling.get("type", "default"))
        scaling.ignore("type", *(["partial_rotary_factor"] if self._turns_part else []))
        if not isinstance(kind, str) or kind not in _ROPE_TYPES:
            raise self.error(
                f"rope type {brief(kind)} is not supported, expected one of "
                f"{', '.join(_ROPE_TYPES)}"
            )
        frequencies = default_frequencies(dims, theta)
        if kind == "linear":
            frequencies = linear_frequencies(frequencies, scaling.number("factor"))
        elif kind == "llama3":
            numbers = [scaling.number(key) for key in _ROPE_TYPES[kind]]
            if numbers[2] <= numbers[1]:
                raise self.error(
                    f"expected high_freq_factor above low_freq_factor, which is {numbers[1]:g}, "
                    f"got {numbers[2]:g}"
                )
            frequencies = llama3_frequencies(frequencies, *numbers)
        elif kind == "yarn":
            return scaling._yarn(dims, theta, name)
        else:
            scaling.ignore(*(key for keys in _ROPE_TYPES.values() for key in keys))
        scaling.finish(f"It stands in {name}.")
        return rope(dims, frequencies)

    def _yarn(self, dims: int, theta: float, name: str) -> Rope:
        """Rope with the numbers of YaRN in this object, as transformers reads them."""
        factor = self.number("factor")
        frequencies = yarn_frequencies(
            default_frequencies(dims, theta),
            theta,
            factor,
            self.number("original_max_position_embeddings"),
            fast=self.number("beta_fast", 32.0),
            slow=self.number("beta_slow", 1.0),
            whole=self.flag("truncate", default=True),
        )
        attention = yarn_attention_factor(factor)
        if self.get("mscale") is not None and self.get("mscale_all_dim") is not None:
            scales = (self.number("mscale"), self.number("mscale_all_dim"))
            attention = yarn_attention_factor(factor, scales[0]) / yarn_attention_factor(
                factor, scales[1]
            )
        attention = self.number("attention_factor", attention)
        self.finish(f"It stands in {name}.")
        return rope(dims, frequencies, attention)

    def finish(self, hint: str) -> None:
        """Refuses the first key that nobody asked for and that is not known to be harmless."""
        if not self._strict:
            return
        for key, value in self._values.items():
            if key in self._asked or key in self.harmless or key.endswith(_HARMLESS_ENDS):
                continue
            if key in self.must_be_off:
                self.off(key, *self.must_be_off[key])
            elif value is not None:
                raise self.error(
                    f"{self._prefix}{key} = {brief(value)} is not known, and may change what the "
                    f"model computes",
                    hint,
                )

    def error(self, message: str, hint: str = "") -> FormatError:
        """A FormatError about the file."""
        return FormatError(
            f"[{self._where}] {self._kind}: {message} ({self.path}){'. ' if hint else ''}{hint}"
        )


def brief(value: object) -> str:
    """A foreign value, short enough for a message."""
    return reprlib.repr(value)
