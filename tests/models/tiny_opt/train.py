# SPDX-License-Identifier: Apache-2.0
"""Trains tiny_opt: a language model of OPT's architecture, small enough to live in this repository.

    pip install "flashlm[live]" && apt-get install bible-kjv r-cran-janeaustenr
    python tests/models/tiny_opt/train.py --minutes 60 --out build/tiny_opt

The learning rate follows the clock, not the step, so that a slow machine anneals to the end too.
Interrupted, the same command goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from corpus import Split, split
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn import functional
from transformers import OPTConfig, OPTForCausalLM

SEED = 20231212
CONTEXT = 512
VOCABULARY = 4096
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]  # the ids that OPT gives them
END = 2
PEAK_RATE = 2e-3
WARMUP_STEPS = 100


def train_tokenizer(texts: list[str]) -> Tokenizer:
    """Byte-level pairs, as OPT has them, with a smaller vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIAL, initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def tokens_of(tokenizer: Tokenizer, texts: list[str]) -> np.ndarray[Any, Any]:
    """All texts in a row, an end token behind each."""
    return np.concatenate(
        [[*encoding.ids, END] for encoding in tokenizer.encode_batch(texts)]
    ).astype(np.int64)


def make_model() -> OPTForCausalLM:
    """6 layers of 256 numbers and 1,024 ReLU neurons; 5.8 million weights."""
    torch.manual_seed(SEED)
    config = OPTConfig(
        vocab_size=VOCABULARY,
        hidden_size=256,
        word_embed_proj_dim=256,
        num_hidden_layers=6,
        ffn_dim=1024,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        activation_function="relu",
        do_layer_norm_before=True,
        dropout=0.0,
        attention_dropout=0.0,
        layerdrop=0.0,
        bos_token_id=END,
        eos_token_id=END,
        pad_token_id=1,
    )
    return OPTForCausalLM(config)


def loss_of(model: OPTForCausalLM, windows: torch.Tensor) -> torch.Tensor:
    """Mean negative log-likelihood of all tokens of a window but its first."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(input_ids=windows).logits[:, :-1]
    return functional.cross_entropy(
        logits.float().reshape(-1, VOCABULARY), windows[:, 1:].reshape(-1)
    )


def perplexity(
    model: OPTForCausalLM, tokens: np.ndarray[Any, Any], windows: int | None = None
) -> float:
    """Of windows that do not overlap; of the first few, or of all."""
    n = min(len(tokens) // CONTEXT, windows or len(tokens))
    batch = torch.from_numpy(tokens[: n * CONTEXT]).view(n, CONTEXT)
    with torch.no_grad():
        return math.exp(sum(float(loss_of(model, row[None])) for row in batch) / n)


def baselines(train: np.ndarray[Any, Any], heldout: np.ndarray[Any, Any]) -> dict[str, float]:
    """Perplexity of what counts alone can tell: one token, and pairs with absolute discounting."""
    counts = np.bincount(train, minlength=VOCABULARY)
    unigram = (counts + 1) / (counts.sum() + VOCABULARY)
    pairs = Counter(zip(train[:-1].tolist(), train[1:].tolist(), strict=True))
    first, kinds = Counter(train[:-1].tolist()), Counter(pair[0] for pair in pairs)
    single, double = 0.0, 0.0
    discount = 0.75
    for a, b in zip(heldout[:-1].tolist(), heldout[1:].tolist(), strict=True):
        single += math.log(unigram[b])
        n = first[a]
        seen = (
            (max(pairs[a, b] - discount, 0) + discount * kinds[a] * unigram[b]) / n
            if n
            else unigram[b]
        )
        double += math.log(seen)
    n_pairs = len(heldout) - 1
    return {"unigram": math.exp(-single / n_pairs), "bigram": math.exp(-double / n_pairs)}


def optimizer_of(model: OPTForCausalLM) -> torch.optim.AdamW:
    """AdamW; only matrices decay."""
    groups = [
        {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.95))


def run(arguments: argparse.Namespace, texts: Split) -> None:
    """Trains until the time is over, with a line of the log every 20 steps."""
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    checkpoint, log = out / "checkpoint.pt", out / "training_log.jsonl"
    tokenizer = train_tokenizer(texts.train)
    tokenizer.save(str(out / "tokenizer.json"))
    train, heldout = tokens_of(tokenizer, texts.train), tokens_of(tokenizer, texts.heldout)
    model = make_model()
    optimizer = optimizer_of(model)
    step, spent = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["seconds"]
    else:
        head = {"train_tokens": len(train), "heldout_tokens": len(heldout), "seed": SEED, "minutes": arguments.minutes,
                "batch": arguments.batch, "context": CONTEXT, "torch": torch.__version__,
                "heldout_perplexity": baselines(train, heldout)}  # fmt: skip
        log.write_text(json.dumps(head) + "\n")
    began, saved, losses = time.monotonic() - spent, spent, []
    while (seconds := time.monotonic() - began) < arguments.minutes * 60:
        rate = (
            PEAK_RATE
            * min(1, (step + 1) / WARMUP_STEPS)
            * max(0.01, 1 - seconds / (arguments.minutes * 60))
        )
        for group in optimizer.param_groups:
            group["lr"] = rate
        starts = np.random.default_rng((SEED, step)).integers(
            0, len(train) - CONTEXT, arguments.batch
        )
        loss = loss_of(
            model, torch.from_numpy(np.stack([train[start : start + CONTEXT] for start in starts]))
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        losses.append(loss.item())
        if step % 20 == 0:
            line = {
                "step": step,
                "seconds": round(seconds, 1),
                "tokens": step * arguments.batch * CONTEXT,
                "rate": round(rate, 7),
                "loss": round(sum(losses) / len(losses), 4),
            }
            losses.clear()
            if step % 200 == 0:
                line["heldout_perplexity"] = round(perplexity(model, heldout, 20), 3)
            with log.open("a") as lines:
                lines.write(json.dumps(line) + "\n")
        if seconds - saved > 180:
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step,
                "seconds": seconds,
            }
            torch.save(state, out / "checkpoint.new")
            (out / "checkpoint.new").replace(checkpoint)
            save(model, out)
            saved = seconds
    final = save(model, out)
    line = {"step": step, "seconds": round(time.monotonic() - began, 1), "tokens": step * arguments.batch * CONTEXT,
            "heldout_perplexity": round(perplexity(final, heldout), 3)}  # fmt: skip
    with log.open("a") as lines:
        lines.write(json.dumps(line) + "\n")
    print(json.dumps(line))


def save(model: OPTForCausalLM, out: Path) -> OPTForCausalLM:
    """Writes the model in f16 and returns what a reader will see."""
    copy = make_model()
    copy.load_state_dict(model.state_dict())
    copy.half().save_pretrained(out)
    return copy.float()


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--out", type=Path, default=Path("build/tiny_opt"))
    parser.add_argument("--batch", type=int, default=8, help="windows a step")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    texts = split()
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "calibration.txt").write_text("\n\n".join(texts.calibration) + "\n")
    (arguments.out / "heldout.txt").write_text("\n\n".join(texts.heldout) + "\n")
    run(arguments, texts)


if __name__ == "__main__":
    main()
