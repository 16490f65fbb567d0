# SPDX-License-Identifier: Apache-2.0
"""graph_words.py: what a model computes, in words for people."""

from __future__ import annotations

from collections import Counter

from flashlm.packing.graph import Attention, Ffn, Graph, HeadNorm, Norm


def graph_words(graph: Graph) -> dict[str, str]:
    """A line for each part of a graph, by what it is about; layers that differ are counted.

    Example:
        >>> from flashlm.packing.graph import *
        >>> attention = Attention(2, 1, 8, 0.35, rope(8, default_frequencies(8, 1e4)))
        >>> layer = sequential(attention, Ffn(48, "silu", gated=True), Norm("rms", 1e-5))
        >>> graph = Graph(16, 300, 128, (layer,), Norm("rms", 1e-5), Head(tied=True))
        >>> graph_words(graph)["attention"]
        '2 heads of 8, 1 for keys and values; rope'
    """
    layers = Counter(graph.layers)
    attentions = [
        (heads, n) for layer, n in layers.items() if (heads := layer.find(Attention)) is not None
    ]
    networks = [
        (network, n) for layer, n in layers.items() if (network := layer.find(Ffn)) is not None
    ]
    return {
        "sizes": f"dim {graph.dim}, {len(graph.layers)} layers, vocabulary {graph.vocab_size}"
        + (", head tied to the embedding" if graph.head.tied else ""),
        "attention": _counted([(_attention(each), n) for each, n in attentions]),
        "network": _counted([(_network(each), n) for each, n in networks]),
        "norms": _norm(graph.final_norm),
        "positions": f"{graph.max_context}"
        + (", learned" if graph.embedding.positions is not None else ""),
    }


def _counted(lines: list[tuple[str, int]]) -> str:
    if len({line for line, _ in lines}) == 1:
        return lines[0][0]
    return "; ".join(f"{n} layers: {line}" for line, n in lines)


def _attention(attention: Attention) -> str:
    words = [
        (
            f"{attention.heads} heads of {attention.head_dim}, {attention.kv_heads} for keys and "
            f"values"
        ),
        "no rope" if attention.rope is None else _rope(attention),
    ]
    if attention.window is not None:
        words.append(f"window of {attention.window}")
    biased = [name for name in "qkvo" if getattr(attention.bias, name)]
    if biased:
        words.append(f"biases of {', '.join(biased)}")
    for name, norm in (
        ("queries", attention.q_norm),
        ("keys", attention.k_norm),
        ("values", attention.v_norm),
    ):
        if norm is not None:
            words.append(f"{_head_norm(norm)} of {name}")
    return "; ".join(words)


def _rope(attention: Attention) -> str:
    rope = attention.rope
    if rope is None or rope.dims == attention.head_dim:
        return "rope"
    return f"rope of the first {rope.dims}"


def _head_norm(norm: HeadNorm) -> str:
    return f"{norm.norm.kind} norm over {'each head' if norm.over == 'head' else 'all heads'}"


def _network(ffn: Ffn) -> str:
    biased = [name for name in ("gate", "up", "down") if getattr(ffn.bias, name)]
    words = f"{ffn.hidden} neurons, {ffn.activation}, {'gated' if ffn.gated else 'no gate'}"
    return f"{words}; biases of {', '.join(biased)}" if biased else words


def _norm(norm: Norm) -> str:
    return f"{norm.kind}, epsilon {norm.epsilon:.3g}" + (", with biases" if norm.bias else "")
