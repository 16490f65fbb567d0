# SPDX-License-Identifier: Apache-2.0
"""gpt_like.py: what GPT-2 and the families after it share.

Layer norms with biases, a network without a gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flashlm.packing.family.names import Names, with_biases
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.graph import (
    Attention,
    AttentionBias,
    Embedding,
    Ffn,
    FfnBias,
    Graph,
    Head,
    Norm,
    Positions,
    Rope,
    attention_scale,
    parallel,
    sequential,
)

_ACTIVATIONS: Mapping[str, str] = {  # transformers' words -> flashlm's
    "gelu": "gelu_erf",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}
GGUF_IN_LAYER: Mapping[str, str] = with_biases(
    {
        "attn_norm.weight": "attention_norm",
        "attn_qkv.weight": "qkv",
        "attn_q.weight": "q",
        "attn_k.weight": "k",
        "attn_v.weight": "v",
        "attn_output.weight": "o",
        "ffn_norm.weight": "ffn_norm",
        "ffn_up.weight": "up",
        "ffn_down.weight": "down",
    }
)


def gguf_names(
    in_layer: Mapping[str, str] = GGUF_IN_LAYER, top: Mapping[str, str] | None = None
) -> Names:
    """The names in a GGUF; `top` has those that not every family has."""
    common = {
        "token_embd.weight": "embedding",
        "output_norm.weight": "final_norm",
        "output.weight": "head",
    }
    return Names(
        top={**with_biases(common, "final_norm"), **(top or {})},
        body={},
        in_layer=in_layer,
        layers="blk",
        skipped=r"rope_freqs\.weight",
    )


def activation(config: Fields, key: str, default: str) -> str:
    """The word that flashlm has for the activation that a config names."""
    return _ACTIVATIONS[config.word(key, default, tuple(_ACTIVATIONS))]


@dataclass(frozen=True)
class Sizes:
    """The sizes that such a graph has."""

    dim: int
    hidden: int
    n_layers: int
    heads: int
    kv_heads: int
    vocab_size: int
    context: int
    epsilon: float
    tied: bool

    @classmethod
    def of_config(cls, config: Fields, *, epsilon: str, tied: bool) -> Sizes:
        """Those of a config.json whose keys are Llama's.

        Args:
            config: The keys.
            epsilon: The key of the layer norms' epsilon.
            tied: Where the config does not say it.
        """
        heads = config.count("num_attention_heads")
        kv_heads = config.count("num_key_value_heads", heads)
        config.divides("num_key_value_heads", kv_heads, "num_attention_heads", heads)
        dim = config.count("hidden_size")
        config.divides("num_attention_heads", heads, "hidden_size", dim)
        return cls(
            dim=dim,
            hidden=config.count("intermediate_size"),
            n_layers=config.layers("num_hidden_layers"),
            heads=heads,
            kv_heads=kv_heads,
            vocab_size=config.count("vocab_size"),
            context=config.count("max_position_embeddings"),
            epsilon=config.number(epsilon, 1e-5),
            tied=config.flag("tie_word_embeddings", default=tied),
        )

    @classmethod
    def of_metadata(cls, metadata: Metadata) -> Sizes:
        """Those of a GGUF's metadata."""
        dim, heads = metadata.count("embedding_length"), metadata.count("attention.head_count")
        kv_heads = metadata.count("attention.head_count_kv", heads)
        metadata.divides("attention.head_count_kv", kv_heads, "attention.head_count", heads)
        metadata.divides("attention.head_count", heads, "embedding_length", dim)
        metadata.off("attention.key_length", dim // heads)
        metadata.off("attention.value_length", dim // heads)
        return cls(
            dim=dim,
            hidden=metadata.count("feed_forward_length"),
            n_layers=metadata.layers("block_count"),
            heads=heads,
            kv_heads=kv_heads,
            vocab_size=metadata.count("vocab_size", metadata.n_rows),
            context=metadata.count("context_length"),
            epsilon=metadata.number("attention.layer_norm_epsilon"),
            tied=metadata.tied,
        )

    @property
    def head_dim(self) -> int:
        """Numbers of a head."""
        return self.dim // self.heads

    def attention(
        self, rope: Rope | None, *, biased: bool, scale: float | None = None
    ) -> Attention:
        """Attention of these heads, all products with a bias or none.

        Args:
            rope: Of queries and keys, if any.
            biased: Whether queries, keys, values and the output have biases.
            scale: Of scores, if not 1 / sqrt(head_dim).
        """
        return Attention(
            heads=self.heads,
            kv_heads=self.kv_heads,
            head_dim=self.head_dim,
            scale=attention_scale(self.head_dim) if scale is None else scale,
            rope=rope,
            bias=AttentionBias(biased, biased, biased, biased),
        )

    def ffn(self, kind: str, *, biased: bool) -> Ffn:
        """A network without a gate, both products with a bias or none."""
        return Ffn(self.hidden, kind, gated=False, bias=FfnBias(up=biased, down=biased))

    def graph(
        self,
        attention: Attention,
        ffn: Ffn,
        *,
        parallel_norms: int | None = None,
        head_bias: bool = False,
        positions: Positions | None = None,
    ) -> Graph:
        """Equal layers, one behind the other.

        Args:
            attention: Of each layer.
            ffn: Of each layer.
            parallel_norms: How many norms attention and network have that read the same stream, 1
                or 2; None where the network reads what attention has added.
            head_bias: Whether the head has a bias.
            positions: The table of learned positions, if any.
        """
        norm = Norm("layer", self.epsilon, bias=True)
        if parallel_norms is None:
            layer = sequential(attention, ffn, norm)
        else:
            layer = parallel(attention, ffn, norm, parallel_norms)
        return Graph(
            dim=self.dim,
            vocab_size=self.vocab_size,
            max_context=self.context,
            layers=(layer,) * self.n_layers,
            final_norm=norm,
            head=Head(self.tied, bias=head_bias),
            embedding=Embedding(positions=positions),
        )
