# SPDX-License-Identifier: Apache-2.0
"""Whoever shares a model gets the text he would get alone.

The tests have streams by turns, threads, and sessions that come and go.
"""

from __future__ import annotations

import itertools
import json
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flashlm

A, B, C = "The moon is", "Whe moon is", "One, two,"  # A and B have as many tokens
PATIENCE = 600  # seconds, after which a test that hangs is ended


@pytest.fixture(scope="module")
def shared(tiny: Path) -> Iterator[flashlm.LanguageModel]:
    """One model for all tests here: what one leaves in its session must not change the next."""
    with flashlm.LanguageModel.from_pretrained(tiny, memory="50%", threads=2) as model:
        yield model


@pytest.fixture(scope="module")
def alone(tiny: Path) -> Callable[..., str]:
    """The text of a call on a model that nobody else uses."""

    def text(prompt: str, **options: Any) -> str:
        with flashlm.LanguageModel.from_pretrained(tiny, memory="50%") as model:
            return model.generate(prompt, **options)

    return text


def in_threads(jobs: Sequence[Callable[[], Any]], n_threads: int = 4) -> list[Any]:
    """What the jobs return, done by some threads at once."""
    with ThreadPoolExecutor(n_threads) as pool:
        return [future.result(PATIENCE) for future in [pool.submit(job) for job in jobs]]


def test_an_interrupted_stream_of_a_prompt_as_long_goes_on_with_its_own_text(
    shared: flashlm.LanguageModel, alone: Callable[..., str]
) -> None:
    assert len(shared.tokenizer.encode(A)) == len(shared.tokenizer.encode(B))
    first = shared.stream(A, max_new_tokens=16)
    text = next(first)
    second = shared.stream(B, max_new_tokens=16)
    other = next(second)
    text += "".join(first)
    other += "".join(second)
    assert text == alone(A, max_new_tokens=16)
    assert other == alone(B, max_new_tokens=16)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 1.0, "top_k": 40, "seed": 7},
        {"temperature": 0.8, "top_p": 0.9, "repetition_penalty": 1.3, "seed": 11},
        {
            "json_schema": {
                "type": "object",
                "properties": {"a": {"type": "integer"}},
                "required": ["a"],
            }
        },
        {"stop": ["e"], "temperature": 1.0, "seed": 3},
    ],
    ids=["greedy", "sampled", "penalised", "grammar", "stop"],
)
def test_streams_that_take_turns_on_one_session_give_their_own_texts(
    shared: flashlm.LanguageModel, alone: Callable[..., str], options: dict[str, Any]
) -> None:
    prompts = [A, B, A + " so", C]
    streams = [shared.stream(prompt, max_new_tokens=14, **options) for prompt in prompts]
    texts = [""] * len(streams)
    order = random.Random(5)
    growing = list(range(len(streams)))
    while growing:
        index = order.choice(growing)
        piece = next(streams[index], None)
        if piece is None:
            growing.remove(index)
        else:
            texts[index] += piece
    assert texts == [alone(prompt, max_new_tokens=14, **options) for prompt in prompts]
    if "json_schema" in options:
        assert all("a" in json.loads(text) for text in texts)


def refused(model: flashlm.LanguageModel) -> None:
    with pytest.raises(flashlm.ArgumentError):
        model.logits([5, -1])


USES: dict[str, Callable[[flashlm.LanguageModel], object]] = {
    "logits": lambda lm: lm.logits(lm.tokenizer.encode("Something else")),
    "logits of the same": lambda lm: lm.logits(lm.tokenizer.encode(A)),
    "perplexity": lambda lm: lm.perplexity("A text of some words."),
    "collect": lambda lm: lm.collect(lm.tokenizer.encode(A), lambda _layer, _x, _h: None),
    "step": lambda lm: lm._native.step(5),
    "two steps": lambda lm: [lm._native.step(token) for token in (5, 6)],
    "generate": lambda lm: lm.generate(B, max_new_tokens=3),
    "chat": lambda lm: lm.chat([{"role": "user", "content": "Hi"}], max_new_tokens=3),
    "ids that are refused": refused,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_stream_whose_session_did_something_else_goes_on(
    shared: flashlm.LanguageModel,
    alone: Callable[..., str],
    use: Callable[[flashlm.LanguageModel], object],
) -> None:
    options: dict[str, Any] = {"max_new_tokens": 12, "temperature": 1.0, "seed": 4}
    stream = shared.stream(A, **options)
    text = ""
    for piece in stream:
        text += piece
        use(shared)
    assert text == alone(A, **options)


def test_a_stream_goes_on_after_its_session_was_reset_saved_or_stepped_in_a_copy(
    shared: flashlm.LanguageModel, alone: Callable[..., str], tmp_path: Path
) -> None:
    session = shared.session()
    text, stream = "", session.stream(A, max_new_tokens=12)
    for index, piece in enumerate(stream):
        text += piece
        if index % 3 == 0:
            session.reset()
        elif index % 3 == 1:
            session.save(tmp_path / "talk.kv")
            copy = shared.load_session(tmp_path / "talk.kv")
            assert copy.tokens == session.tokens
            copy.generate(B, max_new_tokens=2)
    assert text == alone(A, max_new_tokens=12)


def test_a_stream_goes_on_with_a_kv_store(
    tiny: Path, alone: Callable[..., str], tmp_path: Path
) -> None:
    long = "The moon is bright and the sea is calm. " * 2
    with flashlm.LanguageModel.from_pretrained(tiny, memory="50%", kv_store=tmp_path) as model:
        streams = [model.stream(prompt, max_new_tokens=8) for prompt in (long, long + "So", B)]
        texts = [""] * 3
        for pieces in itertools.zip_longest(*streams, fillvalue=""):
            texts = [text + piece for text, piece in zip(texts, pieces, strict=True)]
    assert texts == [alone(prompt, max_new_tokens=8) for prompt in (long, long + "So", B)]


def test_the_progress_of_a_prompt_is_told_once(shared: flashlm.LanguageModel) -> None:
    seen: list[tuple[int, int]] = []
    stream = shared.stream(
        A, max_new_tokens=6, on_prefill=lambda done, total: seen.append((done, total))
    )
    next(stream)
    told = list(seen)
    shared.generate(B, max_new_tokens=2)
    assert "".join(stream)
    assert seen == told


def test_threads_that_call_one_model_get_the_text_of_each_call_alone(
    shared: flashlm.LanguageModel, alone: Callable[..., str]
) -> None:
    prompts = [A, B, C, "Once"]
    calls = [(prompt, seed) for prompt in prompts for seed in range(10)]
    right = {prompt: alone(prompt, max_new_tokens=10) for prompt in prompts}
    sampled = {
        call: alone(call[0], max_new_tokens=6, temperature=1.0, seed=call[1]) for call in calls[:12]
    }
    got = in_threads([partial(shared.generate, prompt, max_new_tokens=10) for prompt, _ in calls])
    assert got == [right[prompt] for prompt, _ in calls]

    def streamed(call: tuple[str, int]) -> str:
        return "".join(shared.stream(call[0], max_new_tokens=6, temperature=1.0, seed=call[1]))

    got = in_threads([partial(streamed, call) for call in sampled])
    assert got == list(sampled.values())


def test_threads_of_a_server_get_right_answers_whatever_they_ask(
    shared: flashlm.LanguageModel, tiny: Path
) -> None:
    ids = shared.tokenizer.encode("Some text to score")
    messages = [{"role": "user", "content": "Hello"}]
    session = shared.session()
    jobs: list[Callable[[flashlm.LanguageModel], Any]] = [
        lambda lm: lm.generate(A, max_new_tokens=8),
        lambda lm: "".join(lm.stream(B, max_new_tokens=8)),
        lambda lm: lm.chat(messages, max_new_tokens=8),
        lambda lm: lm.stream_chat(messages, max_new_tokens=8).rest(),
        lambda lm: lm.logits(ids).tobytes(),
        lambda lm: lm.perplexity("Some text to score, a little longer."),
        lambda lm: lm.generate(C, max_new_tokens=20, json_schema={"enum": ["red", "green"]}),
        lambda lm: (lm.session() if lm is not shared else session).generate(A, max_new_tokens=8),
    ]
    right = []
    for job in jobs:
        with flashlm.LanguageModel.from_pretrained(tiny, memory="50%") as model:
            right.append(job(model))
    got = in_threads([partial(job, shared) for job in jobs * 5], 8)
    assert got == right * 5


def test_what_one_thread_collects_is_its_own(shared: flashlm.LanguageModel) -> None:
    ids = shared.tokenizer.encode("Some text to look at")

    def collected() -> list[np.ndarray[Any, Any]]:
        seen: list[np.ndarray[Any, Any]] = []
        shared.collect(ids, lambda _layer, _x, h: seen.append(h.copy()))
        return seen

    right = collected()
    stop = threading.Event()

    def disturb() -> None:
        session = shared.session()
        while not stop.is_set():
            session.generate(B, max_new_tokens=4)
            session.reset()

    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(disturb) for _ in range(2)]
        try:
            for _ in range(20):
                got = collected()
                assert len(got) == len(right)
                assert all(np.array_equal(a, b) for a, b in zip(got, right, strict=True))
        finally:
            stop.set()
        assert all(other.result(PATIENCE) is None for other in others)


def test_a_text_can_be_looked_at_and_closed_while_another_thread_computes_it(
    shared: flashlm.LanguageModel,
) -> None:
    session = shared.session()
    stream = session.stream(A, max_new_tokens=100, temperature=1.0, seed=9)
    done = threading.Event()

    def look() -> int:
        most = 0
        while not done.is_set():
            tokens = stream.tokens
            assert len(tokens) >= most
            most = len(tokens)
            assert stream.finish_reason in (None, "length", "eos", "context")
            assert session.stats.tokens <= 100
            assert len(session.tokens) <= session.context
            assert "tokens" in repr(session)
            assert shared.memory_plan.total > 0
        return most

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        text = stream.rest()
        done.set()
        assert looking.result(PATIENCE) <= len(stream.tokens)
    assert text
    long = session.stream(A, max_new_tokens=100, temperature=1.0, seed=9)
    next(long)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(long.close).result(PATIENCE)
    assert list(long) == []
    assert long.finish_reason == "closed"


def test_the_rest_of_a_stream_is_what_its_pieces_would_have_been(
    shared: flashlm.LanguageModel,
) -> None:
    stream = shared.stream(A, max_new_tokens=10)
    first = next(stream)
    assert first + stream.rest() == shared.generate(A, max_new_tokens=10)
    assert stream.rest() == ""


def test_a_callback_may_not_use_the_session_that_calls_it(shared: flashlm.LanguageModel) -> None:
    def nested(_done: int, _total: int) -> None:
        shared.generate(B)

    with pytest.raises(
        flashlm.ArgumentError, match="a callback may not use the model that calls it"
    ):
        shared.generate(A, max_new_tokens=2, on_prefill=nested)
    assert shared.generate(A, max_new_tokens=2) == shared.session().generate(A, max_new_tokens=2)


def run(code: str, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """A program in a process of its own, which may hang."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, check=False, **options
    )


IN_A_STEP = """
    import gc, sys, threading
    import flashlm

    lm = flashlm.LanguageModel.from_pretrained(sys.argv[1], memory="50%", threads=1, context=64, kv_store=sys.argv[2])
    sessions = [lm.session() for _ in range(3)]
    streams = [session.stream("Once", max_new_tokens=3) for session in sessions]
    pieces = [next(stream) for stream in streams]
    inside, go_on = threading.Event(), threading.Event()

    def look(layer, x, h):
        inside.set()
        go_on.wait()

    # Another thread is in the middle of a step, and needs the GIL to go on.
    other = threading.Thread(target=lm.collect, args=(lm.tokenizer.encode("Some text"), look))
    other.start()
    inside.wait()
    {use}
    go_on.set()
    other.join()
    print(lm.generate("Once", max_new_tokens=3) == pieces[0] + rest if "rest" in globals() else True)
"""


@pytest.mark.parametrize(
    "use",
    [
        "sessions.pop(); streams.pop(); gc.collect()",
        "sessions[0].close(); streams.clear(); sessions.clear()",
        (
            "circle = [sessions, streams]; circle.append(circle); del circle, sessions, streams; "
            "gc.collect()"
        ),
        "streams[0].close(); streams[0].finish_reason; streams[0].tokens; streams[0].prompt_tokens",
        "sessions[0].stats; sessions[0].tokens; sessions[0].context; repr(sessions[0])",
        "lm.stats; lm.memory_plan; lm.kv_store; lm.config; lm.context; repr(lm); lm._native.tokens",
        "lm.tokenizer.encode('Once'); lm.stream('Once'); sessions[0].stream('Once')",
        (
            "flashlm.LanguageModel.from_pretrained(sys.argv[1], threads=1).generate('Once', "
            "max_new_tokens=2)"
        ),
    ],
)
def test_nothing_that_needs_no_step_waits_for_one_with_the_gil(
    tiny: Path, tmp_path: Path, use: str
) -> None:
    done = run(IN_A_STEP.format(use=use), tiny, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


@pytest.mark.parametrize(
    "use",
    [
        "sessions[0].reset()",
        "lm.session()",
        "sessions[0].save(sys.argv[2] + '/talk')",
        "rest = streams[0].rest()",
    ],
)
def test_what_needs_a_step_lets_the_other_thread_go_on(
    tiny: Path, tmp_path: Path, use: str
) -> None:
    """It waits, but without the GIL: the thread it waits for goes on."""
    code = IN_A_STEP.format(use=f"threading.Timer(0.2, go_on.set).start(); {use}")
    done = run(code, tiny, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_threads_that_drop_sessions_while_others_generate_do_not_hang(tiny: Path) -> None:
    code = """
        import sys, threading, time, gc
        import flashlm

        lm = flashlm.LanguageModel.from_pretrained(sys.argv[1], memory="50%", threads=1, context=64)
        right = lm.generate("Once", max_new_tokens=3)
        end = time.monotonic() + 3
        wrong = []

        def work():
            while time.monotonic() < end:
                session = lm.session()
                if session.generate("Once", max_new_tokens=3) != right:
                    wrong.append(1)
                stream = session.stream("Twice", max_new_tokens=3)
                next(stream)
                circle = [session, stream]
                circle.append(circle)  # left to the collector of garbage
                del session, stream, circle

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        gc.collect()
        print("right" if not wrong else "wrong")
    """
    done = run(code, tiny)
    assert (done.returncode, done.stdout, done.stderr) == (0, "right\n", "")


def test_sessions_and_models_can_be_closed_while_others_generate(tiny: Path) -> None:
    code = """
        import sys, threading
        import flashlm

        lm = flashlm.LanguageModel.from_pretrained(sys.argv[1], memory="50%", threads=1, context=64)
        right = lm.generate("Once", max_new_tokens=40)
        begun = threading.Barrier(4)
        texts = []

        def work():
            session = lm.session()
            stream = session.stream("Once", max_new_tokens=40)
            text = next(stream)
            begun.wait()
            texts.append(text + "".join(stream))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        begun.wait()
        lm.close()
        del lm
        for thread in threads:
            thread.join()
        print(texts == [right] * 3)
    """
    done = run(code, tiny)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_program_whose_threads_generate_and_drop_sessions(
    tiny: Path, number: int
) -> None:
    code = """
        import sys, threading
        import flashlm

        lm = flashlm.LanguageModel.from_pretrained(sys.argv[1], memory="50%", threads=1, context=64)

        def work():
            while True:
                session = lm.session()
                session.generate("Once", max_new_tokens=3)
                del session

        for _ in range(3):
            threading.Thread(target=work, daemon=True).start()
        print("ready", flush=True)
        while True:
            lm.generate("Once", max_new_tokens=60)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tiny)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        time.sleep(0.3)
        program.send_signal(number)
        try:
            _, errors = program.communicate(timeout=PATIENCE)
        finally:
            program.kill()
    if number == signal.SIGINT:
        assert "KeyboardInterrupt" in errors
    else:
        assert program.returncode == -signal.SIGTERM


def test_a_wait_for_a_session_can_be_interrupted(tiny: Path) -> None:
    """The main thread waits for a text that another one computes.

    Ctrl-C ends the wait, and the text is not harmed.
    """
    code = """
        import signal, sys, threading
        import flashlm

        lm = flashlm.LanguageModel.from_pretrained(sys.argv[1], memory="50%", threads=1)
        right = lm.session().generate("Once", max_new_tokens=4)
        inside, go_on = threading.Event(), threading.Event()

        def wait(done, total):
            inside.set()
            go_on.wait()

        texts = []
        other = threading.Thread(target=lambda: texts.append(lm.generate("Once", max_new_tokens=4, on_prefill=wait)))
        other.start()
        inside.wait()
        threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()
        try:
            lm.generate("Twice", max_new_tokens=4)
        except KeyboardInterrupt:
            print("interrupted")
        go_on.set()
        other.join()
        print(texts == [right], lm.generate("Once", max_new_tokens=4) == right)
    """
    done = run(code, tiny)
    assert (done.returncode, done.stdout) == (0, "interrupted\nTrue True\n"), done.stderr
