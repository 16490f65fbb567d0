# SPDX-License-Identifier: Apache-2.0
"""app.py: the command line: its commands, and what becomes of their errors."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import flashlm
from flashlm._cli.measuring import bench, probe
from flashlm._cli.model import info, pack, plan, thresholds, train, verify
from flashlm._cli.terminal import options, screen
from flashlm._cli.text import agent, chat, demo, papers, run

INTERRUPTED = 130  # 128 + SIGINT, as shells count

app = typer.Typer(
    name="flashlm",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=options.examples("flashlm demo", 'flashlm run model.flash -p "The moon is"'),
)
for command in (
    run,
    chat,
    papers,
    agent,
    pack,
    verify,
    info,
    plan,
    probe,
    bench,
    train,
    thresholds,
    demo,
):
    app.command(name=command.NAME, epilog=command.EXAMPLES)(command.main)


def _print_version(value: bool) -> None:
    if value:
        screen.out.print(f"flashlm {flashlm.__version__}")
        raise typer.Exit


@app.callback()
def flashlm_command(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Prints the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Runs language models larger than DRAM, straight from flash storage."""


def _take_any_bytes() -> None:
    """No byte on stdin and no character for stdout ends a command.

    U+FFFD and escapes stand for what has no form.
    """
    for stream, errors in ((sys.stdin, "replace"), (sys.stdout, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper) and (
            stream is sys.stdin or stream.errors == "strict"
        ):
            with contextlib.suppress(OSError, ValueError):  # closed, or read from before
                stream.reconfigure(errors=errors)


def run_app(arguments: Sequence[str] | None = None) -> int | str | None:
    """Runs one command and returns the exit code: 0 done, 1 failed, 2 misused, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "--traceback" in words:  # for developers: any command takes it, none lists it
        words.remove("--traceback")
        os.environ["FLASHLM_TRACEBACK"] = "1"
    _take_any_bytes()
    code: int | str | None = 0
    try:
        app(args=words, prog_name="flashlm")
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except (flashlm.Error, NotImplementedError, ImportError, OSError) as error:
        screen.print_error(error, expected=True)
        code = 1
    except Exception as error:  # noqa: BLE001 - nobody else is left to say it
        screen.print_error(error, expected=False)
        code = 1
    if code == INTERRUPTED:
        screen.err.print("Interrupted.", style="dim")
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of a pipe has left; keep Python from saying so at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
