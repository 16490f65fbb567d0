# SPDX-License-Identifier: Apache-2.0
"""A process that is forked from one with a model ends as others do.

It opens a model of its own, or is told to.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import flashlm

PATIENCE = 300  # seconds, after which a child that hangs is ended
PROMPT = "The moon is"
READERS = ["uring", "threads"]

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


@pytest.fixture(
    params=[(reader, memory) for reader in READERS for memory in ("50%", "100%")], ids="-".join
)
def lm(tiny: Path, request: pytest.FixtureRequest) -> Iterator[flashlm.LanguageModel]:
    """The tiny model with each reader, streamed and resident."""
    reader, memory = request.param
    try:
        model = flashlm.LanguageModel.from_pretrained(tiny, reader=reader, memory=memory, threads=2)
    except flashlm.IoError:
        pytest.skip("io_uring is forbidden here")
    with model:
        yield model


def ended(child: int) -> int:
    """The exit code of a child; minus the signal that ended it. One that hangs is killed."""
    deadline = time.monotonic() + PATIENCE
    while True:
        process, status = os.waitpid(child, os.WNOHANG)
        if process:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)


def forked(body: Callable[[], None]) -> int:
    """Runs `body` in a forked child: 0 if it ended well."""
    child = os.fork()
    if child:
        return ended(child)
    code = 1
    try:
        body()
        code = 0
    except BaseException:  # noqa: BLE001 (none may go on in the child)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def told(call: Callable[[], object]) -> None:
    """The call must raise flashlm.Error, which says what is wrong and what to do."""
    with pytest.raises(flashlm.Error, match=r"got a fork of it .* in the child") as raised:
        call()
    assert raised.type is flashlm.Error


def test_a_child_that_only_ends_ends_and_the_parent_goes_on(lm: flashlm.LanguageModel) -> None:
    right = lm.generate(PROMPT, max_new_tokens=8)
    assert forked(lambda: None) == 0
    assert lm.generate(PROMPT, max_new_tokens=8) == right


def test_a_child_can_let_go_of_everything(lm: flashlm.LanguageModel) -> None:
    session, stream = lm.session(), lm.stream(PROMPT, max_new_tokens=8)
    text = next(stream)
    held: list[Any] = [session, stream]

    def let_go() -> None:
        nonlocal session, stream
        session.close()
        held.clear()
        session = stream = None  # type: ignore[assignment]
        lm.close()
        gc.collect()

    assert forked(let_go) == 0
    text += "".join(stream)
    assert text == lm.session().generate(PROMPT, max_new_tokens=8)


def test_a_child_that_computes_is_told_and_what_needs_no_engine_works(
    lm: flashlm.LanguageModel, tmp_path: Path
) -> None:
    session = lm.session()
    right = session.generate(PROMPT, max_new_tokens=8)
    session.save(tmp_path / "talk.kv")
    stream = lm.stream(PROMPT, max_new_tokens=8)
    next(stream)
    ids = lm.tokenizer.encode(PROMPT)

    def use() -> None:
        for call in (
            lambda: lm.generate(PROMPT),
            lambda: next(lm.stream(PROMPT)),
            lambda: next(stream),
            stream.rest,
            lambda: lm.chat([{"role": "user", "content": "Hi"}]),
            lambda: lm.logits(ids),
            lambda: lm.perplexity(PROMPT),
            lambda: lm.collect(ids, lambda *_: None),
            lambda: lm._native.step(5),
            lm.session,
            lambda: lm.load_session(tmp_path / "talk.kv"),
            lambda: session.generate(PROMPT),
            lambda: session.save(tmp_path / "other.kv"),
            session.reset,
        ):
            told(call)
        assert lm.tokenizer.decode(ids) == PROMPT
        assert lm.config["n_layers"] == 3
        assert lm.memory_plan.total > 0
        assert lm.stats.bytes_read >= 0
        assert session.stats.tokens > 0
        assert session.tokens
        assert stream.tokens
        assert stream.finish_reason is None
        assert "flashlm" in repr(lm) + repr(session)
        stream.close()
        assert stream.finish_reason == "closed"

    assert forked(use) == 0
    assert not (tmp_path / "other.kv").exists()
    assert session.generate(PROMPT, max_new_tokens=8) == right


def test_a_child_opens_a_model_of_its_own(lm: flashlm.LanguageModel) -> None:
    right = lm.generate(PROMPT, max_new_tokens=8)
    folder, reader = lm.folder, lm.config["reader"]

    def use() -> None:
        with flashlm.LanguageModel.from_pretrained(folder, reader=reader, threads=2) as own:
            assert own.generate(PROMPT, max_new_tokens=8) == right
            child = os.fork()  # and a child of the child
            if child == 0:
                told(lambda: own.generate(PROMPT))
                os._exit(0)
            assert ended(child) == 0
            assert own.generate(PROMPT, max_new_tokens=8) == right

    assert forked(use) == 0


def test_children_of_a_parent_that_generates_end_and_are_told(lm: flashlm.LanguageModel) -> None:
    right = lm.generate(PROMPT, max_new_tokens=20)
    stop = threading.Event()
    texts: list[str] = []
    sessions = [lm.session() for _ in range(2)]

    def generate(session: flashlm.Session) -> None:
        while not stop.is_set():
            texts.append(session.generate(PROMPT, max_new_tokens=20))
            session.reset()

    def use() -> None:
        told(lambda: lm.generate(PROMPT))
        for session in sessions:
            told(partial(session.generate, PROMPT))
            assert session.stats is not None
            assert len(session.tokens) <= session.context
            session.close()
        lm.close()
        gc.collect()

    threads = [threading.Thread(target=generate, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    try:
        codes = [forked(use if round % 2 else lambda: None) for round in range(20)]  # noqa: A001
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert codes == [0] * 20
    assert texts
    assert set(texts) == {right}


def test_a_callback_may_fork(lm: flashlm.LanguageModel) -> None:
    codes: list[int] = []

    def on_prefill(_done: int, _total: int) -> None:
        codes.append(forked(lambda: told(lambda: lm.generate(PROMPT))))
        codes.append(forked(lambda: None))

    text = lm.generate(PROMPT, max_new_tokens=8, on_prefill=on_prefill)
    assert set(codes) == {0}
    assert text == lm.session().generate(PROMPT, max_new_tokens=8)


def answer(lm: flashlm.LanguageModel | None, folder: Path, queue: Any) -> None:
    """What a worker of multiprocessing does: tries the parent's model, then its own."""
    try:
        if lm is not None:
            told(lambda: lm.generate(PROMPT))
        with flashlm.LanguageModel.from_pretrained(folder, threads=2) as own:
            queue.put(own.generate(PROMPT, max_new_tokens=8))
    except BaseException:  # noqa: BLE001
        queue.put(traceback.format_exc())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_multiprocessing_work(lm: flashlm.LanguageModel, method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    right = lm.generate(PROMPT, max_new_tokens=8)
    queue = context.Queue()
    workers = [
        context.Process(target=answer, args=(lm if method == "fork" else None, lm.folder, queue))
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    assert [queue.get(timeout=PATIENCE) for _ in workers] == [right, right]
    for worker in workers:
        worker.join(PATIENCE)
        assert worker.exitcode == 0
    assert lm.generate(PROMPT, max_new_tokens=8) == right


def test_a_pool_of_multiprocessing_does_other_work_beside_a_model(
    lm: flashlm.LanguageModel,
) -> None:
    right = lm.generate(PROMPT, max_new_tokens=8)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(len, ["a", "bb", "ccc"]) == [1, 2, 3]
        assert lm.generate(PROMPT, max_new_tokens=8) == right
    assert lm.generate(PROMPT, max_new_tokens=8) == right


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "ending",
    ["os._exit(0)", "sys.exit(0)", "pass", "del lm, session", "lm.close()", "gc.collect()"],
)
def test_programs_end_however_they_end_in_the_child(tiny: Path, reader: str, ending: str) -> None:
    code = f"""
        import atexit, gc, os, sys, warnings
        import flashlm

        warnings.simplefilter("ignore", DeprecationWarning)
        lm = flashlm.LanguageModel.from_pretrained(sys.argv[1], reader={reader!r}, memory="50%", threads=2)
        session = lm.session()
        right = session.generate("Once", max_new_tokens=4)
        children = [os.fork()]
        if children[0] == 0:
            atexit.register(lambda: os.write(1, b"end\\n"))
            {ending}
        else:
            _, status = os.waitpid(children[0], 0)
            assert session.generate("Once", max_new_tokens=4) == right
            print(os.waitstatus_to_exitcode(status))
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tiny)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if "io_uring" in done.stderr:
        pytest.skip("io_uring is forbidden here")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ("0\n" if "_exit" in ending else "end\n0\n")


def test_a_server_that_forks_workers_answers_in_each(tiny: Path, lm: flashlm.LanguageModel) -> None:
    """The parent loads, forks, and each worker opens its own: as servers with a "preload" do."""
    right = lm.generate(PROMPT, max_new_tokens=8)
    pipes = []
    for _ in range(3):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                try:
                    text = lm.generate(PROMPT, max_new_tokens=8)
                except flashlm.Error:
                    with flashlm.LanguageModel.from_pretrained(tiny, threads=1) as own:
                        text = own.generate(PROMPT, max_new_tokens=8)
                os.write(writing, text.encode())
            os._exit(0)
        os.close(writing)
        pipes.append((child, reading))
    for child, reading in pipes:
        assert ended(child) == 0
        with os.fdopen(reading, "rb") as pipe:
            assert pipe.read().decode() == right
    assert lm.generate(PROMPT, max_new_tokens=8) == right


def test_flash_model_of_smolagents_says_it_in_a_child(lm: flashlm.LanguageModel) -> None:
    smolagents = pytest.importorskip("flashlm.smolagents", reason="smolagents is not installed")
    model = smolagents.FlashModel(lm, max_new_tokens=4)
    messages = [{"role": "user", "content": "Hello"}]
    right = model.generate(messages).content
    with model._turn.taken():  # as if another thread were generating
        assert forked(lambda: told(lambda: model.generate(messages))) == 0
    assert model.generate(messages).content == right
