# SPDX-License-Identifier: Apache-2.0
"""What a family of models is to the packer (docs/families.md), and what many share.

A family knows the words of others: which configs are its own, what their keys say of the graph,
what its tensors are called, and how they lie in their files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from flashlm.packing.family.names import Names
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.formats.weight import Weight
from flashlm.packing.graph import Graph


class Family:
    """Models of one graph; a subclass in a file of `families/` is one more family that runs.

    Attributes:
        name: In flashlm.json; that of the file.
        architectures: `model_type` of a config.json -> what its `architectures` must name.
        gguf: `general.architecture` of its GGUF files; None where llama.cpp has none.
        names: Of tensors in a Hugging Face folder.
        gguf_names: In a GGUF.
        begins_with_bos: Whether older tokenizer files (vocab.json) put BOS before a text.
    """

    name: ClassVar[str]
    architectures: ClassVar[Mapping[str, str]]
    gguf: ClassVar[str | None] = None
    names: ClassVar[Names]
    gguf_names: ClassVar[Names]
    begins_with_bos: ClassVar[bool] = False

    def section(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """What of a config.json describes the language model: all of it, or `text_config`."""
        return config

    def graph(self, config: Fields) -> Graph:
        """The graph of a config.json. Raises FormatError, as `Fields` does."""
        raise NotImplementedError

    def gguf_graph(self, metadata: Metadata) -> Graph:
        """The graph of a GGUF's metadata. Raises FormatError, as `Metadata` does."""
        raise NotImplementedError

    def from_huggingface(self, name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
        """What a tensor of a Hugging Face folder is to flashlm, by name: itself, or parts of it.

        Args:
            name: What `names` calls it, such as ``layers.0.q``.
            weight: As it lies in its file. `Weight.take`, `Weight.transpose` and `Weight.plus`
                change how it is read.
            graph: Of the model.
        """
        del graph
        return {name: weight}

    def from_gguf(self, name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
        """The same of a tensor of a GGUF."""
        del graph
        return {name: weight}
