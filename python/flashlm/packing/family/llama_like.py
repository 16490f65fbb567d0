# SPDX-License-Identifier: Apache-2.0
"""llama_like.py: what Llama and the families after it share.

Names of tensors, keys of sizes, the shape of a layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flashlm.packing.family.names import Names
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.formats.weight import Weight
from flashlm.packing.graph import (
    Attention,
    AttentionBias,
    Ffn,
    Graph,
    Head,
    HeadNorm,
    Norm,
    Rope,
    attention_scale,
    sequential,
)

IN_LAYER: Mapping[str, str] = {
    "input_layernorm.weight": "attention_norm",
    "self_attn.q_proj.weight": "q",
    "self_attn.k_proj.weight": "k",
    "self_attn.v_proj.weight": "v",
    "self_attn.o_proj.weight": "o",
    "post_attention_layernorm.weight": "ffn_norm",
    "mlp.gate_proj.weight": "gate",
    "mlp.up_proj.weight": "up",
    "mlp.down_proj.weight": "down",
}
GGUF_IN_LAYER: Mapping[str, str] = {
    "attn_norm.weight": "attention_norm",
    "attn_q.weight": "q",
    "attn_k.weight": "k",
    "attn_v.weight": "v",
    "attn_output.weight": "o",
    "ffn_norm.weight": "ffn_norm",
    "ffn_gate.weight": "gate",
    "ffn_up.weight": "up",
    "ffn_down.weight": "down",
}


def names(in_layer: Mapping[str, str] = IN_LAYER) -> Names:
    """The names in a Hugging Face folder."""
    return Names(
        top={"lm_head.weight": "head"},
        body={"embed_tokens.weight": "embedding", "norm.weight": "final_norm"},
        in_layer=in_layer,
        layers="layers",
        prefixes=("model.", ""),
        # Old checkpoints carry the rope frequencies, which follow from the config.
        skipped=r"(model\.)?layers\.[0-9]+\.self_attn\.rotary_emb\.inv_freq",
    )


def gguf_names(in_layer: Mapping[str, str] = GGUF_IN_LAYER) -> Names:
    """The names in a GGUF."""
    return Names(
        top={
            "token_embd.weight": "embedding",
            "output_norm.weight": "final_norm",
            "output.weight": "head",
        },
        body={},
        in_layer=in_layer,
        layers="blk",
        skipped=r"rope_freqs\.weight",
    )


@dataclass(frozen=True)
class Sizes:
    """The sizes that such a graph has."""

    dim: int
    hidden: int
    n_layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab_size: int
    context: int
    epsilon: float
    tied: bool
    rope: Rope

    @classmethod
    def of_config(
        cls, config: Fields, *, partial: float | None = None, epsilon: str = "rms_norm_eps"
    ) -> Sizes:
        """Those of a config.json with Llama's keys.

        Args:
            config: The keys.
            partial: The fraction of a head that rope turns where no key says it; None where it
                turns all of it.
            epsilon: The key of the norms' epsilon.
        """
        dim, heads = config.count("hidden_size"), config.count("num_attention_heads")
        kv_heads = config.count("num_key_value_heads", heads)
        config.divides("num_key_value_heads", kv_heads, "num_attention_heads", heads)
        if config.get("head_dim") is None:
            config.divides("num_attention_heads", heads, "hidden_size", dim)
        head_dim = config.count("head_dim", dim // heads)
        if head_dim % 2:
            raise config.error(f"expected an even head_dim, got {head_dim}")
        return cls(
            dim=dim,
            hidden=config.count("intermediate_size"),
            n_layers=config.layers("num_hidden_layers"),
            heads=heads,
            kv_heads=kv_heads,
            head_dim=head_dim,
            vocab_size=config.count("vocab_size"),
            context=config.count("max_position_embeddings"),
            epsilon=config.number(epsilon),
            tied=config.flag("tie_word_embeddings", default=False),
            rope=config.rope(
                head_dim if partial is None else config.rotary(head_dim, default=partial)
            ),
        )

    @classmethod
    def of_metadata(
        cls,
        metadata: Metadata,
        *,
        partial: float | None = None,
        epsilon: str = "attention.layer_norm_rms_epsilon",
    ) -> Sizes:
        """Those of a GGUF's metadata, with arguments as above."""
        dim, heads = metadata.count("embedding_length"), metadata.count("attention.head_count")
        kv_heads = metadata.count("attention.head_count_kv", heads)
        metadata.divides("attention.head_count_kv", kv_heads, "attention.head_count", heads)
        if metadata.get("attention.key_length") is None:
            metadata.divides("attention.head_count", heads, "embedding_length", dim)
        head_dim = metadata.count("attention.key_length", dim // heads)
        if head_dim % 2:
            raise metadata.error(f"expected an even head size, got {head_dim}")
        if metadata.count("attention.value_length", head_dim) != head_dim:
            value = metadata.get("attention.value_length")
            raise metadata.error(
                f"expected attention.value_length = {head_dim} (the head size), got {value!r:.80}"
            )
        return cls(
            dim=dim,
            hidden=metadata.count("feed_forward_length"),
            n_layers=metadata.layers("block_count"),
            heads=heads,
            kv_heads=kv_heads,
            head_dim=head_dim,
            vocab_size=metadata.count("vocab_size", metadata.n_rows),
            context=metadata.count("context_length"),
            epsilon=metadata.number(epsilon),
            tied=metadata.tied,
            rope=metadata.rope(
                head_dim if partial is None else metadata.rotary(head_dim, default=partial)
            ),
        )

    def attention(
        self, bias: AttentionBias | None = None, head_norm: HeadNorm | None = None
    ) -> Attention:
        """Attention of these heads, with one norm of queries and keys, if any."""
        return Attention(
            heads=self.heads,
            kv_heads=self.kv_heads,
            head_dim=self.head_dim,
            scale=attention_scale(self.head_dim),
            rope=self.rope,
            bias=bias or AttentionBias(),
            q_norm=head_norm,
            k_norm=head_norm,
        )

    def graph(self, attention: Attention, ffn: Ffn) -> Graph:
        """Equal layers, one behind the other."""
        norm = Norm("rms", self.epsilon)
        return Graph(
            dim=self.dim,
            vocab_size=self.vocab_size,
            max_context=self.context,
            layers=(sequential(attention, ffn, norm),) * self.n_layers,
            final_norm=norm,
            head=Head(self.tied),
        )


def unpaired(weight: Weight, head_dim: int) -> Weight:
    """Rows of queries or keys that llama.cpp's converter has put in pairs, in halves.

    Numbers that rope turns together are rows 2 i and 2 i + 1 of a head there, and i and i +
    head_dim / 2 here.
    """
    heads = np.arange(weight.shape[0]).reshape(-1, head_dim // 2, 2)
    return weight.take(heads.swapaxes(1, 2).reshape(-1))
