# SPDX-License-Identifier: Apache-2.0
"""Names of tied tensors against transformers, and added tokens against tokenizers."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flashlm
import random_llama
import random_opt
from flashlm._core import Tokenizer
from flashlm.packing.tokenizers.pre_tokenizers import byte_level
from flashlm.packing.tokenizers.tokenizer import bpe_document, byte_characters, post_processor
from random_llama import Case
from random_opt import OptCase
from theirs import Theirs

pytestmark = pytest.mark.live
CLOSE, SAME = 1e-4, 1e-5  # of our logits to theirs; of theirs to what was recorded
PANIC = (
    "panic"  # what tokenizers does where a token lies in white space that another one has swallowed
)
PIECES = (
    *(
        "<r>",
        "<l>",
        " ",
        "  ",
        "\n",
        "a",
        "b",
        "ab",
        "\u3000",
        "\t",
        "<b>",
        "\u00e9",
        " <l>",
        "<r> ",
        "r",
        ">",
    ),
    *("\u00a0", "\u200b", "\x1c"),
)


@pytest.mark.parametrize(
    "case", [random_llama.case("tied"), random_opt.OPT_CASES[0]], ids=["llama", "opt"]
)
@pytest.mark.parametrize("change", ["head_only", "head_differs", "head_equal", "without_model"])
def test_tied_names_are_read_as_transformers_reads_them(
    need: Callable[[str], Any], theirs: Theirs, case: Case | OptCase, change: str, tmp_path: Path
) -> None:
    from safetensors.numpy import save_file

    source = tmp_path / "source"
    if isinstance(case, OptCase):
        random_opt.write_folder(case, source)
    else:
        random_llama.write_folder(case, source)
    tensors: dict[str, Any] = dict(
        (random_opt if isinstance(case, OptCase) else random_llama).weights(case)
    )
    embedding = next(name for name in tensors if name.endswith("embed_tokens.weight"))
    if change == "head_only":
        tensors["lm_head.weight"] = tensors.pop(embedding)
    elif change == "without_model":
        tensors = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}
    else:
        head = tensors[embedding] if change == "head_equal" else tensors[embedding][::-1]
        tensors["lm_head.weight"] = np.ascontiguousarray(head).copy()
    save_file(tensors, source / "model.safetensors", {"format": "pt"})
    path = source / "config.json"
    config = json.loads(path.read_text()) | {"tie_word_embeddings": True, "torch_dtype": "float32"}
    path.write_text(json.dumps(config))

    def ask() -> Any:
        torch, transformers = need("torch"), need("transformers")
        model = transformers.AutoModelForCausalLM.from_pretrained(
            source, dtype=torch.float32, attn_implementation="eager"
        ).eval()
        with torch.no_grad():
            return model(torch.tensor([list(case.tokens)])).logits[0].numpy()

    expected = theirs(ask, given=[tensors, config, list(case.tokens)], within=SAME)
    with flashlm.LanguageModel.from_pretrained(
        flashlm.pack(source, tmp_path / "out.flash"), memory="100%"
    ) as lm:
        assert np.abs(lm.logits(case.tokens) - expected).max() < CLOSE


def added_case(source: random.Random) -> tuple[str, str]:
    """A tokenizer.json with added tokens of any kind, white space among them, and a text of their pieces."""
    vocab = {character: index for index, character in enumerate(byte_characters())}
    document = bpe_document(
        vocab, [], {}, pre_tokenizer=byte_level(use_regex=True), post_processor=post_processor({})
    )
    fresh = iter(range(256, 300))
    document["added_tokens"] = [
        {
            "id": vocab[content] if content in vocab else next(fresh),
            "content": content,
            "single_word": source.random() < 0.2,
            "lstrip": source.random() < 0.5,
            "rstrip": source.random() < 0.5,
            "normalized": source.random() < 0.4,
            "special": source.random() < 0.4,
        }
        for content in source.sample(PIECES, source.randrange(1, 5))
    ]
    return json.dumps(document), "".join(source.choices(PIECES, k=source.randrange(1, 9)))


def test_random_added_tokens_are_found_where_tokenizers_finds_them(
    need: Callable[[str], Any], theirs: Theirs
) -> None:
    source = random.Random(7)
    cases = [added_case(source) for _ in range(4000)]

    def answer(document: str, text: str) -> Any:
        try:
            return list(
                need("tokenizers")
                .Tokenizer.from_str(document)
                .encode(text, add_special_tokens=False)
                .ids
            )
        except BaseException as error:
            if type(error).__name__ != "PanicException":
                raise
            return PANIC

    expected = theirs(
        lambda: [answer(*case) for case in cases], given=[list(case) for case in cases]
    )
    assert expected.count(PANIC) < 40
    for (document, text), wanted in zip(cases, expected, strict=True):
        ours = Tokenizer.parse(document).encode(text)
        assert wanted in (ours, PANIC), (document[document.index("added_tokens") :][:600], text)
