# SPDX-License-Identifier: Apache-2.0
"""chat.py: ``flashlm chat``: a conversation in the terminal."""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated, Any

import typer

from flashlm import Error, LanguageModel
from flashlm._core import format_bytes
from flashlm.cli import options, screen
from flashlm.cli.interrupts import Interrupts

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
/exit   leaves; so does Ctrl-D
Ctrl-C  stops an answer; at the prompt, twice leaves"""


def main(
    source: options.Source,
    *,
    system: Annotated[
        str | None,
        typer.Option("--system", metavar="TEXT", help="What the model is told first."),
    ] = None,
    memory: options.Memory = "50%",
    context: options.Context = None,
    threads: options.Threads = None,
    reader: options.Reader = "auto",
    selector: options.Selector = "auto",
    policy: options.Policy = "auto",
    window: options.Window = None,
    lock_memory: options.LockMemory = False,
    max_new_tokens: options.MaxNewTokens = 512,
    temperature: options.Temperature = 0.0,
    top_k: options.TopK = 0,
    top_p: options.TopP = 1.0,
    min_p: options.MinP = 0.0,
    repetition_penalty: options.RepetitionPenalty = 1.0,
    seed: options.Seed = 0,
    stop: options.Stop = None,
    json: options.Json = False,
) -> None:
    """Talks with a chat model. Ctrl-C stops an answer; /help lists what else can be typed.

    Where stdin is no terminal, each line of it is one message. With --json each answer is one JSON object, on one line.
    """
    lm = options.open_source(
        source,
        memory=memory,
        context=context,
        threads=threads,
        reader=reader,
        selector=selector,
        policy=policy,
        window=window,
        lock_memory=lock_memory,
    )
    settings = {
        "max_new_tokens": max_new_tokens,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
        "seed": seed,
        "stop": stop or (),
    }
    with lm:
        _ = lm.chat_template  # a model without one is told before the first line is typed
        Conversation(lm, system, settings, json=json).talk()


class Conversation:
    """The messages so far, and the loop that adds to them."""

    def __init__(self, lm: LanguageModel, system: str | None, settings: dict[str, Any], *, json: bool = False) -> None:
        self._lm = lm
        self._json = json
        self._settings = settings
        self._start: list[dict[str, str]] = [{"role": "system", "content": system}] if system else []
        self._messages = list(self._start)
        self._interactive = sys.stdin.isatty()
        self._interrupts = Interrupts()

    def talk(self) -> None:
        """Reads lines and answers them until the user leaves."""
        if not self._interactive:
            self._take_turns()
            return
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 - gives input() its line editing
        screen.err.print(
            f"{self._lm.folder.name}: {format_bytes(self._lm.memory_plan.total)} of DRAM. /help lists the commands.",
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
            if line.startswith("/"):
                self._command(line)
            else:
                self._answer(line)

    def _read_line(self) -> str:
        if not self._interactive:
            return input().strip()
        with self._interrupts.heard_while_waiting():
            return input("> ").strip()

    def _command(self, line: str) -> None:
        if line == "/help":
            screen.err.print(HELP, markup=False)
        elif line == "/stats":
            screen.err.print(screen.plan_table(self._lm.memory_plan), screen.stats_table(self._lm.stats), sep="\n")
        elif line == "/reset":
            self._messages = list(self._start)
            screen.err.print("A new conversation.", style="dim")
        else:
            screen.err.print(f"{line}: no such command. /help lists them.", style="yellow", markup=False)

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
            if not self._interactive:
                raise typer.Exit(1) from error
            return
        finally:
            if not self._json:
                screen.write("\n")
        if self._json:
            screen.print_json({"text": "".join(pieces), "finish_reason": reason, **self._lm.stats.to_dict()})
        elif reason in ("length", "context", "stopped"):
            screen.err.print(f"({'' if reason == 'stopped' else 'cut: '}{reason})", style="dim")
        self._messages = [*messages, {"role": "assistant", "content": "".join(pieces)}]

    def _say(self, messages: list[dict[str, str]], pieces: list[str]) -> str | None:
        """Writes an answer, unless it is one for programs, and keeps its pieces. Returns why it ended."""
        with self._interrupts.allowed():
            generation = self._lm.stream_chat(messages, **self._settings)
            with contextlib.closing(generation):
                for piece in generation:
                    pieces.append(piece)
                    if not self._json:
                        screen.write(piece)
        return generation.finish_reason
