# SPDX-License-Identifier: Apache-2.0
"""What packing leaves behind: nothing after an error, a folder that can be continued after an interruption."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import flashlm
import random_gguf
import random_llama
from flashlm import _core, home
from flashlm.packing import writer
from small_disk import mounted

CASE = random_llama.case("head_dim")  # three layers


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return random_llama.write_folder(CASE, tmp_path / "source")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def interrupt(
    after: int, error: type[BaseException] = KeyboardInterrupt
) -> Callable[[str, int, int], None]:
    """A progress callback that raises at the call of that number."""
    calls = 0

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == after:
            raise error(f"at {stage} {done} of {total}")

    return progress


def n_calls(source: Path, folder: Path) -> int:
    calls: list[int] = []
    flashlm.pack(source, folder, progress=lambda _, done, __: calls.append(done))
    shutil.rmtree(folder)
    return len(calls)


def test_packing_that_was_interrupted_anywhere_continues_to_the_same_bytes(
    source: Path, tmp_path: Path
) -> None:
    whole = contents(flashlm.pack(source, tmp_path / "whole.flash"))
    total = n_calls(source, tmp_path / "counted.flash")
    for after in range(1, total + 1):
        folder = tmp_path / f"{after}.flash"
        with pytest.raises(KeyboardInterrupt):
            flashlm.pack(source, folder, progress=interrupt(after))
        assert not folder.exists()
        assert folder.with_name(folder.name + ".partial").is_dir()
        assert contents(flashlm.pack(source, folder)) == whole
        assert not folder.with_name(folder.name + ".partial").exists()


def test_blocks_and_their_rounding_error_survive_an_interruption(tmp_path: Path) -> None:
    source = random_llama.write_folder(random_llama.case("grouped"), tmp_path / "source")
    whole = contents(flashlm.pack(source, tmp_path / "whole.flash", dtype="q4_0"))
    assert b"rounding_error" in whole["flashlm.json"]
    for after in range(3, 30, 2):
        folder = tmp_path / f"{after}.flash"
        try:
            flashlm.pack(source, folder, dtype="q4_0", progress=interrupt(after))
        except KeyboardInterrupt:
            assert contents(flashlm.pack(source, folder, dtype="q4_0")) == whole


def test_what_was_finished_before_an_interruption_is_not_written_again(
    source: Path, tmp_path: Path
) -> None:
    total = n_calls(source, tmp_path / "counted.flash")
    with pytest.raises(KeyboardInterrupt):
        flashlm.pack(source, tmp_path / "out.flash", progress=interrupt(total))
    resident = (tmp_path / "out.flash.partial" / "resident.safetensors").stat()
    calls: list[int] = []
    flashlm.pack(source, tmp_path / "out.flash", progress=lambda _, done, __: calls.append(done))
    assert calls[0] > resident.st_size // 2
    assert os.path.samestat(resident, (tmp_path / "out.flash" / "resident.safetensors").stat())


@pytest.mark.parametrize("change", ["source", "options", "journal", "file", "stranger"])
def test_a_partial_folder_of_something_else_is_begun_anew(
    source: Path, tmp_path: Path, change: str
) -> None:
    total = n_calls(source, tmp_path / "counted.flash")
    with pytest.raises(KeyboardInterrupt):
        flashlm.pack(source, tmp_path / "out.flash", progress=interrupt(total))
    partial, dtype = tmp_path / "out.flash.partial", "source"
    if change == "source":
        data = bytearray((source / "model.safetensors").read_bytes())
        data[-1] ^= 1  # the size and the header stay; the time does not
        (source / "model.safetensors").write_bytes(data)
    elif change == "options":
        dtype = "f16"
    elif change == "journal":
        (partial / "journal.json").write_text('{"fingerprint": 1')
    elif change == "file":
        (partial / "resident.safetensors").write_bytes(b"short")
    else:
        (partial / "stranger").mkdir()
        (partial / "stranger" / "file").touch()
    folder = flashlm.pack(source, tmp_path / "out.flash", dtype=dtype)
    assert contents(folder) == contents(flashlm.pack(source, tmp_path / "again.flash", dtype=dtype))


def test_a_kept_traceback_does_not_remove_a_file_of_the_next_run(
    source: Path, tmp_path: Path
) -> None:
    total = n_calls(source, tmp_path / "counted.flash")
    kept: list[BaseException] = []
    for after in (3, total - 2):
        with pytest.raises(KeyboardInterrupt) as caught:
            flashlm.pack(source, tmp_path / "out.flash", progress=interrupt(after))
        kept.append(caught.value)
    folder = flashlm.pack(source, tmp_path / "out.flash")
    kept.clear()
    _core.verify(str(folder))


def test_a_killed_process_leaves_a_folder_that_continues(source: Path, tmp_path: Path) -> None:
    whole = contents(flashlm.pack(source, tmp_path / "whole.flash"))
    total = n_calls(source, tmp_path / "counted.flash")
    program = (
        "import flashlm, os, signal, sys\n"
        "calls = []\n"
        "def progress(*call):\n"
        "    calls.append(call)\n"
        f"    if len(calls) == {total - 3}: os.kill(os.getpid(), signal.SIGKILL)\n"
        "flashlm.pack(sys.argv[1], sys.argv[2], progress=progress)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, source, tmp_path / "out.flash"], check=False, timeout=1200
    )
    assert done.returncode == -9
    assert not (tmp_path / "out.flash").exists()
    assert contents(flashlm.pack(source, tmp_path / "out.flash")) == whole


def test_an_error_leaves_nothing(source: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(RuntimeError):
        flashlm.pack(source, tmp_path / "out.flash", progress=interrupt(5, RuntimeError))
    assert sorted(tmp_path.iterdir()) == before


def test_a_source_that_changes_meanwhile_is_an_error(source: Path, tmp_path: Path) -> None:
    def progress(_: str, done: int, total: int) -> None:
        if done == total:
            os.utime(source / "model.safetensors", (1, 1))

    with pytest.raises(flashlm.FormatError, match="changed while it was being packed"):
        flashlm.pack(source, tmp_path / "out.flash", progress=progress)


class Usage(NamedTuple):
    """Like the answer of shutil.disk_usage."""

    total: int
    used: int
    free: int


def test_a_disk_that_is_known_to_be_too_small_is_refused_at_once(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 0, 10**5))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(flashlm.IoError, match=r"expected .* free bytes, got 100000") as caught:
        flashlm.pack(source, tmp_path / "out.flash")
    assert caught.value.errno == errno.ENOSPC
    assert sorted(tmp_path.iterdir()) == before


def test_a_disk_that_fills_up_while_packing_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path), None, str(len(data)))

    monkeypatch.setattr(writer, "write_synced", full)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(flashlm.IoError, match="No space left") as caught:
        flashlm.pack(source, tmp_path / "out.flash")
    assert caught.value.errno == errno.ENOSPC
    assert sorted(tmp_path.iterdir()) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    with mounted(tmp_path / "disk", "256k") as folder:
        yield folder


@pytest.mark.privileged
@pytest.mark.parametrize("is_known", [False, True])
def test_a_really_full_disk_leaves_nothing_and_the_next_call_works(
    source: Path, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    if not is_known:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, 10**9))
    with pytest.raises(flashlm.IoError) as caught:
        flashlm.pack(source, small_disk / "out.flash", neurons_per_bundle=1)
    assert caught.value.errno == errno.ENOSPC
    assert not list(small_disk.iterdir())
    assert flashlm.pack(source, tmp_path / "out.flash").is_dir()


def test_home_is_where_the_environment_or_the_system_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASHLM_HOME", "/data/models")
    assert home.home() == Path("/data/models")
    monkeypatch.delenv("FLASHLM_HOME")
    monkeypatch.setenv("HOME", "/users/one")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert home.home() == Path("/caches/flashlm")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert home.home() == Path("/users/one/.cache/flashlm")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert home.home() == Path("/users/one/Library/Caches/flashlm")


def test_what_is_not_packed_yet_is_packed_once(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASHLM_HOME", str(tmp_path / "home"))
    calls: list[tuple[str, int, int]] = []
    first = home.packed(source, progress=lambda *call: calls.append(call))
    assert calls
    assert first.parent == tmp_path / "home"
    assert first.name.startswith("source-f32-")
    calls.clear()
    assert home.packed(source, progress=lambda *call: calls.append(call)) == first
    assert not calls
    assert home.packed(first) == first
    assert home.packed(str(source), dtype="f16") != first
    os.utime(source / "model.safetensors", (1, 1))
    assert home.packed(source) != first
    (first / "flashlm.json").unlink()  # no longer a packed folder


def test_two_models_of_one_name_do_not_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASHLM_HOME", str(tmp_path / "home"))
    one = random_gguf.write(CASE, tmp_path / "model.gguf")
    two = random_llama.write_folder(CASE, tmp_path / "model")
    assert home.packed(one) != home.packed(two)


def _pack_in_child(source: Path, answers: Any) -> None:
    stages: set[str] = set()
    folder = home.packed(source, progress=lambda stage, *_: stages.add(stage))
    answers.put((str(folder), sorted(stages)))


def test_of_two_processes_one_packs_and_the_other_waits(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASHLM_HOME", str(tmp_path / "home"))
    context = multiprocessing.get_context("spawn")
    answers: Any = context.Queue()
    started: list[Any] = []

    def progress(_: str, done: int, total: int) -> None:
        # Half-way, another process wants the same model; it is given the time to find the lock.
        if not started and done * 2 > total:
            started.append(context.Process(target=_pack_in_child, args=(source, answers)))
            started[0].start()
            started[0].join(timeout=2)

    folder = home.packed(source, progress=progress)
    started[0].join(timeout=1200)
    assert started[0].exitcode == 0
    other, stages = answers.get(timeout=1200)
    assert Path(other) == folder
    assert "pack" not in stages
    _core.verify(str(folder))


def test_two_packs_into_one_folder_do_not_mix(source: Path, tmp_path: Path) -> None:
    errors: list[str] = []

    def progress(*_: object) -> None:
        if not errors:
            try:
                flashlm.pack(source, tmp_path / "out.flash")
            except flashlm.IoError as error:
                errors.append(str(error))

    flashlm.pack(source, tmp_path / "out.flash", progress=progress)
    assert "another process is packing into it" in errors[0]
    _core.verify(str(tmp_path / "out.flash"))


def test_the_partial_folder_holds_a_journal_of_finished_files(source: Path, tmp_path: Path) -> None:
    total = n_calls(source, tmp_path / "counted.flash")
    with pytest.raises(KeyboardInterrupt):
        flashlm.pack(source, tmp_path / "out.flash", progress=interrupt(total))
    journal = json.loads((tmp_path / "out.flash.partial" / "journal.json").read_text())
    assert journal["files"][0]["file"]["name"] == "resident.safetensors"
    assert len(journal["fingerprint"]) == 64


def test_a_journal_with_a_changed_digit_is_not_believed(source: Path, tmp_path: Path) -> None:
    total = n_calls(source, tmp_path / "counted.flash")
    with pytest.raises(KeyboardInterrupt):
        flashlm.pack(source, tmp_path / "out.flash", progress=interrupt(total))
    path = tmp_path / "out.flash.partial" / "journal.json"
    journal = json.loads(path.read_text())
    crc = journal["files"][0]["file"]["crc32"]
    path.write_text(path.read_text().replace(crc, f"{int(crc, 16) ^ 1:08x}"))
    flashlm.verify(flashlm.pack(source, tmp_path / "out.flash"))
