# SPDX-License-Identifier: Apache-2.0
"""A conversation in the terminal takes every Ctrl-C, one for one, without a traceback.

It may come at any time.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

import flashlm
from flashlm._cli.terminal import interrupts
from flashlm._cli.text import chat

STOPPED = "(stopped)"
WARNED = "(Ctrl-C again or Ctrl-D leaves)"
WATCHED = {chat.__file__, interrupts.__file__}


class InterruptAt:
    """Presses Ctrl-C before the n-th line that the conversation's files run; counts these lines."""

    def __init__(self, *moments: int) -> None:
        self.moments = moments
        self.lines = 0
        self.pressed = 0

    def __call__(self, frame: FrameType, event: str, _: Any) -> InterruptAt | None:
        if frame.f_code.co_filename not in WATCHED:
            return None
        if event == "line" and signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            self.lines += 1
            if self.lines in self.moments:
                self.pressed += 1
                signal.raise_signal(signal.SIGINT)
        return self


class Typed:
    """What is typed at the prompt; then Ctrl-D."""

    def __init__(self, trace: InterruptAt, *lines: str) -> None:
        self._trace = trace
        self._lines = iter(lines)
        self.pressed_before_the_end = 0

    def __call__(self, _prompt: str) -> str:
        sys.settrace(self._trace)  # an exception in a trace function ends tracing
        self.pressed_before_the_end = self._trace.pressed
        line = next(self._lines, None)
        if line is None:
            raise EOFError
        return line


@pytest.fixture
def traced() -> Iterator[None]:
    before = sys.gettrace()
    yield
    sys.settrace(before)


def talk(
    model: flashlm.LanguageModel, monkeypatch: pytest.MonkeyPatch, *moments: int
) -> tuple[InterruptAt, Typed]:
    trace = InterruptAt(*moments)
    typed = Typed(trace, "Hello", "/help", "/reset", "", "And?")
    monkeypatch.setattr("builtins.input", typed)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    conversation = chat.Conversation(model, None, {"max_new_tokens": 3})
    sys.settrace(trace)
    conversation.talk()
    sys.settrace(None)
    return trace, typed


@pytest.mark.usefixtures("traced")
def test_ctrl_c_at_any_moment_of_a_conversation_counts_once(
    lm: flashlm.LanguageModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet, _ = talk(lm, monkeypatch)
    assert quiet.lines > 80
    capsys.readouterr()
    for moment in range(1, quiet.lines + 1):
        trace, typed = talk(lm, monkeypatch, moment)
        assert trace.pressed == 1
        told = capsys.readouterr().err
        assert told.count(STOPPED) + told.count(WARNED) == typed.pressed_before_the_end, moment
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@pytest.mark.usefixtures("traced")
def test_two_ctrl_c_in_a_row_never_end_a_conversation_with_an_error(
    lm: flashlm.LanguageModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet, _ = talk(lm, monkeypatch)
    for moment in range(1, quiet.lines, 5):
        talk(lm, monkeypatch, moment, moment + 1 + moment % 4)
        assert capsys.readouterr().err.count(WARNED) <= 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
