# SPDX-License-Identifier: Apache-2.0
"""Writes tests/text/tokenizer/golden/: small tokenizers, and what `tokenizers` and `transformers` answer.

    <name>.tokenizer.json   a tokenizer of some hundred tokens
    <name>.json             texts, their ids with and without special tokens parsed, and the decoded ids
    sampler.json            logits, options, and the probabilities after the processors of `transformers`

`smollm` is the beginning of SmolLM2's own vocabulary and needs its GGUF; the others are trained
here on a few sentences.

    python tests/text/tokenizer/make_goldens.py [--gguf SmolLM2.gguf]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from flashlm.packing.tokenizers.pre_tokenizers import PRE_TOKENIZERS

GOLDEN = Path(__file__).parent / "golden"
UNKNOWN = "<unk>"

TEXTS = [
    "",
    " ",
    "  ",
    "\n",
    "Hello, world!",
    "The moon is a natural satellite of the Earth.",
    (
        "I'm sure they've said we'll go; it's what you'd do, isn't it? THEY'RE'S 'S'T 'LL it\u2019s "
        "it'\u017f O'\u017fx"
    ),
    "  leading and trailing  ",
    "tabs\tand\u00a0no-break\u2003em\u3000ideographic\u200bzero\u2028line\u0085next\u180emongolian\ufefffeff",
    "a  b   c    d\n\n\n  e \n \n f\r\n\r\ng \r h\n",
    "   \n\n   x \t\n y\n   ",
    (
        "1 12 123 1234 12345678 3.14 1,000,000 0x1F 2\u00b2 \u00bd \u0663\u0664 \u2167 \u3007\u4e00 "
        "\U0001d7d9 10\u2076"
    ),
    (
        "def f(x: int) -> int:\n    return x ** 2  # squared\n\n\nif __name__ == "
        "'__main__':\n\tprint(f(3))\n"
    ),
    (
        "#include <vector>\nstd::vector<int> v{1, 2, 3};  // C++\nfor (auto&& x : v) "
        "{ std::cout << x << '\\n'; }\n"
    ),
    (
        "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3001\u4e2d\u6587\u6587\u672c\u3002\ud55c\uad6d\uc5b4 "
        "\ubb38\uc7a5\uc785\ub2c8\ub2e4."
    ),
    (
        "\u0420\u0443\u0441\u0441\u043a\u0438\u0439 \u0442\u0435\u043a\u0441\u0442, "
        "\u0395\u03bb\u03bb\u03b7\u03bd"
        "\u03b9\u03ba\u03ac, \u05e2\u05d1\u05e8\u05d9\u05ea, "
        "\u0627\u0644\u0639\u0631\u0628\u064a\u0629\u060c "
        "\u0939\u093f\u0928\u094d\u0926\u0940, \u0e44\u0e17\u0e22, \u0ba4\u0bae\u0bbf\u0bb4\u0bcd"
    ),
    (
        "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 "
        "\U0001f3f3\ufe0f\u200d\U0001f308 "
        "\U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd \u2764\ufe0f"
    ),
    (
        "e\u0301 \u00e9 a\u0308\u0323 \u0301alone Z\u0351\u036b\u0343a\u030alg\u0300o \u1e9b\u0323 "
        "\ufb01 \u01c5"
    ),
    "\x00\x01\x02\x04\x1b[0m\x7f\x80\x9f control \ufffd \ufffe \U0010ffff \U000e0001",
    "\U00020000\U00031350 \U0001e900 \U00010400 \U0001f18b \U000323b0 \u0378 \ue000",
    "x" * 300,
    "ab" * 150 + " " * 40 + "-" * 77 + "\u00fc" * 33,
    "http://example.org/a_b?c=d&e=%20#f user@host C:\\path\\file.txt ~/.cfg",
    "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    "a<|im_end|>b <|im_end|> c<|im_end|><|im_end|><|im_en <|im_end||>",
    "x <left> y <left>\u2003\n<left>z  <left>",
    "x <right> y <right>\u3000\t<right>z<right>  \n",
    "<both> a  <both>  b<both><both>\n",
    "<word> a<word> <word>b -<word>- _<word> <word>\u00e9 \u0301<word> <word>",
    "<norm>x <norm> <<norm>> <normal> <normalized> <no",
    "<special> and <specials> <|im_start|><special>",
]

CORPUS = [
    *TEXTS,
    "the quick brown fox jumps over the lazy dog and the other dogs of the town",
    "she sells sea shells on the sea shore, the shells she sells are surely seashells",
    "for (int i = 0; i < n; ++i) { sum += a[i] * b[i]; } return sum;",
    (
        "\u65e5\u672c\u306e\u6587\u5b57 \u65e5\u672c\u8a9e \u6587\u672c "
        "\u0440\u0443\u0441\u0441\u043a\u0438\u0439"
        " \u044f\u0437\u044b\u043a"
    ),
] * 3

ADDED = [
    AddedToken("<|im_start|>", special=True, normalized=False),
    AddedToken("<|im_end|>", special=True, normalized=False),
    AddedToken("<special>", special=True, normalized=True),
    AddedToken("<left>", lstrip=True, normalized=False),
    AddedToken("<right>", rstrip=True, normalized=False),
    AddedToken("<both>", lstrip=True, rstrip=True, special=True, normalized=False),
    AddedToken("<word>", single_word=True, normalized=False),
    AddedToken("<norm>", normalized=True),
    AddedToken("<normal>", normalized=True, single_word=True),
    AddedToken("  <", normalized=False),
]


def of_gguf(name: str) -> Any:
    """The pre-tokenizer of a name of llama.cpp."""
    step = json.dumps({"pre_tokenizer": PRE_TOKENIZERS[name]})
    empty = json.loads(Tokenizer(models.BPE()).to_str())
    return Tokenizer.from_str(json.dumps({**empty, **json.loads(step)})).pre_tokenizer


def train(
    pre: pre_tokenizers.PreTokenizer,
    *,
    ignore_merges: bool = False,
    bos: bool = False,
    normalizer: normalizers.Normalizer | None = None,
) -> Tokenizer:
    """A small tokenizer of one family."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, show_progress=False)
    )
    special = [token for token in ADDED if token.special]
    tokenizer.add_tokens([token for token in ADDED if not token.special])
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    if bos:
        begin = ("<|im_start|>", tokenizer.token_to_id("<|im_start|>"))
        template = processors.TemplateProcessing(
            single="<|im_start|> $A", pair="<|im_start|> $A $B", special_tokens=[begin]
        )
        tokenizer.post_processor = processors.Sequence([tokenizer.post_processor, template])
    return tokenizer


def train_pieces(
    *,
    unigram: bool = False,
    normalizer: normalizers.Normalizer | None = None,
    pre: pre_tokenizers.PreTokenizer | None = None,
    decoder: decoders.Decoder,
) -> Tokenizer:
    """A small tokenizer of SentencePiece's kind, whose rarer characters are bytes."""
    first = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    if unigram:
        tokenizer = Tokenizer(models.Unigram())
        trainer: Any = trainers.UnigramTrainer(
            vocab_size=700,
            special_tokens=first,
            unk_token=UNKNOWN,
            show_progress=False,
        )
    else:
        tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token=UNKNOWN, fuse_unk=True))
        trainer = trainers.BpeTrainer(
            vocab_size=700, special_tokens=first, limit_alphabet=90, show_progress=False
        )
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre is not None:
        tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoder
    words = CORPUS if pre is not None else [word for text in CORPUS for word in text.split()]
    tokenizer.train_from_iterator(words, trainer)
    document = json.loads(tokenizer.to_str())
    document["model"]["byte_fallback"] = True
    document["added_tokens"] = document["added_tokens"][:3]
    tokenizer = Tokenizer.from_str(json.dumps(document))
    tokenizer.add_tokens([token for token in ADDED if not token.special])
    # (`tokenizers` does not know a special token again whose normal form has a prefix.)
    plain = [token for token in ADDED if token.special and not token.normalized]
    tokenizer.add_special_tokens(plain)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
    )
    return tokenizer


def pieces_decoder(*, strip: bool) -> decoders.Decoder:
    """What Llama 2 and, without `strip`, Gemma have."""
    steps = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence([*steps, *([decoders.Strip(" ", 1, 0)] if strip else [])])


def smollm(gguf: Path, n_merges: int = 1200) -> Tokenizer:
    """The first tokens and merges of SmolLM2."""
    from gguf import GGUFReader

    from flashlm.packing.tokenizers.tokenizer import tokenizer_json

    fields = {
        name: field.contents()
        for name, field in GGUFReader(gguf).fields.items()
        if not name.startswith("GGUF")
    }
    document: dict[str, Any] = tokenizer_json(fields)
    model = document["model"]
    kept = len(model["vocab"]) - len(model["merges"]) + n_merges
    model["merges"] = model["merges"][:n_merges]
    model["vocab"] = {token: index for token, index in model["vocab"].items() if index < kept}
    return Tokenizer.from_str(json.dumps(document))


def answers(tokenizer: Tokenizer) -> list[dict[str, object]]:
    """The cases of one tokenizer."""
    cases: list[dict[str, object]] = []
    for text in TEXTS:
        tokenizer.encode_special_tokens = False
        ids = tokenizer.encode(text).ids
        bare = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        cases.append(
            {
                "text": text,
                "ids": ids,
                "bare_ids": bare,
                "plain_ids": plain,
                "decoded": tokenizer.decode(ids, skip_special_tokens=False),
                "skipped": tokenizer.decode(ids, skip_special_tokens=True),
                "backwards": tokenizer.decode(ids[::-1], skip_special_tokens=False),
            }
        )
    tokenizer.encode_special_tokens = False
    return cases


def write_tokenizer(name: str, tokenizer: Tokenizer) -> None:
    """Both files of one tokenizer."""
    write(f"{name}.tokenizer.json", json.loads(tokenizer.to_str()))
    write(
        name + ".json",
        {"made_with": f"tokenizers {tokenizers.__version__}", "cases": answers(tokenizer)},
    )


def sampler_cases() -> dict[str, object]:
    """Probabilities of `transformers` after each set of options."""
    import torch
    import transformers
    from transformers.generation import logits_process as process

    generator = torch.Generator().manual_seed(3)
    cases = []
    options = [
        {"temperature": 1.0},
        {"temperature": 0.3},
        {"temperature": 2.5},
        {"temperature": 1.0, "top_k": 1},
        {"temperature": 1.0, "top_k": 7},
        {"temperature": 1.0, "top_p": 0.1},
        {"temperature": 0.8, "top_p": 0.9},
        {"temperature": 1.0, "min_p": 0.2},
        {"temperature": 1.0, "repetition_penalty": 1.3},
        {"temperature": 1.0, "repetition_penalty": 0.7},
        {"temperature": 0.7, "top_k": 20, "top_p": 0.8, "min_p": 0.05, "repetition_penalty": 1.2},
        {"temperature": 1.7, "top_k": 40, "top_p": 0.95, "min_p": 0.01, "repetition_penalty": 1.1},
    ]
    for option in options:
        logits = (torch.randn(50, generator=generator) * 3).to(torch.float32)
        logits[7] = logits[11]
        history = torch.randint(0, 50, (9,), generator=generator)
        scores = logits[None].clone()
        processors_ = process.LogitsProcessorList()
        if "repetition_penalty" in option:
            processors_.append(
                process.RepetitionPenaltyLogitsProcessor(option["repetition_penalty"])
            )
        processors_.append(process.TemperatureLogitsWarper(option["temperature"]))
        if "top_k" in option:
            processors_.append(process.TopKLogitsWarper(int(option["top_k"])))
        if "top_p" in option:
            processors_.append(process.TopPLogitsWarper(option["top_p"]))
        if "min_p" in option:
            processors_.append(process.MinPLogitsWarper(option["min_p"]))
        probabilities = torch.softmax(processors_(history[None], scores)[0].double(), dim=0)
        cases.append(
            {
                "options": option,
                "logits": logits.tolist(),
                "history": history.tolist(),
                "probabilities": probabilities.tolist(),
            }
        )
    return {"made_with": f"transformers {transformers.__version__}", "cases": cases}


def write(name: str, content: object) -> None:
    """One file, without spaces, as ASCII: odd characters survive every editor."""
    GOLDEN.mkdir(exist_ok=True)
    (GOLDEN / name).write_text(json.dumps(content, separators=(",", ":")) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--gguf", type=Path, help="SmolLM2's GGUF; without it that tokenizer stays as it is"
    )
    arguments = parser.parse_args()
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    spaced = pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True)
    digits = pre_tokenizers.Digits(individual_digits=False)
    write_tokenizer("gpt2", train(byte_level, ignore_merges=False, bos=False))
    write_tokenizer(
        "spaced", train(pre_tokenizers.Sequence([digits, spaced]), ignore_merges=False, bos=False)
    )
    write_tokenizer("llama3", train(of_gguf("llama3"), ignore_merges=True, bos=True))
    write_tokenizer("qwen2", train(of_gguf("qwen2")))
    write_tokenizer("nfc", train(of_gguf("qwen2"), normalizer=normalizers.NFC()))
    for name in ("qwen35", "gpt-4o", "tekken", "deepseek-v3", "deepseek-llm", "falcon"):
        write_tokenizer(name, train(of_gguf(name)))
    signs = normalizers.Replace(" ", "\u2581")
    prefix = normalizers.Sequence([normalizers.Prepend("\u2581"), signs])
    write_tokenizer("llama2", train_pieces(normalizer=prefix, decoder=pieces_decoder(strip=True)))
    gemma = pre_tokenizers.Split(" ", "merged_with_previous")
    write_tokenizer(
        "gemma",
        train_pieces(normalizer=signs, pre=gemma, decoder=pieces_decoder(strip=False)),
    )
    for scheme in ("first", "always"):
        metaspace = pre_tokenizers.Metaspace(prepend_scheme=scheme)
        back = decoders.Sequence(
            [decoders.ByteFallback(), decoders.Metaspace(prepend_scheme=scheme)]
        )
        write_tokenizer(
            f"metaspace_{scheme}",
            train_pieces(unigram=scheme == "always", pre=metaspace, decoder=back),
        )
    if arguments.gguf:
        write_tokenizer("smollm", smollm(arguments.gguf))
    write("sampler.json", sampler_cases())


if __name__ == "__main__":
    main()
