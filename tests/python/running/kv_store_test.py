# SPDX-License-Identifier: Apache-2.0
"""Conversations and prompts that outlive the process: saved sessions and the KV store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import flashlm
from flashlm import _core

PROMPT = "The quick brown fox jumps over the lazy dog, and then it sleeps until the evening comes; what a day, friends!"


def generate(
    folder: Path, store: Path | bool | None, prompt: str = PROMPT
) -> tuple[str, dict[str, Any]]:
    """The text and the statistics of a model that is opened, asked once and closed."""
    with flashlm.LanguageModel.from_pretrained(folder, kv_store=store) as model:
        text = model.generate(prompt, max_new_tokens=8)
        return text, model.kv_store or {}


def blocks(store: Path) -> list[Path]:
    return sorted(store.rglob("*.kv"))


def test_a_session_goes_on_in_another_process(tiny: Path, tmp_path: Path) -> None:
    with flashlm.LanguageModel.from_pretrained(tiny) as model:
        session = model.session()
        text = session.generate("Once", max_new_tokens=12)
        session.save(tmp_path / "talk.kv")
        prompt = "Once" + text + " more"
        expected = session.generate(prompt, max_new_tokens=12)
    # A random model writes any byte, which a command line does not take.
    (tmp_path / "prompt").write_bytes(prompt.encode())
    program = (
        "import pathlib, sys, flashlm\n"
        "lm = flashlm.LanguageModel.from_pretrained(sys.argv[1], memory='100%', context=100)\n"
        "session = lm.load_session(sys.argv[2])\n"
        "prompt = pathlib.Path(sys.argv[3]).read_bytes().decode()\n"
        "text = session.generate(prompt, max_new_tokens=12)\n"
        "print(ascii((text, session.stats.reused_tokens > 0)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tiny, tmp_path / "talk.kv", tmp_path / "prompt"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ascii((expected, True))


def test_a_session_of_another_model_or_a_smaller_context_is_refused(
    lm: flashlm.LanguageModel, tiny: Path, tiny_source: Path, tmp_path: Path
) -> None:
    session = lm.session()
    session.generate(PROMPT, max_new_tokens=8)
    session.save(tmp_path / "talk.kv")
    other = flashlm.pack(tiny_source, tmp_path / "other.flash", dtype="f16")
    with (
        flashlm.LanguageModel.from_pretrained(other) as stranger,
        pytest.raises(flashlm.FormatError, match="another model"),
    ):
        stranger.load_session(tmp_path / "talk.kv")
    with (
        flashlm.LanguageModel.from_pretrained(tiny, context=20) as small,
        pytest.raises(flashlm.ShapeError, match="larger context"),
    ):
        small.load_session(tmp_path / "talk.kv")
    with pytest.raises(flashlm.IoError):
        lm.load_session(tmp_path / "missing.kv")
    with pytest.raises(flashlm.IoError):
        session.save(tmp_path / "missing" / "talk.kv")


def test_a_changed_byte_of_a_saved_session_is_a_format_error(
    lm: flashlm.LanguageModel, tmp_path: Path
) -> None:
    session = lm.session()
    session.generate("Once upon a time", max_new_tokens=8)
    session.save(tmp_path / "talk.kv")
    data = (tmp_path / "talk.kv").read_bytes()
    for at in (0, 10, 75, 130, 5000, len(data) - 1):
        (tmp_path / "bad.kv").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(flashlm.FormatError):
            lm.load_session(tmp_path / "bad.kv")
    (tmp_path / "bad.kv").write_bytes(data[:-100])
    with pytest.raises(flashlm.FormatError):
        lm.load_session(tmp_path / "bad.kv")


def test_a_prompt_is_computed_once(tiny: Path, tmp_path: Path) -> None:
    expected, nothing = generate(tiny, None)
    assert nothing == {}
    first, stats = generate(tiny, tmp_path / "kv")
    assert (first, stats["loaded_tokens"], stats["stored_tokens"]) == (expected, 0, 64)
    again, stats = generate(tiny, tmp_path / "kv")
    assert (again, stats["loaded_tokens"], stats["stored_tokens"]) == (expected, 64, 0)
    assert stats["folder"] == tmp_path / "kv"
    assert stats["max_bytes"] == 8 << 30


def test_true_means_kv_in_the_home(tiny: Path, flashlm_home: Path) -> None:
    generate(tiny, True)
    assert len(blocks(flashlm_home / "kv")) == 1
    assert (flashlm_home / "kv").stat().st_mode & 0o777 == 0o700


def test_a_damaged_block_is_a_warning_and_no_wrong_answer(tiny: Path, tmp_path: Path) -> None:
    expected, _ = generate(tiny, tmp_path / "kv")
    (block,) = blocks(tmp_path / "kv")
    good = block.read_bytes()
    for bad in (good[:1000], b"", good[:5000] + bytes(len(good) - 5000)):
        block.write_bytes(bad)
        with pytest.warns(RuntimeWarning, match="removed and computed again"):
            text, stats = generate(tiny, tmp_path / "kv")
        assert text == expected
        assert stats["damaged_blocks"] == 1
        assert block.read_bytes() == good


def test_a_warning_that_is_an_error_leaves_the_model_usable(tiny: Path, tmp_path: Path) -> None:
    expected, _ = generate(tiny, tmp_path / "kv")
    blocks(tmp_path / "kv")[0].write_bytes(b"broken")
    with flashlm.LanguageModel.from_pretrained(tiny, kv_store=tmp_path / "kv") as model:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", r"\[reader\] no answer for")  # a disk may stall
            with pytest.raises(RuntimeWarning):
                model.generate(PROMPT, max_new_tokens=8)
        assert model.generate(PROMPT, max_new_tokens=8) == expected


def test_the_store_keeps_its_size(tiny: Path, tmp_path: Path) -> None:
    generate(tiny, tmp_path / "kv")
    size = blocks(tmp_path / "kv")[0].stat().st_size
    with flashlm.LanguageModel.from_pretrained(
        tiny, kv_store=tmp_path / "kv", kv_store_bytes=2 * size
    ) as model:
        for letter in "abcdef":
            model.generate(letter + PROMPT, max_new_tokens=1)
            assert sum(block.stat().st_size for block in blocks(tmp_path / "kv")) <= 2 * size
        assert model.kv_store is not None
        assert model.kv_store["removed_blocks"] == 5


def test_a_prefill_that_is_killed_goes_on_in_the_next_process(tiny: Path, tmp_path: Path) -> None:
    program = (
        "import sys, time, flashlm\n"
        "from flashlm import _core\n"
        "lm = _core.LanguageModel.open(sys.argv[1], max_batch=32, kv_store=sys.argv[2])\n"
        "def slow(done, total):\n"
        "    if done >= 64:\n"
        "        print('stored', flush=True)\n"
        "        time.sleep(3600)\n"
        "lm.generate(sys.argv[3], on_prefill=slow)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tiny, tmp_path / "kv", PROMPT],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stored\n"
        process.send_signal(signal.SIGKILL)
    text, stats = generate(tiny, tmp_path / "kv")
    assert text == generate(tiny, None)[0]
    assert stats["loaded_tokens"] == 64


def test_two_processes_share_a_store(tiny: Path, tmp_path: Path) -> None:
    program = (
        "import sys, flashlm\n"
        "lm = flashlm.LanguageModel.from_pretrained(sys.argv[1], kv_store=sys.argv[2], "
        "kv_store_bytes=200_000)\n"
        "print(ascii([lm.generate(letter + sys.argv[3], max_new_tokens=4) for letter in 'abcdef' * "
        "2]))\n"
    )
    command: list[str | Path] = [sys.executable, "-c", program, tiny, tmp_path / "kv", PROMPT]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    with flashlm.LanguageModel.from_pretrained(tiny) as model:
        expected = ascii(
            [model.generate(letter + PROMPT, max_new_tokens=4) for letter in "abcdef" * 2]
        )
    assert [out for out, _ in said] == [expected + "\n"] * 2
    assert not any("kv_store" in err or "Error" in err for _, err in said)


def test_what_is_no_folder_or_no_size_is_an_argument_error(tiny: Path, tmp_path: Path) -> None:
    for store, size in (
        ("", "8GiB"),
        (tmp_path / "kv", 0),
        (tmp_path / "kv", -1),
        (tmp_path / "kv", "50%"),
    ):
        with pytest.raises(flashlm.ArgumentError):
            flashlm.LanguageModel.from_pretrained(tiny, kv_store=store, kv_store_bytes=size)
    with pytest.raises(flashlm.ArgumentError, match="kv_store_bytes"):
        flashlm.LanguageModel.from_pretrained(tiny, kv_store=tmp_path / "kv", kv_store_bytes=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(flashlm.IoError):
        flashlm.LanguageModel.from_pretrained(tiny, kv_store=tmp_path / "file")


def run(program: str, *arguments: str | Path, **environment: str) -> str:
    """What a program prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return done.stdout.strip()


@pytest.mark.skipif(_core.isa() == "scalar", reason="this processor has only one instruction set")
def test_another_instruction_set_has_other_bits_and_another_fingerprint(
    lm: flashlm.LanguageModel, tiny: Path, tmp_path: Path
) -> None:
    program = (
        "import sys, flashlm\n"
        "lm = flashlm.LanguageModel.from_pretrained(sys.argv[1], kv_store=sys.argv[3])\n"
        "session = lm.session()\n"
        "session.generate(sys.argv[4])\n"
        "session.save(sys.argv[2])\n"
    )
    run(program, tiny, tmp_path / "talk.kv", tmp_path / "kv", PROMPT, FLASHLM_ISA="scalar")
    with pytest.raises(flashlm.FormatError, match="instruction set"):
        lm.load_session(tmp_path / "talk.kv")
    _, stats = generate(tiny, tmp_path / "kv")
    assert (stats["loaded_tokens"], stats["damaged_blocks"]) == (0, 0)


def test_a_full_disk_stops_no_answer_and_leaves_what_was_saved(tiny: Path, tmp_path: Path) -> None:
    expected, _ = generate(tiny, None)
    with flashlm.LanguageModel.from_pretrained(tiny) as model:
        session = model.session()
        session.generate("short", max_new_tokens=1)
        session.save(tmp_path / "talk.kv")
    before = (tmp_path / "talk.kv").read_bytes()
    # A limit on the size of files stands for the full disk: writing fails half-way.
    program = (
        "import resource, sys, warnings, flashlm\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "warnings.simplefilter('always')\n"
        "with warnings.catch_warnings(record=True) as seen:\n"
        "    lm = flashlm.LanguageModel.from_pretrained(sys.argv[1], kv_store=sys.argv[3])\n"
        "    session = lm.session()\n"
        "    text = session.generate(sys.argv[4], max_new_tokens=8)\n"
        "try:\n"
        "    session.save(sys.argv[2])\n"
        "except flashlm.IoError:\n"
        "    print(ascii((text, len([each for each in seen if '[reader]' not in "
        "str(each.message)]))))\n"
    )
    assert run(program, tiny, tmp_path / "talk.kv", tmp_path / "kv", PROMPT) == ascii((expected, 1))
    assert (tmp_path / "talk.kv").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kv", "talk.kv"]
    assert [path.name for path in (tmp_path / "kv").rglob("*") if path.is_file()] == ["lock"]
