# SPDX-License-Identifier: Apache-2.0
"""auto_memory_test.py: without a word about memory a model takes what can be spared, and answers.

The groups of 2 GB, 400 MB and 300 MB are the kernel's own where this machine lets a test make them.
What a machine of another size would do is shown by files that stand in for /proc and /sys.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flashlm
from flashlm import _core
from flashlm._cli.app import run_app
from flashlm._engine.opening_options import check_memory
from flashlm.planning import plan_lines
from memory_cap import MemoryCap, cgroup_version

MIB = 1 << 20
MB = 10**6
PROMPT = "The moon is"

ANSWER = """
import flashlm, json, sys
lm = flashlm.LanguageModel.from_pretrained(sys.argv[1], threads=2)
text = lm.generate("The moon is", max_new_tokens=8)
print(json.dumps({"text": text, "peak": lm.stats.peak_bytes, **lm.memory_plan.to_dict()}))
"""
GO_ON = """
import flashlm, json, sys
lm = flashlm.LanguageModel.from_pretrained(sys.argv[1], threads=2)
print(json.dumps({"text": lm.generate("The moon is", max_new_tokens=8), **lm.stats.governor}), flush=True)
input()
print(json.dumps({"text": lm.generate("The moon is", max_new_tokens=8), **lm.stats.governor}), flush=True)
"""


class FakeSystem:
    """A tree of /proc and /sys: a machine, and a control group of version 2 if asked for."""

    def __init__(
        self, root: Path, *, total: int, available: int, group: int | None = None, used: int = 0
    ) -> None:
        self.root = root
        self.put(
            "proc/meminfo", f"MemTotal: {total // 1024} kB\nMemAvailable: {available // 1024} kB\n"
        )
        if group is not None:
            self.put("proc/self/cgroup", "0::/job\n")
            self.put("sys/fs/cgroup/job/memory.max", f"{group}\n")
            self.put("sys/fs/cgroup/job/memory.current", f"{used}\n")

    def put(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)


def planned(folder: Path, system: FakeSystem, **options: Any) -> Any:
    return _core.LanguageModel.plan(folder, system=system.root, **options)


@pytest.fixture(scope="module")
def wide(write_tiny: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of some 300 MB: more than fits into a small group."""
    source = tmp_path_factory.mktemp("wide") / "source"
    write_tiny(source, hidden_size=512, intermediate_size=8192, num_hidden_layers=6, head_dim=128)
    return Path(flashlm.pack(source, source.parent / "wide.flash"))


@pytest.fixture(scope="module")
def long(write_tiny: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose keys and values weigh more than its weights."""
    source = tmp_path_factory.mktemp("long") / "source"
    write_tiny(source, max_position_embeddings=65536)
    return Path(flashlm.pack(source, source.parent / "long.flash"))


@pytest.fixture
def needs_cgroup() -> None:
    if cgroup_version() is None:
        pytest.skip(
            "no writable memory cgroup on this machine: memory='auto' is NOT checked by the kernel "
            "here"
        )


@pytest.mark.privileged
@pytest.mark.usefixtures("needs_cgroup")
@pytest.mark.parametrize("limit", [2000 * MB, 400 * MB, 300 * MB])
def test_a_model_answers_in_a_group_without_a_word_about_memory(wide: Path, limit: int) -> None:
    with flashlm.LanguageModel.from_pretrained(wide, memory="100%", threads=2) as lm:
        expected = lm.generate(PROMPT, max_new_tokens=8)
        whole = lm.memory_plan.total
    with MemoryCap(limit) as cap:
        done = cap.run([sys.executable, "-c", ANSWER, str(wide)])
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["text"] == expected
    assert answer["peak"] < limit
    assert answer["total"] <= answer["budget"] <= limit
    bound = answer["limit"]
    assert bound["name"] == f"the control group's {flashlm.format_bytes(bound['capacity'])}"
    assert limit - 4096 <= bound["capacity"] <= limit  # whole pages
    assert answer["budget"] == min(whole, bound["room"] - bound["reserve"])
    assert (answer["streamed"] == 0) == (limit == 2000 * MB)


@pytest.mark.privileged
@pytest.mark.usefixtures("needs_cgroup")
def test_a_limit_that_falls_after_opening_is_met_by_giving_back(wide: Path) -> None:
    with MemoryCap(2000 * MB) as cap:
        process = cap.start([sys.executable, "-c", GO_ON, str(wide)])
        assert process.stdout is not None
        before = json.loads(process.stdout.readline())
        cap.lower_to_what_is_held(16 * MIB)
        out, err = process.communicate("\n", timeout=300)
        assert process.returncode == 0, err
    after = json.loads(out)
    assert before["shrunk_bytes"] == 0
    assert after["shrunk_bytes"] >= 16 * MIB
    assert after["text"] == before["text"]


@pytest.mark.privileged
@pytest.mark.usefixtures("needs_cgroup")
def test_a_group_that_is_too_small_is_an_error_that_tells_what_is_free(wide: Path) -> None:
    with MemoryCap(90 * MB) as cap:
        done = cap.run([sys.executable, "-m", "flashlm", "run", str(wide), "-p", "Hi", "-n", "1"])
    assert done.returncode == 1
    assert "which auto found: " in done.stderr
    assert "of the control group's 85.8 MiB are free, of which 64.0 MiB stay free" in done.stderr
    assert (
        "A smaller context needs less, and memory in bytes may take what auto keeps free."
        in done.stderr
    )


def test_what_ulimit_allows_is_kept(wide: Path) -> None:
    limit = 300 * MB  # of data: what the interpreter and its modules take comes off

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    with flashlm.LanguageModel.from_pretrained(wide, memory="100%", threads=2) as lm:
        expected = lm.generate(PROMPT, max_new_tokens=8)
    command = [sys.executable, "-c", ANSWER, str(wide)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, preexec_fn=lower)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["text"] == expected
    assert answer["limit"]["name"] == "the 286 MiB of data that ulimit -d allows"
    assert answer["streamed"] > 0


def test_addresses_that_ulimit_does_not_allow_are_named(wide: Path) -> None:
    limit = 400 * MB  # the interpreter has some 150 MB of addresses, and all weights need theirs

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    command = [sys.executable, "-c", ANSWER, str(wide)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, preexec_fn=lower)
    assert done.returncode != 0
    assert "BudgetError: " in done.stderr
    assert "ulimit -v" in done.stderr


def test_a_machine_with_room_holds_everything_and_no_more(tiny: Path, tmp_path: Path) -> None:
    system = FakeSystem(tmp_path, total=16 << 30, available=8 << 30)
    plan = planned(tiny, system)
    assert plan.streamed == 0
    assert plan.budget == planned(tiny, system, memory="100%").budget
    assert plan.limit == {
        "name": "the machine's 16.0 GiB",
        "capacity": 16 << 30,
        "room": 8 << 30,
        "reserve": 1 << 30,
    }
    assert "free memory" in str(plan)
    assert "of the machine's 16.0 GiB; 1.00 GiB stay free" in str(plan)
    assert planned(tiny, system, memory="100%").limit is None


def test_a_machine_that_is_nearly_full_is_not_filled(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(
        flashlm.BudgetError,
        match=r"got 0 bytes, which auto found: 700 MiB of the machine's 16\.0 GiB",
    ):
        planned(tiny, FakeSystem(tmp_path / "full", total=16 << 30, available=700 * MIB))
    plan = planned(tiny, FakeSystem(tmp_path / "nearly", total=16 << 30, available=1027 * MIB))
    assert plan.budget <= 3 * MIB
    # A group of its own does not help where the machine is full.
    both = FakeSystem(tmp_path / "both", total=16 << 30, available=700 * MIB, group=600 * MIB)
    with pytest.raises(flashlm.BudgetError, match="700 MiB of the machine's"):
        planned(tiny, both)


def test_opening_takes_what_the_plan_says(tiny: Path, tmp_path: Path) -> None:
    least = planned(tiny, FakeSystem(tmp_path, total=16 << 30, available=8 << 30)).smallest
    system = FakeSystem(
        tmp_path,
        total=16 << 30,
        available=8 << 30,
        group=256 * MIB,
        used=192 * MIB - least - 200_000,
    )
    plan = planned(tiny, system)
    lm = _core.LanguageModel.open(tiny, system=system.root)
    assert str(lm.memory_plan) == str(plan)
    assert plan.streamed > 0
    assert plan.budget == least + 200_000
    with flashlm.LanguageModel.from_pretrained(tiny, memory="100%") as resident:
        assert lm.generate(PROMPT, max_new_tokens=8) == resident.generate(PROMPT, max_new_tokens=8)


def test_a_context_that_was_not_asked_for_follows_the_memory(long: Path, tmp_path: Path) -> None:
    def spared(name: str, size: int) -> FakeSystem:
        return FakeSystem(tmp_path / name, total=16 << 30, available=8 << 30, group=64 * MIB + size)

    plenty = spared("plenty", 256 * MIB)
    assert planned(long, plenty).context == 4096
    assert _core.LanguageModel.largest_context(long, system=plenty.root) == 65536
    little = spared("little", 6 * MIB)
    plan = planned(long, little)
    assert 256 <= plan.context < 4096
    assert plan.context == _core.LanguageModel.largest_context(long, system=little.root)
    assert plan.context == _core.LanguageModel.open(long, system=little.root).memory_plan.context
    assert planned(long, little, context=300).context == 300
    with pytest.raises(flashlm.BudgetError, match="A smaller context needs less"):
        planned(long, little, context=65536)


def test_sessions_that_are_asked_for_have_room_from_the_start(tiny: Path) -> None:
    one = flashlm.plan(tiny, memory="75%")
    with flashlm.LanguageModel.from_pretrained(tiny, memory="75%", parallel=3) as lm:
        plan = lm.memory_plan
        assert (plan.sessions, plan.kv) == (3, 3 * one.kv)
        sessions = [lm.session(), lm.session()]
        assert str(lm.memory_plan) == str(plan)
        sessions.append(lm.session())
        assert lm.memory_plan.sessions == 4


@pytest.mark.parametrize("parallel", [0, -1, 1.5, True, "2", None])
def test_a_number_of_sessions_that_is_none_is_refused(tiny: Path, parallel: Any) -> None:
    with pytest.raises(flashlm.ArgumentError, match=r"\[language_model\] parallel: expected"):
        flashlm.LanguageModel.from_pretrained(tiny, parallel=parallel)


@pytest.mark.parametrize(
    "memory",
    [
        "8 gigs",
        "automatic",
        "",
        "0",
        "0%",
        "-1GiB",
        "-50%",
        "nan",
        "inf",
        0,
        -1,
        0.5,
        float("nan"),
        True,
        None,
    ],
)
def test_a_memory_that_is_none_is_refused_with_what_is_one(tiny: Path, memory: Any) -> None:
    with pytest.raises(
        flashlm.ArgumentError, match=r"\[language_model\] memory: expected .*'?auto'?.*got "
    ):
        flashlm.LanguageModel.from_pretrained(tiny, memory=memory)


def test_a_memory_may_have_a_space_before_its_unit() -> None:
    assert check_memory("50 %") == "50 %"
    assert check_memory(1 << 20) == str(1 << 20)


def test_the_plan_lines_tell_what_was_found_and_what_stays_free(tiny: Path) -> None:
    told = plan_lines(tiny)
    assert told[0].startswith("Plan: ")
    assert told[1].startswith("Memory: ")
    assert told[1].endswith("stay free (--memory auto).")


def test_the_command_plan_reads_no_weights(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["plan", str(tiny), "--context", "64", "--parallel", "2", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["context"], plan["sessions"]) == (64, 2)
    assert plan["limit"]["reserve"] > 0
    assert run_app(["plan", str(tiny)]) == 0
    assert "stay free" in capsys.readouterr().out
