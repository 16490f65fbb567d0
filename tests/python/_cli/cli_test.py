# SPDX-License-Identifier: Apache-2.0
"""The command line: answers on stdout, one clear line for an error, and a clean end on Ctrl-C."""

from __future__ import annotations

import contextlib
import fcntl
import inspect
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flashlm
from flashlm._cli.app import app

FLASHLM = [sys.executable, "-m", "flashlm"]
HANGS = 400  # seconds after which something hangs; before, a machine may be slow or stand still
COMMANDS = (
    "run",
    "chat",
    "papers",
    "agent",
    "pack",
    "verify",
    "info",
    "plan",
    "probe",
    "bench",
    "train",
    "thresholds",
    "demo",
)
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
PLAN_NAMES = {
    "budget",
    "weights",
    "resident",
    "pinned",
    "stream",
    "kv",
    "scratch",
    "total",
    "smallest",
    "context",
}


def environment(**changes: str) -> dict[str, str]:
    plain = {
        key: value
        for key, value in os.environ.items()
        if key not in {"FORCE_COLOR", "FLASHLM_TRACEBACK"}
    }
    return {**plain, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1", **changes}


def flashlm_command(
    *arguments: str | Path, stdin: str = "", **changes: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FLASHLM, *map(str, arguments)],
        input=stdin,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )


def succeed(*arguments: str | Path, stdin: str = "", **changes: str) -> str:
    result = flashlm_command(*arguments, stdin=stdin, **changes)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout


def fail(*arguments: str | Path, code: int = 1, stdin: str = "", **changes: str) -> str:
    result = flashlm_command(*arguments, stdin=stdin, **changes)
    assert result.returncode == code, result.stderr
    assert result.stdout.strip() == ""
    return without_plan(result.stderr)


def without_plan(said: str) -> str:
    """What stderr has beside the plan, which is told before a model is read."""
    lines = said.splitlines(keepends=True)
    return "".join(
        line for line in lines if not line.startswith(("Plan: ", "Memory: ", "All of it fits"))
    )


def test_run_prints_the_text_and_nothing_else(tiny: Path, lm: flashlm.LanguageModel) -> None:
    text = lm.generate("The moon", max_new_tokens=8)
    result = flashlm_command("run", tiny, "-p", "The moon", "-n", "8")
    assert result.returncode == 0, result.stderr
    assert result.stdout == text + "\n"
    assert "read per token" in result.stderr


def test_run_takes_its_prompt_from_stdin(tiny: Path) -> None:
    assert succeed("run", tiny, "-p", "-", "-n", "8", stdin="The moon") == succeed(
        "run", tiny, "-p", "The moon", "-n", "8"
    )


def test_run_answers_a_message(tiny: Path, lm: flashlm.LanguageModel) -> None:
    answer = lm.chat([{"role": "user", "content": "Hi"}], max_new_tokens=8)
    assert succeed("run", tiny, "--chat", "-p", "Hi", "-n", "8") == answer + "\n"


def test_run_passes_its_options_on(tiny: Path, lm: flashlm.LanguageModel) -> None:
    settings: dict[str, Any] = {
        "temperature": 1.5,
        "top_k": 20,
        "top_p": 0.9,
        "min_p": 0.01,
        "seed": 3,
    }
    text = lm.generate("The moon", max_new_tokens=12, repetition_penalty=1.2, **settings)
    options = [
        word
        for name, value in settings.items()
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    said = succeed(
        "run", tiny, "-p", "The moon", "-n", "12", "--repetition-penalty", "1.2", *options
    )
    assert said == text + "\n"
    stop = text[4:6]
    cut = succeed(
        "run",
        tiny,
        "-p",
        "The moon",
        "-n",
        "12",
        "--repetition-penalty",
        "1.2",
        "--stop",
        stop,
        *options,
    )
    assert cut == text[: text.index(stop)] + "\n"


def test_run_prints_tables_when_asked(tiny: Path) -> None:
    result = flashlm_command("run", tiny, "-p", "The moon", "-n", "4", "--stats")
    for words in (
        "Where the memory goes",
        "KV cache",
        "bytes read per token",
        "hit rate",
        "time computing",
    ):
        assert words in result.stderr


def test_run_json_has_the_names_of_the_statistics(tiny: Path, lm: flashlm.LanguageModel) -> None:
    told = json.loads(succeed("run", tiny, "-p", "The moon", "-n", "8", "--json"))
    assert set(told) >= STAT_NAMES | {"text", "finish_reason", "token_ids", "memory_plan"}
    assert set(told["memory_plan"]) >= PLAN_NAMES
    assert told["text"] == lm.generate("The moon", max_new_tokens=8)
    assert told["finish_reason"] in {"length", "eos"}


def test_info_tells_what_a_model_is(tiny: Path) -> None:
    told = json.loads(succeed("info", tiny, "--json"))
    assert told["n_layers"] == 3
    assert told["dim"] == 64
    assert "memory_plan" not in told
    assert succeed("run", tiny, "-p", "Hi", "-n", "1", "--memory", str(told["smallest"]))
    assert "expected at least" in fail(
        "run", tiny, "-p", "Hi", "--memory", str(told["smallest"] - 1)
    )
    assert "3 layers" in succeed("info", tiny)
    told = json.loads(succeed("info", tiny, "--memory", "75%", "--json"))
    assert set(told["memory_plan"]) >= PLAN_NAMES
    assert "KV cache" in succeed("info", tiny, "--memory", "75%")


def test_pack_verify_and_run_are_three_commands(tiny_source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new.flash"
    told = json.loads(succeed("pack", tiny_source, folder, "--dtype", "f16", "--json"))
    assert told["folder"] == str(folder)
    assert told["bytes"] == sum(
        file.stat().st_size for file in folder.iterdir() if file.name != "flashlm.json"
    )
    assert "every checksum is right" in succeed("verify", folder)
    assert json.loads(succeed("verify", folder, "--json"))["ok"] is True
    assert succeed("run", folder, "-p", "Hi", "-n", "2")


def test_pack_prints_what_rounding_lost_and_info_each_format(
    tiny_source: Path, tmp_path: Path
) -> None:
    told = json.loads(succeed("pack", tiny_source, tmp_path / "f32.flash", "--json"))
    assert told["rounding_error"] == {}
    assert "Rounding error" not in succeed("pack", tiny_source, tmp_path / "f32-again.flash")
    table = succeed("pack", tiny_source, tmp_path / "q8.flash", "--dtype", "q8_0")
    assert "Rounding error" in table
    # 208 neurons are no whole blocks, so that the down matrices became f16.
    facts = json.loads(succeed("info", tmp_path / "q8.flash", "--json"))
    assert (facts["dtype"], facts["tensor_dtypes"]["layers.2.down"]) == ("mixed", "f16")
    assert facts["tensor_dtypes"]["layers.0.q"] == facts["tensor_dtypes"]["embedding"] == "q8_0"
    assert facts["tensor_dtypes"]["final_norm"] == "f32"
    assert sorted(facts["source"]["rounding_error"]) == [
        "down",
        "embedding",
        "gate",
        "k",
        "o",
        "q",
        "up",
        "v",
    ]
    assert "q8_0: embedding, q, k, v, o, gate, up; f16: down" in " ".join(
        succeed("info", tmp_path / "q8.flash").replace("│", " ").split()
    )
    error = fail("pack", tiny_source, tmp_path / "one.flash", "--dtype", "iq4_nl")
    assert "'q6_k', got 'iq4_nl'" in error


def test_verify_names_the_file_that_was_changed(tiny_copy: Path) -> None:
    weights = max(tiny_copy.glob("ffn-*.safetensors"))
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    error = fail("verify", tiny_copy)
    assert weights.name in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "missing.flash", "-p", "x"], "missing.flash"),
        (["run", "MODEL", "-p", "x", "--memory", "1kB"], "expected at least"),
        (["run", "MODEL", "-p", "x", "--memory", "half"], "half"),
        (["run", "MODEL", "-p", "x", "--temperature", "-1"], "temperature"),
        (["run", "MODEL", "-p", "", "-n", "1"], "empty"),
        (["run", "MODEL", "-p", "x" * 2000], "context"),
        (["run", "MODEL", "-p", "x", "--reader", "telepathy"], "telepathy"),
        (["verify", "missing.flash"], "missing.flash"),
        (["pack", "missing.gguf", "new.flash"], "missing.gguf"),
        (["info", "missing.flash"], "missing.flash"),
    ],
)
def test_an_error_is_one_clear_line(tiny: Path, arguments: list[str], said: str) -> None:
    error = fail(*(str(tiny) if word == "MODEL" else word for word in arguments))
    assert error.startswith("flashlm: [")
    assert said in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("how", [{"arguments": ["--traceback"]}, {"variable": "1"}])
def test_developers_see_a_traceback(how: dict[str, Any]) -> None:
    changes = {"FLASHLM_TRACEBACK": how["variable"]} if "variable" in how else {}
    error = fail("verify", "missing.flash", *how.get("arguments", []), **changes)
    assert "Traceback (most recent call last)" in error
    assert "flashlm.IoError" in error


@pytest.mark.parametrize(
    "arguments", [["run"], ["run", "model"], ["walk"], ["run", "m", "-p", "x", "--speed", "9"]]
)
def test_misuse_ends_with_two(arguments: list[str]) -> None:
    assert "Traceback" not in fail(*arguments, code=2)


def test_the_version_is_told() -> None:
    assert succeed("--version") == f"flashlm {flashlm.__version__}\n"


def test_the_reader_of_a_pipe_may_leave(tiny: Path) -> None:
    command = " ".join(map(shlex.quote, [*FLASHLM, "run", str(tiny), "-p", "The moon", "-n", "64"]))
    result = subprocess.run(
        ["sh", "-c", f"{command} | head -c 1"], env=environment(), capture_output=True, check=False
    )
    assert b"Traceback" not in result.stderr
    assert b"BrokenPipe" not in result.stderr


def test_probe_measures_a_file_of_a_model_and_draws(tiny: Path, tmp_path: Path) -> None:
    words = ("probe", tiny, "--seconds", "0.2", "--page-cache")
    answer = json.loads(succeed(*words, "--json"))
    assert answer["path"] == str(tiny / "ffn-00000.safetensors")
    assert answer["recommended"] in answer["points"]
    picture = tmp_path / "disk.png"
    said = succeed(*words, "--plot", picture)
    assert "Recommended: reads of" in said
    assert "in flight" in said
    assert picture.stat().st_size > 1000
    assert "absent" in fail("probe", tmp_path / "absent")


def test_bench_prints_stats_floors_and_that_its_text_means_nothing(
    tiny_source: Path, tmp_path: Path
) -> None:
    words = (
        "bench",
        "--shape",
        tiny_source / "config.json",
        "--dtype",
        "f32",
        "-n",
        "2",
        "--prompt",
        "3",
    )
    answer = json.loads(succeed(*words, "--json"))
    assert set(answer) > STAT_NAMES | {"floors", "predicted_seconds_per_token", "memory_plan"}
    assert set(answer["memory_plan"]) > PLAN_NAMES
    result = flashlm_command(*words)
    assert "floor: DRAM" in result.stdout
    assert "meaningless" in result.stderr
    exported = tmp_path / "random.gguf"
    assert succeed(*words[:5], "--export", "gguf", "-o", exported) == f"{exported}\n"
    assert exported.read_bytes()[:4] == b"GGUF"
    assert "output" in fail(*words, "--export", "gguf")


def example_lines() -> Iterator[str]:
    for arguments in ([], *([command] for command in COMMANDS)):
        said = subprocess.run(
            [*FLASHLM, *arguments, "--help"],
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        yield from re.findall(r"^ *\$ (.*\S) *$", said, re.MULTILINE)


def test_every_command_has_examples_that_run(tiny: Path, tiny_source: Path, tmp_path: Path) -> None:
    (tmp_path / "model.flash").symlink_to(tiny)
    (tmp_path / "model.gguf").symlink_to(tiny_source)
    (tmp_path / "hf-folder").symlink_to(tiny_source)
    lines = list(example_lines())
    assert {line.split("flashlm ")[-1].split()[0] for line in lines} == set(COMMANDS)
    shims = tmp_path / "bin"
    shims.mkdir()
    (shims / "flashlm").write_text(f'#!/bin/sh\nexec {shlex.join(FLASHLM)} "$@"\n')
    (shims / "flashlm").chmod(0o755)
    for line in lines:
        if "flashlm demo" in line:  # fetches the real model: demo_test runs it
            continue
        if (
            "flashlm papers" in line or "flashlm agent" in line
        ):  # ask the web: cli_papers_test runs them
            continue
        if re.search(
            "flashlm t|selector", line
        ):  # need a model packed neuron by neuron: train_test, selector_test
            continue
        more = (
            " --page-cache" if "flashlm probe" in line else ""
        )  # there may be no direct reads here
        result = subprocess.run(
            ["sh", "-c", line + more],
            cwd=tmp_path,
            env=environment(PATH=f"{shims}:{os.environ['PATH']}"),
            stdin=subprocess.DEVNULL if "|" not in line else None,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, f"{line}\n{result.stderr}"


def test_the_commands_are_those_that_exist() -> None:
    assert tuple(command.name for command in app.registered_commands) == COMMANDS


def test_every_command_gives_its_answer_to_a_program() -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        assert "json" in inspect.signature(command.callback).parameters, command.name


class Output:
    """What a process writes, read up to what is waited for."""

    def __init__(self, stream: int) -> None:
        self._stream = stream
        self._said = ""

    def read(self, seconds: float) -> bool:
        """Takes what is there within some seconds; False if nothing is, or the end has come."""
        ready, _, _ = select.select([self._stream], [], [], max(0, seconds))
        data = b""
        if ready:
            with contextlib.suppress(OSError):  # a terminal whose program has left
                data = os.read(self._stream, 4096)
        self._said += data.decode(errors="replace")
        return bool(data)

    def wait_for(self, what: str, seconds: float = HANGS) -> str:
        """What is said until `what` is, that included."""
        end = time.monotonic() + seconds
        while what not in self._said:
            assert self.read(end - time.monotonic()), f"no {what!r} in {self._said!r}"
        said, found, self._said = self._said.partition(what)
        return said + found

    def take(self, n: int, seconds: float = HANGS) -> None:
        """Skips n characters."""
        end = time.monotonic() + seconds
        while len(self._said) < n:
            assert self.read(end - time.monotonic()), f"only {self._said!r}"
        self._said = self._said[n:]


@pytest.fixture
def endless(tiny_source: Path, tmp_path: Path) -> Path:
    """A model that never says its end token and has a large context."""
    source = tmp_path / "endless"
    source.mkdir()
    for file in tiny_source.iterdir():
        (source / file.name).write_bytes(file.read_bytes())
    config = json.loads((source / "config.json").read_text())
    config.update(max_position_embeddings=131072, eos_token_id=None)
    del config["eos_token_id"]
    (source / "config.json").write_text(json.dumps(config))
    return flashlm.pack(source, tmp_path / "endless.flash")


@pytest.mark.parametrize("json_too", [False, True])
def test_ctrl_c_ends_run_with_130_and_no_traceback(endless: Path, json_too: bool) -> None:
    command = [
        *FLASHLM,
        "run",
        str(endless),
        "-p",
        "-",
        "-n",
        "1000000",
        "--context",
        "131072",
        "--threads",
        "1",
    ]
    process = subprocess.Popen(
        command + ["--json"] * json_too,
        env=environment(PYTHONUNBUFFERED="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"The moon")
        process.stdin.flush()
        wait_until_read(process.stdin.fileno())
        process.stdin.close()
        process.stdin = None
        if not json_too:
            assert Output(process.stdout.fileno()).read(HANGS)
        os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=HANGS)
    assert process.returncode == 130, error.decode()
    assert without_plan(error.decode()).strip() == "Interrupted."


def wait_until_read(pipe: int, seconds: float = HANGS) -> None:
    """Waits until the reader of a pipe has taken what was written."""
    end = time.monotonic() + seconds
    left = b"\1\0\0\0"
    while any(left):
        assert time.monotonic() < end
        time.sleep(0.01)
        left = fcntl.ioctl(pipe, termios.FIONREAD, b"\0\0\0\0")


IN_A_TERMINAL = """
import os, sys
os.setsid()
os.close(os.open(os.ttyname(0), os.O_RDWR))  # from now on it sends signals
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A command in a terminal of its own, where Ctrl-C and Ctrl-D are keys."""

    def __init__(self, *arguments: str | Path) -> None:
        self._screen, inside = pty.openpty()
        words = [*FLASHLM, *map(str, arguments)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", IN_A_TERMINAL, *words],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env=environment(COLUMNS="200"),
        )
        os.close(inside)
        self._output = Output(self._screen)

    def type(self, keys: str) -> None:
        """Presses keys."""
        os.write(self._screen, keys.encode())

    def wait_for(self, what: str) -> str:
        """What the screen shows until `what` appears."""
        return self._output.wait_for(what)

    def wait_for_output(self, n: int) -> None:
        """Waits until the screen shows so many more characters."""
        self._output.take(n)

    def leave(self) -> None:
        """Presses Ctrl-D once a prompt stands; between prompts a terminal loses it."""
        self.wait_for("> ")
        self.type("\x04")

    def exit_code(self) -> int:
        """Waits for the end; an unread screen would block it."""
        while self._output.read(HANGS):
            pass
        code = self._process.wait(timeout=HANGS)  # before the screen is gone, whose end is a signal
        os.close(self._screen)
        return code


def test_a_conversation_in_a_terminal(tiny: Path) -> None:
    terminal = Terminal("chat", tiny, "-n", "4")
    assert "/help" in terminal.wait_for("> ")
    terminal.type("/help\n")
    terminal.wait_for("forgets the conversation")
    terminal.wait_for("> ")
    terminal.type("Hello\n")
    terminal.wait_for("> ")
    terminal.type("/stats\n")
    terminal.wait_for("time computing")
    terminal.wait_for("> ")
    terminal.type("/reset\n")
    terminal.wait_for("A new conversation.")
    terminal.type("/walk\n")
    terminal.wait_for("no such command")
    terminal.type("/exit\n")
    assert terminal.exit_code() == 0


def test_a_pasted_text_is_one_message(tiny: Path, lm: flashlm.LanguageModel) -> None:
    pasted = "\n".join(f"line {number}" for number in range(5))
    answer = lm.chat([{"role": "user", "content": pasted}], max_new_tokens=4)
    terminal = Terminal("chat", tiny, "-n", "4", "--save-session", tiny.parent / "pasted.kv")
    terminal.wait_for("> ")
    terminal.type(f"\x1b[200~{pasted}\x1b[201~")
    terminal.wait_for("line 4")
    terminal.type("\r")
    terminal.wait_for("(cut: length)")
    terminal.type("/usr\n")
    terminal.wait_for("no such command")
    terminal.type("\x1b[200~/usr\n/bin\x1b[201~\r")
    terminal.wait_for("(cut: length)")
    terminal.type("/exit\n")
    assert terminal.exit_code() == 0
    said = json.loads((tiny.parent / "pasted.kv.json").read_text())["messages"]
    assert [message["content"] for message in said[:3]] == [pasted, answer, "/usr\n/bin"]


def test_a_full_context_says_what_to_do(tiny: Path) -> None:
    terminal = Terminal("chat", tiny, "-n", "24", "--context", "96")
    terminal.wait_for("> ")
    for _ in range(2):
        terminal.type("How are you today?\n")
        terminal.wait_for("> ")
    terminal.type("And how were you yesterday, may I ask?\n")
    told = terminal.wait_for("more room.")
    assert "The conversation fills the context of 96 tokens: /forget drops its oldest" in told
    assert "/reset begins a new one" in told
    for forgotten in ("How are you today?", "How are you today?"):
        terminal.type("/forget\n")
        assert forgotten in terminal.wait_for("Forgotten: How are you today?")
    terminal.type("Well?\n")
    terminal.wait_for("(cut: length)")
    terminal.type("/reset\n")
    terminal.wait_for("A new conversation.")
    terminal.type("/forget\n")
    terminal.wait_for("nothing to forget")
    terminal.type("word " * 100 + "\n")
    terminal.wait_for("The message is longer than the context of 96 tokens")
    terminal.leave()
    assert terminal.exit_code() == 0


def test_a_conversation_goes_on_from_a_file(
    tiny: Path, lm: flashlm.LanguageModel, tmp_path: Path
) -> None:
    whole = succeed("chat", tiny, "-n", "4", stdin="Hi\nAnd?\n")
    file = tmp_path / "talk.kv"
    first = succeed("chat", tiny, "-n", "4", "--save-session", file, stdin="Hi\n")
    second = succeed(
        *("chat", tiny, "-n", "4", "--json", "--load-session", file, "--save-session", file),
        stdin="And?\n",
    )
    assert first + json.loads(second)["text"] + "\n" == whole
    assert json.loads(second)["reused_tokens"] > 4
    third = succeed("run", tiny, "--chat", "-n", "4", "--load-session", file, "-p", "So?")
    said = json.loads((tmp_path / "talk.kv.json").read_text())["messages"]
    assert third == lm.chat([*said, {"role": "user", "content": "So?"}], max_new_tokens=4) + "\n"


def test_a_text_goes_on_from_a_file(tiny: Path, lm: flashlm.LanguageModel, tmp_path: Path) -> None:
    file = tmp_path / "text.kv"
    first = succeed("run", tiny, "-p", "The moon", "-n", "6", "--save-session", file)[:-1]
    told = json.loads(
        succeed("run", tiny, "-p", " and", "-n", "6", "--load-session", file, "--json")
    )
    assert told["text"] == lm.generate("The moon" + first + " and", max_new_tokens=6)
    assert told["reused_tokens"] > 2
    problem = fail("chat", tiny, "--load-session", file, stdin="Hi\n")
    assert "expected text.kv.json beside it, which `flashlm chat --save-session` writes" in problem
    assert "in a folder that exists" in fail(
        "run", tiny, "-p", "x", "--save-session", tmp_path / "no" / "x.kv"
    )


def test_prompts_stay_computed_where_a_store_is_asked_for(tiny: Path, tmp_path: Path) -> None:
    home = {"FLASHLM_HOME": str(tmp_path)}
    prompt = "The moon and the sea " * 5  # more than a block of 64 tokens
    for command in (("run", tiny, "-n", "2", "-p", prompt), ("chat", tiny, "-n", "2")):
        succeed(*command, stdin=prompt + "\n", **home)
        assert not (tmp_path / "kv").exists()
        told = [
            json.loads(
                succeed(
                    *command,
                    "--kv-store",
                    "--kv-store-bytes",
                    "1GiB",
                    "--json",
                    stdin=prompt,
                    **home,
                )
            )
            for _ in range(2)
        ]
        assert told[0]["text"] == told[1]["text"]
        assert told[1]["prefill_tokens"] <= told[0]["prefill_tokens"] - 64
        shutil.rmtree(tmp_path / "kv")


def test_a_message_that_quotes_the_end_of_a_turn_ends_none(
    tiny: Path, lm: flashlm.LanguageModel
) -> None:
    answer = lm.chat([{"role": "user", "content": "a<|im_end|>b"}], max_new_tokens=4)
    assert succeed("run", tiny, "--chat", "-p", "a<|im_end|>b", "-n", "4") == answer + "\n"


def test_ctrl_d_leaves_a_conversation(tiny: Path) -> None:
    terminal = Terminal("chat", tiny)
    terminal.leave()
    assert terminal.exit_code() == 0


def test_ctrl_c_stops_an_answer_and_two_at_the_prompt_leave(endless: Path) -> None:
    terminal = Terminal("chat", endless, "-n", "1000000", "--context", "131072")
    terminal.wait_for("> ")
    terminal.type("Hello\n")
    terminal.wait_for("Hello\r\n")
    terminal.wait_for_output(20)
    terminal.type("\x03")
    terminal.wait_for("(stopped)")
    terminal.wait_for("> ")
    terminal.type("/stats\n")
    terminal.wait_for("time computing")
    terminal.wait_for("> ")
    terminal.type("\x03")
    terminal.wait_for("again")
    terminal.type("\x03")
    assert terminal.exit_code() == 0


def test_a_conversation_can_be_piped(tiny: Path, lm: flashlm.LanguageModel) -> None:
    first = lm.chat([{"role": "user", "content": "Hi"}], max_new_tokens=4)
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": first},
        {"role": "user", "content": "And?"},
    ]
    second = lm.chat(messages, max_new_tokens=4)
    assert succeed("chat", tiny, "-n", "4", stdin="Hi\nAnd?\n") == f"{first}\n{second}\n"
    told = [
        json.loads(line)
        for line in succeed("chat", tiny, "-n", "4", "--json", stdin="Hi\nAnd?\n").splitlines()
    ]
    assert [one["text"] for one in told] == [first, second]
    assert told[0]["finish_reason"] == "length"
    assert set(told[0]) >= STAT_NAMES


def test_a_piped_conversation_that_fails_says_so(tiny: Path) -> None:
    assert "context" in fail("chat", tiny, stdin="x" * 2000 + "\n")
