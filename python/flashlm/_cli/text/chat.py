# SPDX-License-Identifier: Apache-2.0
"""chat.py: ``flashlm chat``: a conversation in the terminal."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from flashlm import Error, LanguageModel, Session, ShapeError
from flashlm._cli.terminal import options, screen
from flashlm._cli.terminal.interrupts import Interrupts
from flashlm._cli.terminal.typed import Typed
from flashlm._cli.text.saved_talk import Messages, load_messages, open_talk, save_talk
from flashlm._core import format_bytes
from flashlm.chat.request import Request

NAME = "chat"
EXAMPLES = options.examples(
    "flashlm chat model.flash",
    'flashlm chat model.flash --system "Answer in one sentence." -n 16',
    'echo "Why is the sky blue?" | flashlm chat model.flash -n 16',
    'echo "Why is the sky blue?" | flashlm chat model.flash -n 16 --json',
)
HELP = """\
/help   these lines
/stats  memory, bytes and time so far
/reset  forgets the conversation
/forget forgets its oldest question and answer, to make room
/exit   leaves; so does Ctrl-D
Ctrl-C  stops an answer; at the prompt, twice leaves"""
_SHOWN = 60  # characters of a question that is forgotten


@options.takes({**options.OPENING, **options.SAMPLING})
def main(
    source: options.Source,
    *,
    system: Annotated[
        str | None,
        typer.Option("--system", metavar="TEXT", help="What the model is told first."),
    ] = None,
    max_new_tokens: options.MaxNewTokens = 512,
    load_session: options.LoadSession = None,
    save_session: options.SaveSession = None,
    json: options.Json = False,
    **given: Any,
) -> None:
    """Talks with a chat model. Ctrl-C stops an answer; /help lists what else can be typed.

    A text that is pasted is one message. Where stdin is no terminal, each line of it is one
    message. With --json each answer is one JSON object, on one line.
    """
    lm = options.open_source(source, **options.opening_of(given))
    settings = {"max_new_tokens": max_new_tokens, **options.sampling_of(given)}
    with lm:
        _ = lm.chat_template  # a model without one is told before the first line is typed
        before = load_messages(load_session) if load_session is not None else []
        speaker = open_talk(lm, load_session, save_session)
        conversation = Conversation(lm, system, settings, speaker=speaker, before=before, json=json)
        try:
            conversation.talk()
        finally:
            if save_session is not None:
                conversation.save(save_session)


class Conversation:
    """The messages so far, and the loop that adds to them."""

    def __init__(
        self,
        lm: LanguageModel,
        system: str | None,
        settings: dict[str, Any],
        *,
        speaker: LanguageModel | Session | None = None,
        before: Messages | None = None,
        json: bool = False,
    ) -> None:
        self._lm = lm
        self._speaker = speaker or lm
        self._json = json
        self._settings = settings
        self._start: Messages = [{"role": "system", "content": system}] if system else []
        self._messages = list(before or self._start)
        if before and system:
            self._messages = [
                *self._start,
                *(message for message in before if message["role"] != "system"),
            ]
        self._interactive = sys.stdin.isatty()
        self._typed = Typed() if self._interactive else None
        self._interrupts = Interrupts()

    def talk(self) -> None:
        """Reads lines and answers them until the user leaves."""
        if not self._interactive:
            self._take_turns()
            return
        screen.err.print(
            f"{self._lm.folder.name}: {format_bytes(self._lm.memory_plan.total)} of DRAM. /help "
            f"lists the commands.",
            style="dim",
            markup=False,
        )
        with self._interrupts:
            self._take_turns()
            sys.stdout.write("\n")

    def _take_turns(self) -> None:
        leaving = False
        while True:
            try:
                line = self._read_line()
            except EOFError:
                return
            except KeyboardInterrupt:
                if leaving or not self._interactive:
                    return
                leaving = True
                screen.err.print("\n(Ctrl-C again or Ctrl-D leaves)", style="dim")
                continue
            if not line:
                continue
            leaving = False
            if line == "/exit":
                return
            if line.startswith("/") and "\n" not in line:
                self._command(line)
            else:
                self._answer(line)

    def _read_line(self) -> str:
        if self._typed is None:
            return input().strip()
        with self._interrupts.heard_while_waiting():
            return self._typed.read("> ")

    def _command(self, line: str) -> None:
        if line == "/help":
            screen.err.print(HELP, markup=False)
        elif line == "/stats":
            screen.err.print(
                screen.plan_table(self._lm.memory_plan),
                screen.stats_table(self._speaker.stats),
                sep="\n",
            )
        elif line == "/reset":
            self._messages = list(self._start)
            screen.err.print("A new conversation.", style="dim")
        elif line == "/forget":
            self._forget()
        else:
            screen.err.print(
                f"{line}: no such command. /help lists them.", style="yellow", markup=False
            )

    def _forget(self) -> None:
        """Takes the oldest question and its answer out of the conversation."""
        begin = len(self._start) if self._messages[: len(self._start)] == self._start else 0
        while begin < len(self._messages) and self._messages[begin]["role"] == "system":
            begin += 1
        turns = [
            at
            for at in range(begin + 1, len(self._messages))
            if self._messages[at]["role"] == "user"
        ]
        end = turns[0] if turns else len(self._messages)
        question = str(self._messages[begin].get("content", "")) if begin < end else ""
        del self._messages[begin:end]
        shown = question if len(question) <= _SHOWN else f"{question[:_SHOWN]}..."
        screen.tell(
            f"Forgotten: {screen.plain(shown)}" if begin < end else "There is nothing to forget."
        )

    def _tell_of_full_context(self) -> None:
        """What to do where the conversation no longer fits."""
        size = self._speaker.context
        if self._messages == self._start:
            screen.tell(
                f"The message is longer than the context of {size} tokens. --context N makes it "
                f"larger."
            )
        else:
            screen.tell(
                f"The conversation fills the context of {size} tokens: /forget drops its oldest "
                f"question and answer, "
                "/reset begins a new one, --context N makes more room."
            )

    def save(self, path: Path) -> None:
        """Keeps the conversation in a file."""
        save_talk(self._speaker, path, self._messages)

    def _answer(self, line: str) -> None:
        """Streams one answer. One that the user stops stays said as far as it came."""
        messages = [*self._messages, {"role": "user", "content": line}]
        pieces: list[str] = []
        try:
            reason = self._say(messages, pieces)
        except KeyboardInterrupt:
            if not self._interactive:
                raise
            reason = "stopped"
        except Error as error:
            screen.print_error(error, expected=True)
            if isinstance(error, ShapeError):
                self._tell_of_full_context()
            if not self._interactive:
                raise typer.Exit(1) from error
            return
        finally:
            if not self._json:
                screen.write("\n")
        if self._json:
            screen.print_json(
                {"text": "".join(pieces), "finish_reason": reason, **self._speaker.stats.to_dict()}
            )
        elif reason in ("length", "context", "stopped"):
            screen.err.print(f"({'' if reason == 'stopped' else 'cut: '}{reason})", style="dim")
        self._messages = [*messages, {"role": "assistant", "content": "".join(pieces)}]
        if reason == "context":
            self._tell_of_full_context()

    def _request(self, messages: Messages) -> Request:
        drawn = dict(self._settings)
        return Request(
            messages,
            max_new_tokens=drawn.pop("max_new_tokens", 512),
            stop=drawn.pop("stop", ()),
            sampling=drawn,
        )

    def _say(self, messages: Messages, pieces: list[str]) -> str | None:
        """Writes an answer, unless it is one for programs, and keeps its pieces.

        Returns why it ended.
        """
        with self._interrupts.allowed():
            generation = self._request(messages).stream(self._speaker)
            with contextlib.closing(generation):
                for piece in generation:
                    pieces.append(piece)
                    if not self._json:
                        screen.write(piece)
        return generation.finish_reason
