# SPDX-License-Identifier: Apache-2.0
"""theirs.py: what other programs answer, recorded, so that comparing with them needs none of them.

A test that compares with transformers, tokenizers or torch asks the fixture `theirs`, in one of
three modes:

* ``recorded``, the default: the answer comes from `tests/golden/theirs`; the other program is not
  imported.
* ``compare`` (`make test-all`): the other program is asked, and the test fails if it answers
  otherwise than recorded.
* ``write`` (`tests/golden/make_theirs.py`): it is asked, and what it says is recorded.

Beside an answer stands the checksum of what it was computed from. If that changes, nothing is
compared with an answer to another question: the test fails.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "golden" / "theirs"
MAKE = "tests/golden/make_theirs.py"
PACKAGES = ("transformers", "tokenizers", "torch", "numpy", "gguf", "safetensors")
MOST_BYTES = 300_000  # of a file
_VERSIONS = "made with"
_written: dict[str, dict[str, Any]] = {}


class AnswerError(AssertionError):
    """The recorded answer is not what is needed, or not what is said today."""


def mode() -> str:
    """What FLASHLM_THEIRS says."""
    chosen = os.environ.get("FLASHLM_THEIRS") or "recorded"
    if chosen not in ("recorded", "compare", "write"):
        raise ValueError(f"FLASHLM_THEIRS: expected recorded, compare or write, got {chosen!r}")
    return chosen


class Theirs:
    """The answers of one test function.

    Args:
        function: Its name, which names the file.
        case: Which of its cases, such as "3" or "f16".
    """

    def __init__(self, function: str, case: str = "") -> None:
        self._path = FOLDER / f"{function.removeprefix('test_')}.npz"
        self._case = case
        self._calls = 0

    def __call__(self, ask: Callable[[], Any], *, given: Any, within: float = 0.0) -> Any:
        """What the other program answers.

        Args:
            ask: Asks it: a number array, or what JSON can hold. Imports what it needs itself.
            given: What it is asked about: arrays by name, a file, a folder, or what JSON can hold.
            within: How far numbers that are computed today may lie from recorded ones.
        """
        name = f"{self._case}#{self._calls}" if self._calls else self._case
        self._calls += 1
        checksum = digest(given)
        if mode() == "write":
            answer = ask()
            self._write(name, checksum, answer)
            return answer
        recorded = self.recorded(name, checksum)
        if mode() == "recorded":
            return recorded
        answer = ask()
        distance = _distance(answer, recorded)
        if not distance <= within:
            raise AnswerError(
                f"{self._path.name}, {name!r}: expected what was recorded with {self.made_with()}, "
                f"within {within:g}, "
                f"got another answer, {distance:g} away, of {_versions()}. If it is right, run "
                f"{MAKE}."
            )
        return answer

    def recorded(self, name: str, checksum: str | None = None) -> Any:
        """An answer from the file; with a checksum, only one to the same question."""
        content = _load(self._path)
        if f"{name}:given" not in content:
            raise AnswerError(
                f"{self._path.name}, {name!r}: expected a recorded answer, found none. Run {MAKE}."
            )
        if checksum is not None and _text(content[f"{name}:given"]) != checksum:
            raise AnswerError(
                f"{self._path.name}, {name!r}: the question is not the one that was answered: its "
                f"checksum is "
                f"{checksum}, not {_text(content[f'{name}:given'])}. If it has changed on purpose, "
                f"run {MAKE}."
            )
        if f"{name}:json" in content:
            return json.loads(_text(content[f"{name}:json"]))
        return content[f"{name}:array"]

    def made_with(self) -> dict[str, str]:
        """The versions of the packages that made the file."""
        return dict(json.loads(_text(_load(self._path)[_VERSIONS])))

    def _write(self, name: str, checksum: str, answer: Any) -> None:
        if str(self._path) not in _written:
            _written[str(self._path)] = _load(self._path) if self._path.is_file() else {}
        content = _written[str(self._path)]
        content[f"{name}:given"] = _bytes(checksum)
        if isinstance(answer, np.ndarray):
            content[f"{name}:array"] = answer
        else:
            content[f"{name}:json"] = _bytes(json.dumps(answer, ensure_ascii=False))
        content[_VERSIONS] = _bytes(json.dumps(_versions()))
        FOLDER.mkdir(exist_ok=True)
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer, **content
        )  # members without a date: the same answers are the same bytes
        if buffer.tell() > MOST_BYTES:
            raise AnswerError(
                f"{self._path.name}: expected at most {MOST_BYTES} bytes, got {buffer.tell()}"
            )
        self._path.write_bytes(buffer.getvalue())


def digest(given: Any) -> str:
    """A checksum of what a question is about."""
    total = hashlib.sha256()
    if isinstance(given, Path):
        files = (
            sorted(path for path in given.rglob("*") if path.is_file())
            if given.is_dir()
            else [given]
        )
        for file in files:
            total.update(
                file.relative_to(given).as_posix().encode() + b"\0" if given.is_dir() else b""
            )
            total.update(hashlib.sha256(file.read_bytes()).digest())
    elif isinstance(given, Mapping) and all(
        isinstance(value, np.ndarray) for value in given.values()
    ):
        for name in sorted(given):
            array = np.ascontiguousarray(given[name])
            total.update(f"{name} {array.dtype.str} {array.shape}\0".encode() + array.tobytes())
    elif isinstance(given, (list, tuple)):
        for part in given:
            total.update(digest(part).encode())
    else:
        total.update(json.dumps(given, sort_keys=True, ensure_ascii=True).encode())
    return total.hexdigest()[:32]


def fingerprints(answers: list[Any]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """64 bits of each answer: as good as the answers to find one that differs, and small."""
    words = [hashlib.sha256(json.dumps(answer).encode()).digest()[:8] for answer in answers]
    return np.frombuffer(b"".join(words), "<u8")


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise AnswerError(f"{path.name}: expected recorded answers, found none. Run {MAKE}.")
    with np.load(path) as content:
        return dict(content)


def _distance(answer: Any, recorded: Any) -> float:
    if isinstance(answer, np.ndarray) != isinstance(recorded, np.ndarray):
        return float("inf")
    if not isinstance(answer, np.ndarray):
        return 0.0 if json.loads(json.dumps(answer)) == recorded else float("inf")
    if answer.shape != recorded.shape or answer.dtype != recorded.dtype:
        return float("inf")
    if np.array_equal(answer, recorded):
        return 0.0
    if answer.dtype.kind == "u":
        return float("inf")
    return float(np.abs(answer.astype(np.float64) - recorded).max(initial=0))


def _versions() -> dict[str, str]:
    return {package: version(package) for package in PACKAGES if find_spec(package)}


def _bytes(text: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(text.encode(), np.uint8)


def _text(array: np.ndarray[Any, Any]) -> str:
    return array.tobytes().decode()
