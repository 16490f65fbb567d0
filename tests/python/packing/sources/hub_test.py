# SPDX-License-Identifier: Apache-2.0
"""Models of the hub: only the needed files, and errors that say what to do.

The network is never used.
"""

from __future__ import annotations

import errno
import fnmatch
from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.errors
import pytest

import flashlm
import random_llama
from flashlm import home
from flashlm.packing.sources import hub


def answer(monkeypatch: pytest.MonkeyPatch, result: Path | Exception) -> list[dict[str, Any]]:
    """Replaces the download; returns the calls."""
    calls: list[dict[str, Any]] = []

    def snapshot_download(repo_id: str, **options: Any) -> str:
        calls.append({"repo_id": repo_id, **options})
        if isinstance(result, Exception):
            raise result
        return str(result)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return calls


def test_a_hub_id_is_told_from_a_path() -> None:
    assert hub.is_hub_id("HuggingFaceTB/SmolLM2-135M-Instruct")
    for text in (
        "model",
        "a/b/c",
        "./a/b",
        "/a/b",
        "../a",
        "a/b.gguf",
        "a/b.flash",
        "~/a",
        "a b/c",
        "",
    ):
        assert not hub.is_hub_id(text), text


def test_only_what_packing_needs_is_downloaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = random_llama.write_folder(random_llama.case("tied"), tmp_path / "snapshot")
    calls = answer(monkeypatch, source)
    monkeypatch.setenv("FLASHLM_HOME", str(tmp_path / "home"))
    stages: list[str] = []
    folder = home.packed("owner/model", progress=lambda stage, *_: stages.append(stage))
    assert folder.name.startswith("owner--model-f32-")
    assert stages[0] == "download"
    assert calls[0]["repo_id"] == "owner/model"
    wanted = {
        "model.safetensors",
        "model-00001-of-00002.safetensors",
        "config.json",
        "tokenizer.json",
    }
    unwanted = {
        "pytorch_model.bin",
        "consolidated.safetensors",
        "original/model.safetensors",
        "model.gguf",
        "a.pth",
    }

    def is_matched(name: str) -> bool:
        return any(fnmatch.fnmatch(name, pattern) for pattern in calls[0]["allow_patterns"])

    assert all(map(is_matched, wanted))
    assert not any(map(is_matched, unwanted))


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (
            huggingface_hub.errors.LocalEntryNotFoundError("offline"),
            errno.EHOSTUNREACH,
            "cannot be reached",
        ),
        (
            huggingface_hub.errors.OfflineModeIsEnabled("HF_HUB_OFFLINE=1"),
            errno.EHOSTUNREACH,
            "HF_HUB_OFFLINE",
        ),
        (ConnectionError("no route"), errno.EHOSTUNREACH, "no route.*pass the path of a GGUF"),
        (RuntimeError(), errno.EHOSTUNREACH, "RuntimeError"),
        (OSError(errno.ENOSPC, "full"), errno.ENOSPC, "no space left for the download"),
    ],
)
def test_what_goes_wrong_on_the_way_is_an_io_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, code: int, words: str
) -> None:
    answer(monkeypatch, error)
    with pytest.raises(flashlm.IoError, match=words) as caught:
        flashlm.pack("owner/model", tmp_path / "out.flash")
    assert caught.value.errno == code
    assert caught.value.filename == "owner/model"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        (
            "RepositoryNotFoundError",
            errno.ENOENT,
            "no file or folder 'owner/model' here, and no such model on the hub",
        ),
        (
            "GatedRepoError",
            errno.EACCES,
            "is gated: accept its terms at https://huggingface.co/owner/model",
        ),
    ],
)
def test_what_the_hub_refuses_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, code: int, words: str
) -> None:
    kind: type[Exception] = getattr(huggingface_hub.errors, name)
    # Its own constructor wants the answer of an HTTP library.
    refusal = type(name, (kind,), {"__init__": lambda self: Exception.__init__(self, "refused")})()
    answer(monkeypatch, refusal)
    with pytest.raises(flashlm.IoError, match=words) as caught:
        flashlm.pack("owner/model", tmp_path / "out.flash")
    assert caught.value.errno == code


def test_a_model_without_safetensors_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer(monkeypatch, tmp_path)
    with pytest.raises(flashlm.FormatError, match=r"owner/model has no model\.safetensors.*GGUF"):
        flashlm.pack("owner/model", tmp_path / "out.flash")
