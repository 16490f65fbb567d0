# SPDX-License-Identifier: Apache-2.0
"""What killed processes left beside their files goes with the next file.

It goes when that file is written or read there.
"""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import flashlm
from flashlm import _core
from flashlm._engine.files import beside, scratch_folder
from flashlm.packing.selector_file import write_selector_file

PATIENCE = 600  # seconds, after which a process that hangs is ended


def killed(code: str, *arguments: Path, after: float | None = None) -> None:
    """Runs a program that prints a line, and kills it; some seconds later, if `after` is given."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline()
        time.sleep(after or 0)
        program.kill()
        assert program.wait(PATIENCE) == -signal.SIGKILL


def test_killed_saves_leave_one_whole_file_in_the_end(tiny: Path, tmp_path: Path) -> None:
    code = """
        import sys
        import flashlm

        lm = flashlm.LanguageModel.from_pretrained(sys.argv[1], threads=1)
        session = lm.session()
        session.generate("Once upon a time", max_new_tokens=8)
        session.save(sys.argv[2])
        print("ready", flush=True)
        while True:
            session.save(sys.argv[2])
    """
    chance = random.Random(3)
    place = tmp_path / "talk.kv"
    for _ in range(4):
        killed(code, tiny, place, after=chance.random() * 0.02)
    (tmp_path / "talk.kv.part-1-0").write_bytes(b"of a process that was killed for certain")
    (tmp_path / "other.kv.part-1-0").write_bytes(b"somebody else's")
    with flashlm.LanguageModel.from_pretrained(tiny) as lm:
        session = lm.load_session(place)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["other.kv.part-1-0", "talk.kv"]
        (tmp_path / "talk.kv.part-2-7").write_bytes(b"again")
        session.save(place)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["other.kv.part-1-0", "talk.kv"]


def test_a_killed_writer_of_predictors_or_gates_leaves_nothing_for_good(
    tiny_opt_copy: Path, tmp_path: Path
) -> None:
    place = tmp_path / "predictor.safetensors"
    code = """
        import sys, time
        from pathlib import Path
        from flashlm._engine.files import beside

        with beside(Path(sys.argv[1])) as new:
            new.write_bytes(b"half")
            print("ready", flush=True)
            time.sleep(1000)
    """
    killed(code, place)
    assert len(list(tmp_path.glob("predictor.safetensors.part-*"))) == 1
    write_selector_file(place, "predictor", "model", {"a": np.zeros(3, np.float32)})
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [place.name]
    (tiny_opt_copy / "gates.safetensors.part-5-5").write_bytes(b"half")
    _core.add_gates(tiny_opt_copy)
    names = [path.name for path in tiny_opt_copy.iterdir()]
    assert "gates.safetensors" in names
    assert not [name for name in names if ".part-" in name]


def test_a_writer_that_lives_keeps_its_file(tmp_path: Path) -> None:
    place = tmp_path / "x"
    with beside(place) as first:
        first.write_text("first")
        with beside(place) as second:
            second.write_text("second")
            assert first.exists()
        assert place.read_text() == "second"
    assert place.read_text() == "first"
    with pytest.raises(LookupError), beside(place):
        raise LookupError
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert place.read_text() == "first"


def test_scratch_folders_of_killed_processes_go(tmp_path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from flashlm._engine.files import scratch_folder

        with scratch_folder(Path(sys.argv[1]), "flashlm-test-") as folder:
            (folder / "deep").mkdir()
            (folder / "deep" / "file").write_bytes(b"x")
            print("ready", flush=True)
            time.sleep(1000)
    """
    killed(code, tmp_path)
    (left,) = tmp_path.iterdir()
    with (
        scratch_folder(tmp_path, "flashlm-test-") as first,
        scratch_folder(tmp_path, "flashlm-test-") as second,
    ):
        assert sorted(tmp_path.iterdir()) == sorted([first, second])
        assert left not in (first, second)
    assert list(tmp_path.iterdir()) == []


def test_only_what_nobody_holds_is_removed(tmp_path: Path) -> None:
    held = tmp_path / "x.part-1-1"
    held.touch()
    (tmp_path / "x.part-1-2").touch()
    (tmp_path / "x.part-a").touch()
    descriptor = os.open(held, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    _core.remove_abandoned(tmp_path, "x.part-", "0123456789-")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.part-1-1", "x.part-a"]
    os.close(descriptor)
    _core.remove_abandoned(tmp_path, "x.part-", "0123456789-")
    assert [path.name for path in tmp_path.iterdir()] == ["x.part-a"]
