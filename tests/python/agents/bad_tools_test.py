# SPDX-License-Identifier: Apache-2.0
"""What the world does to the tools of smolagents' agents.

Servers fail, lines break, and files lie.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flashlm
from fake_hub import FakeHub, fake_hub, make_pdf
from flashlm.papers import net, pdf
from scripted_model import ScriptedSession, call

smolagents = pytest.importorskip("smolagents")
from flashlm.smolagents import FlashModel, ReadPdf, paper_tools  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (net.available() and pdf.available()), reason="built without curl or poppler"
)
FIND = call("get_hugging_face_top_daily_paper_ids_by_topic", topic="LLM", num_papers=1)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A fake hub that the environment names."""
    with fake_hub() as server:
        for name, value in server.environment(str(tmp_path / "hf")).items():
            monkeypatch.setenv(name, value)
        yield server


def observations(lm: flashlm.LanguageModel, *calls: str) -> list[str]:
    """What an agent is told after each of these calls; it then ends with an answer."""
    session = ScriptedSession(lm, [*calls, call("final_answer", answer="done")])
    agent = smolagents.ToolCallingAgent(
        tools=paper_tools(), model=FlashModel(session), verbosity_level=0, max_steps=len(calls) + 1
    )
    assert agent.run("Find papers.") == "done"
    return [asked["messages"][-1]["content"] for asked in session.asked[1:]]


BUSY: Any = (503, {}, b"busy")


@pytest.mark.parametrize("trouble", ["503", "429", "cut"])
def test_trouble_that_passes_is_waited_for(
    lm: flashlm.LanguageModel, hub: FakeHub, trouble: str
) -> None:
    def once() -> Any:
        hub.broken.clear()
        if trouble == "cut":
            return None
        return (429, {"Retry-After": "1"}, b"busy") if trouble == "429" else BUSY

    hub.broken = {"/api/daily_papers": once}
    (told,) = observations(lm, FIND)
    assert "2611.00001" in told
    assert len(hub.asked) == 2


def test_a_server_that_is_silent_is_asked_again(
    lm: flashlm.LanguageModel, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "1")
    told = threading.Event()

    def once() -> Any:
        hub.broken.clear()
        told.wait(600)
        return BUSY

    hub.broken = {"/api/daily_papers": once}
    (answer,) = observations(lm, FIND)
    told.set()
    assert "2611.00001" in answer
    assert len(hub.asked) >= 2


def test_trouble_that_stays_is_told_to_the_model(lm: flashlm.LanguageModel, hub: FakeHub) -> None:
    hub.broken = {
        "/api/daily_papers": (429, {"Retry-After": "4000"}, b"busy"),
        "/pdf/2611.00001": (200, {"Content-Type": "text/html"}, b"<html>Please wait</html>"),
    }
    download = [
        call("download_paper_by_id", paper_id=name)
        for name in ("2611.00001", "2611.09999", "../../x")
    ]
    busy, page, missing, wrong = observations(lm, FIND, *download)
    assert "wait of 4000 s" in busy
    assert "2611.00001.md" in page  # the hub has the text where the PDF does not come
    assert "404" in missing
    assert "expected an arXiv id" in wrong


def bomb(megabytes: int) -> bytes:
    """A page whose content is that long when it is unpacked."""
    content = zlib.compress(b" " * (megabytes << 20))
    plain = make_pdf(["x"])
    begin = plain.index(b"<< /Length")
    end = plain.index(b"endstream")
    packed = b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\n" % (len(content), content)
    return plain[:begin] + packed + plain[end:]


def test_a_pdf_that_is_a_bomb_is_an_error(tmp_path: Path) -> None:
    files = {
        "packed": bomb(40),
        "pages": make_pdf(["x"] * 2001),
        "cut": make_pdf(["some text"] * 3)[:300],
    }
    for name, data in files.items():
        path = tmp_path / f"{name}.pdf"
        path.write_bytes(data)
        with pytest.raises(flashlm.Error, match=r"\[pdf"):
            ReadPdf()(file_path=str(path))


def test_a_schema_that_nothing_meets_is_a_format_error(lm: flashlm.LanguageModel) -> None:
    schema = {"type": "object", "properties": {"a": False}, "required": ["a"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    model = FlashModel(lm, max_new_tokens=8)
    for ask in (model.generate, lambda *all_, **more: list(model.generate_stream(*all_, **more))):
        with pytest.raises(flashlm.FormatError, match=r"no text|meets"):
            ask([{"role": "user", "content": "x"}], response_format=form)
    assert (
        model.generate([{"role": "user", "content": "x"}]).role.value == "assistant"
    )  # it goes on
