# SPDX-License-Identifier: Apache-2.0
"""A model says the same in any memory, with any number of threads, and says clearly what it cannot do."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flashlm

PROMPT = "The moon is a harsh mistress, and the"
HELLO = [{"role": "user", "content": "Hello"}]
STAT_NAMES = {
    *(
        "tokens",
        "prefill_seconds",
        "decode_seconds",
        "seconds_per_token",
        "bytes_read",
        "gap_bytes",
        "reads",
    ),
    *(
        "bytes_per_token",
        "hit_rate",
        "io_seconds",
        "memory_seconds",
        "compute_seconds",
        "peak_bytes",
    ),
    *("read_seconds", "overlap"),
}


def open_tiny(tiny: Path, **options: Any) -> flashlm.LanguageModel:
    return flashlm.LanguageModel.from_pretrained(tiny, **options)


def bits(logits: Any) -> bytes:
    return np.ascontiguousarray(logits).tobytes()


@pytest.mark.parametrize(
    "options",
    [
        {"memory": "10%"},
        {"memory": "75%"},
        {"memory": "100%"},
        {"threads": 1},
        {"threads": 2},
        {"threads": 33},
    ],
)
def test_text_and_logits_do_not_depend_on_how_a_model_is_opened(
    tiny: Path, lm: flashlm.LanguageModel, options: dict[str, Any]
) -> None:
    ids = lm.tokenizer.encode(PROMPT)
    with open_tiny(tiny, **options) as other:
        assert bits(other.logits(ids)) == bits(lm.logits(ids))
        assert other.generate(PROMPT, max_new_tokens=24) == lm.generate(PROMPT, max_new_tokens=24)
        drawn: dict[str, Any] = {"max_new_tokens": 24, "temperature": 1.0, "seed": 7}
        assert other.generate(PROMPT, **drawn) == lm.generate(PROMPT, **drawn)


def test_logits_do_not_depend_on_where_a_text_is_cut(lm: flashlm.LanguageModel) -> None:
    ids = lm.tokenizer.encode(PROMPT)
    whole = lm.logits(ids)
    assert whole.dtype == np.float32
    assert whole.shape == (len(ids), lm.tokenizer.vocab_size)
    for cut in (1, 7, len(ids) - 1):
        assert bits(lm.logits(ids[:cut])) == bits(whole[:cut])


def test_greedy_tokens_are_the_argmax_of_the_logits(lm: flashlm.LanguageModel) -> None:
    generation = lm.stream(PROMPT, max_new_tokens=12)
    text = "".join(generation)
    logits = lm.logits(generation.prompt_tokens + generation.tokens)
    assert (
        generation.tokens == logits[len(generation.prompt_tokens) - 1 : -1].argmax(axis=1).tolist()
    )
    assert text == lm.tokenizer.decode([token for token in generation.tokens if token != 2])


def test_a_budget_below_the_weights_reads_from_flash_and_one_above_does_not(tiny: Path) -> None:
    with open_tiny(tiny, memory="50%") as little, open_tiny(tiny, memory="100%") as all_of_it:
        little.generate(PROMPT, max_new_tokens=8)
        all_of_it.generate(PROMPT, max_new_tokens=8)
        assert 0 < little.stats.hit_rate < 1
        assert little.stats.bytes_per_token > 0
        assert all_of_it.stats.hit_rate == 1
        assert all_of_it.stats.bytes_per_token == 0
        assert little.memory_plan.total <= little.memory_plan.budget


def test_pieces_are_the_text(lm: flashlm.LanguageModel) -> None:
    generation = lm.stream(PROMPT, max_new_tokens=16)
    pieces = list(generation)
    assert all(pieces)
    assert "".join(pieces) == lm.generate(PROMPT, max_new_tokens=16)
    assert generation.finish_reason in {"length", "eos"}


def test_a_text_ends_before_a_stop_text(lm: flashlm.LanguageModel) -> None:
    text = lm.generate(PROMPT, max_new_tokens=24)
    stop = text[8:11]
    generation = lm.stream(PROMPT, max_new_tokens=24, stop=stop)
    assert "".join(generation) == text[: text.index(stop)]
    assert generation.finish_reason == "stop"
    assert (
        lm.generate(PROMPT, max_new_tokens=24, stop=["never said", stop])
        == text[: text.index(stop)]
    )


def test_a_closed_generation_ends_and_the_next_one_works(lm: flashlm.LanguageModel) -> None:
    text = lm.generate(PROMPT, max_new_tokens=8)
    generation = lm.stream(PROMPT, max_new_tokens=1000)
    next(generation)
    generation.close()
    assert generation.finish_reason == "closed"
    assert list(generation) == []
    assert lm.generate(PROMPT, max_new_tokens=8) == text


def test_ctrl_c_stops_an_answer_and_the_next_one_works(lm: flashlm.LanguageModel) -> None:
    text = lm.generate(PROMPT, max_new_tokens=8)
    lm.generate("Something else", max_new_tokens=1)

    def interrupt(_done: int, _total: int) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        lm.generate(PROMPT, max_new_tokens=8, on_prefill=interrupt)
    assert lm.generate(PROMPT, max_new_tokens=8) == text


def test_a_prompt_reports_its_progress(lm: flashlm.LanguageModel) -> None:
    seen: list[tuple[int, int]] = []
    lm.generate(PROMPT, max_new_tokens=1, on_prefill=lambda done, total: seen.append((done, total)))
    n_tokens = len(lm.tokenizer.encode(PROMPT))
    assert seen[-1] == (n_tokens, n_tokens)


def test_an_error_in_a_callback_comes_back(lm: flashlm.LanguageModel) -> None:
    def fail(done: int, _total: int) -> None:
        raise LookupError(done)

    with pytest.raises(LookupError):
        lm.generate(PROMPT, on_prefill=fail)


def test_a_session_goes_on_from_what_it_has_read(lm: flashlm.LanguageModel) -> None:
    session = lm.session()
    first = session.generate(PROMPT, max_new_tokens=8)
    assert session.stats.reused_tokens == 0
    longer = PROMPT + first + " and so"
    second = session.generate(longer, max_new_tokens=8)
    assert session.stats.reused_tokens >= len(lm.tokenizer.encode(PROMPT)) - 1
    assert second == lm.generate(longer, max_new_tokens=8)
    assert session.tokens[: len(lm.tokenizer.encode(longer))] == lm.tokenizer.encode(longer)
    session.reset()
    assert session.tokens == []


def test_sessions_do_not_disturb_each_other(lm: flashlm.LanguageModel) -> None:
    prompts = ["One day", "The other day the"]
    alone = [lm.generate(prompt, max_new_tokens=12) for prompt in prompts]
    sessions = [lm.session(), lm.session()]
    streams = [
        session.stream(prompt, max_new_tokens=12)
        for session, prompt in zip(sessions, prompts, strict=True)
    ]
    texts = ["", ""]
    for _ in range(12):
        for index, stream in enumerate(streams):
            texts[index] += next(stream, "")
    for index, stream in enumerate(streams):
        texts[index] += "".join(stream)
    assert texts == alone


def test_threads_take_turns(lm: flashlm.LanguageModel) -> None:
    alone = lm.generate(PROMPT, max_new_tokens=12)
    texts: list[str] = []

    def work(session: flashlm.Session) -> None:
        texts.append(session.generate(PROMPT, max_new_tokens=12))

    threads = [threading.Thread(target=work, args=(lm.session(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == [alone, alone]


def test_messages_are_answered_as_their_prompt_is_continued(lm: flashlm.LanguageModel) -> None:
    prompt = lm.chat_template.render(HELLO)
    answer = lm.chat(HELLO, max_new_tokens=8)
    assert answer == lm.generate(prompt, max_new_tokens=8, add_special=False)
    assert answer == "".join(lm.stream_chat(HELLO, max_new_tokens=8))
    assert answer == lm.session().chat(HELLO, max_new_tokens=8)


def test_a_model_without_a_chat_template_says_so(tiny_source: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(tiny_source, tmp_path / "plain"))
    (source / "chat_template.jinja").unlink()
    with open_tiny(flashlm.pack(source, tmp_path / "plain.flash")) as lm:
        assert lm.generate("Hi", max_new_tokens=1) is not None
        with pytest.raises(flashlm.FormatError, match=r"no chat model: use generate\(\)"):
            lm.chat(HELLO)


def test_perplexity_is_that_of_the_logits(lm: flashlm.LanguageModel) -> None:
    ids = lm.tokenizer.encode(PROMPT)
    logits = lm.logits(ids).astype(np.float64)
    likelihoods = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    loss = -np.mean([likelihoods[i, ids[i + 1]] for i in range(len(ids) - 1)])
    assert lm.perplexity(PROMPT) == pytest.approx(float(np.exp(loss)), rel=1e-6)


def test_perplexity_reads_a_long_text_in_windows(lm: flashlm.LanguageModel) -> None:
    seen: list[tuple[int, int]] = []
    text = PROMPT * 20
    assert len(lm.tokenizer.encode(text)) > lm.context
    assert lm.perplexity(text, lambda done, total: seen.append((done, total))) > 1
    assert seen[-1][0] == seen[-1][1]


def test_the_statistics_have_the_promised_names(lm: flashlm.LanguageModel) -> None:
    lm.generate(PROMPT, max_new_tokens=4)
    stats = lm.stats.to_dict()
    assert set(stats) >= STAT_NAMES
    assert stats["tokens"] == lm.stats.tokens == 3  # the first comes with the prompt
    assert "pinned" in lm.memory_plan.to_dict()
    assert str(lm.stats)
    assert str(lm.memory_plan)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"selector": "router"}, "mixtures of experts"),
        ({"drafter": "small.flash"}, "Speculative decoding"),
    ],
)
def test_what_comes_later_is_refused_and_not_ignored(
    tiny: Path, options: dict[str, Any], what: str
) -> None:
    with pytest.raises(NotImplementedError, match=what):
        open_tiny(tiny, **options)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"selector": "best"}, "selector: expected one of auto, dense, .* got 'best'"),
        ({"selector": "predictor"}, "neurons_per_bundle=1"),
        ({"selector": "gate"}, "neurons_per_bundle=1"),
        ({"policy": "oldest"}, "policy: expected one of .* got 'oldest'"),
        ({"policy": "lru", "window": 5}, "window: expected none for the policy lru, got 5"),
        ({"window": 0}, "window: expected 1 or more, got 0"),
        ({"memory": 0.5}, "memory: expected 'auto', bytes such as .* got 0.5"),
        ({"memory": "half"}, "got 'half'"),
        ({"memory": 0}, "got 0"),
        ({"context": 0}, "context: expected 1 or more, got 0"),
        ({"context": 129}, "expected at most the model's 128, got 129"),
        ({"threads": 0}, "threads: expected 1 or more, got 0"),
        ({"threads": 1025}, "threads: expected 1 to 1024"),
        ({"reader": "telepathy"}, "telepathy"),
    ],
)
def test_a_wrong_argument_of_from_pretrained_is_named(
    tiny: Path, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(flashlm.ArgumentError, match=problem):
        open_tiny(tiny, **options)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"max_new_tokens": -1}, "max_new_tokens: expected 0 or more, got -1"),
        ({"temperature": -1.0}, "temperature"),
        ({"top_k": -1}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"min_p": 2.0}, "min_p"),
        ({"repetition_penalty": 0.0}, "repetition_penalty"),
    ],
)
def test_a_wrong_argument_of_generate_is_named(
    lm: flashlm.LanguageModel, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(flashlm.ArgumentError, match=problem):
        lm.generate(PROMPT, **options)
    assert lm.generate(PROMPT, max_new_tokens=2)


def test_a_prompt_must_be_a_text_that_fits(lm: flashlm.LanguageModel) -> None:
    prompt: Any = b"bytes"
    with pytest.raises(flashlm.ArgumentError, match=r"prompt: expected a text, got b.*Decode"):
        lm.generate(prompt)
    with pytest.raises(flashlm.ShapeError, match="empty text"):
        lm.generate("")
    with pytest.raises(flashlm.ShapeError, match="expected at most the context of 128 tokens"):
        lm.generate(PROMPT * 20)
    assert lm.generate(PROMPT, max_new_tokens=2)


def test_a_text_that_fills_the_context_ends_there(tiny: Path) -> None:
    with open_tiny(tiny, context=32) as lm:
        generation = lm.stream("The", max_new_tokens=1000, temperature=2.0, seed=1)
        for _ in generation:
            pass
        assert generation.finish_reason in {"context", "eos"}
        assert len(generation.prompt_tokens) + len(generation.tokens) <= 33


def test_ids_outside_the_vocabulary_are_refused(lm: flashlm.LanguageModel) -> None:
    for ids in ([-1], [lm.tokenizer.vocab_size]):
        with pytest.raises(flashlm.ArgumentError):
            lm.logits(ids)
    assert lm.logits([]).shape == (0, lm.tokenizer.vocab_size)
    with pytest.raises(flashlm.ShapeError):
        lm.logits([1] * (lm.context + 1))


def test_too_small_a_budget_names_the_smallest_that_works(tiny: Path) -> None:
    with pytest.raises(flashlm.BudgetError) as caught:
        open_tiny(tiny, memory=1000)
    smallest = caught.value.smallest_bytes
    with open_tiny(tiny, memory=smallest) as lm, open_tiny(tiny, memory="100%") as resident:
        assert lm.memory_plan.total <= smallest
        assert lm.generate(PROMPT, max_new_tokens=4) == resident.generate(PROMPT, max_new_tokens=4)
    with pytest.raises(flashlm.BudgetError):
        open_tiny(tiny, memory=smallest - 1)


def test_memory_is_locked_on_request_or_the_limit_is_named(tiny: Path) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    may_not_lock = os.geteuid() != 0 and soft != resource.RLIM_INFINITY and soft < 1 << 20
    with pytest.raises(flashlm.IoError, match="ulimit -l") if may_not_lock else nullcontext():
        open_tiny(tiny, lock_memory=True).close()


def test_a_missing_source_is_an_io_error(tmp_path: Path) -> None:
    with pytest.raises(flashlm.IoError, match=r"missing\.flash"):
        open_tiny(tmp_path / "missing.flash")


def test_what_is_not_packed_is_packed_on_the_way(
    tiny_source: Path, lm: flashlm.LanguageModel, flashlm_home: Path
) -> None:
    stages: list[str] = []
    with flashlm.LanguageModel.from_pretrained(
        str(tiny_source), progress=lambda stage, _done, _total: stages.append(stage)
    ) as other:
        assert other.folder.is_relative_to(flashlm_home)
        assert other.generate(PROMPT, max_new_tokens=4) == lm.generate(PROMPT, max_new_tokens=4)
    assert stages[-1] == "load"


def test_a_closed_model_says_so(tiny: Path) -> None:
    lm = open_tiny(tiny)
    session = lm.session()
    lm.close()
    lm.close()
    with pytest.raises(flashlm.Error, match="model: expected an open one, got one that is closed"):
        lm.generate(PROMPT)
    with pytest.raises(
        flashlm.Error, match="session: expected an open one, got one that is closed"
    ):
        session.generate(PROMPT)
    assert "closed" in repr(lm)
    assert "closed" in repr(session)


def test_an_open_model_can_be_recognised(lm: flashlm.LanguageModel) -> None:
    assert "tiny.flash" in repr(lm)
    assert "0 of 128 tokens" in repr(lm.session())
