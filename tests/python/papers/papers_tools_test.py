# SPDX-License-Identifier: Apache-2.0
"""flashlm.papers.net: the binding of the paper tools, against a hub and an arXiv on loopback."""

from __future__ import annotations

import errno
import importlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flashlm
from flashlm.papers import net

PDF = b"%PDF-1.5\n1 0 obj\nendobj\ntrailer\n%%EOF\n"
PAPER = {
    "id": "2511.00002",
    "title": "LLM agents\nin a flash",
    "summary": "Agents.",
    "upvotes": 5,
    "authors": [{"name": "Ada"}],
    "ai_keywords": ["agents"],
    "submittedOnDailyAt": "2025-11-20T00:00:00.000Z",
}
CAT = {"id": "2511.00003", "title": "Cats", "summary": "For large language models.", "upvotes": 70}
needs_net = pytest.mark.skipif(not net.available(), reason="flashlm was built without libcurl")


class Web:
    """A hub and an arXiv in one; `answers` by path, and what was asked."""

    def __init__(self) -> None:
        items = [{"paper": CAT, "numComments": 1}, {"paper": PAPER, "numComments": 9}]
        listed = json.dumps(items).encode()
        self.answers: dict[str, tuple[int, str, bytes]] = {
            "/api/daily_papers": (200, "application/json", listed),
            "/api/papers/search": (200, "application/json", listed),
            "/api/papers/2511.00002": (200, "application/json", json.dumps(PAPER).encode()),
            "/papers/2511.00002.md": (200, "text/markdown", b"# LLM agents"),
            "/pdf/2511.00002": (200, "application/pdf", PDF),
            "/page": (200, "text/plain", b"hello"),
            "/busy": (429, "text/plain", b"slow down"),
        }
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = ""
        self.go_on = threading.Event()  # what /slow waits for


@pytest.fixture
def web() -> Iterator[Web]:
    """A server of its own for each test."""
    state = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append((self.path, dict(self.headers)))
            missing = (404, "application/json", b'{"error": "not here"}')
            path = self.path.split("?")[0]
            if path == "/slow":
                state.go_on.wait(1200)
            status, kind, body = state.answers.get(path, missing)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if status == 429:
                self.send_header("Retry-After", "300")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Prints nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def papers(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> net.Papers:
    """Papers of that server, chosen by the environment."""
    for name in (
        "HF_ASSETS_CACHE",
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "HF_HUB_DOWNLOAD_TIMEOUT",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", web.url + "/")
    monkeypatch.setenv("ARXIV_ENDPOINT", web.url)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    return net.Papers(arxiv_interval_seconds=0)


@needs_net
def test_daily_papers_come_by_topic_and_votes(papers: net.Papers, web: Web) -> None:
    assert [paper.id for paper in papers.daily()] == ["2511.00003", "2511.00002"]
    (first, second) = papers.daily(topic="LLM", top=3)
    assert (first.id, second.id) == ("2511.00002", "2511.00003")
    assert first.title == "LLM agents in a flash"
    assert (first.authors, first.keywords, first.upvotes, first.comments) == (
        ["Ada"],
        ["agents"],
        5,
        9,
    )
    assert first.daily == "2025-11-20"
    assert first.to_dict()["url"] == first.url == "https://arxiv.org/abs/2511.00002"
    assert repr(second) == "Paper('2511.00003', 'Cats')"
    assert papers.daily(topic="quantum chemistry", month="2025-11", order="trend") == []
    assert web.asked[-1][0] == "/api/daily_papers?month=2025-11&sort=trending&limit=100&p=0"
    assert len(papers.search("flash", limit=1)) == 1


@needs_net
def test_a_paper_is_fetched_once_and_then_read_offline(
    papers: net.Papers, web: Web, tmp_path: Path
) -> None:
    assert papers.info("arXiv:2511.00002").upvotes == 5
    assert papers.markdown("2511.00002") == "# LLM agents"
    assert papers.markdown("2511.09999") is None
    path = papers.pdf("https://arxiv.org/abs/2511.00002")
    assert isinstance(path, Path)
    assert path == tmp_path / "assets" / "flashlm" / "papers" / "pdf" / "2511.00002.pdf"
    assert path.read_bytes() == PDF
    asked = len(web.asked)
    offline = net.Papers(offline=True)
    assert offline.offline
    assert offline.cache == papers.cache
    assert offline.pdf("2511.00002") == path
    assert offline.markdown("2511.00002") == "# LLM agents"
    assert offline.info("2511.00002").title == "LLM agents in a flash"
    with pytest.raises(flashlm.IoError, match="HF_HUB_OFFLINE") as raised:
        offline.daily()
    assert raised.value.errno == errno.ENETDOWN
    assert len(web.asked) == asked


@needs_net
def test_the_token_goes_to_the_hub_and_not_to_arxiv(papers: net.Papers, web: Web) -> None:
    papers.info("2511.00002")
    papers.pdf("2511.00002")
    assert [headers.get("Authorization") for _, headers in web.asked] == ["Bearer hf_secret", None]


@needs_net
def test_errors_are_those_of_flashlm(papers: net.Papers, web: Web) -> None:
    with pytest.raises(flashlm.IoError, match="not here") as raised:
        papers.info("2511.09999")
    assert raised.value.errno == errno.ENOENT
    assert getattr(raised.value, "status", None) == 404
    assert raised.value.filename == web.url + "/api/papers/2511.09999"
    with pytest.raises(flashlm.IoError, match="wait of 300 s"):
        net.http_get(web.url + "/busy")
    web.answers["/pdf/2511.00002"] = (200, "text/html", b"<html>Please wait</html>")
    with pytest.raises(flashlm.FormatError, match="expected a PDF, got a web page"):
        papers.pdf("2511.00002")
    web.answers["/api/papers/search"] = (200, "application/json", b"{}")
    with pytest.raises(flashlm.FormatError, match="expected a list"):
        papers.search("x")
    calls: list[Callable[[], object]] = [
        lambda: papers.daily(order="size"),
        lambda: papers.daily(date="yesterday"),
        lambda: papers.daily(topic="..."),
        lambda: papers.search(""),
        lambda: papers.pdf("../../x"),
        lambda: net.http_get("http://example.org/"),
        lambda: net.http_get("file:///etc/passwd"),
    ]
    for call in calls:
        with pytest.raises(flashlm.ArgumentError):
            call()


@needs_net
def test_a_page_is_fetched_within_limits(web: Web) -> None:
    told: list[tuple[int, int, float]] = []
    response = net.http_get(
        web.url + "/page", headers={"X-Test": "yes"}, progress=lambda *now: told.append(now)
    )
    assert (response.status, response.body, response.url) == (200, b"hello", web.url + "/page")
    assert response.headers["content-type"] == "text/plain"
    assert told[-1] == (5, 5, 0.0)
    assert web.asked[-1][1]["X-Test"] == "yes"
    with pytest.raises(flashlm.IoError) as raised:
        net.http_get(web.url + "/page", max_bytes=4)
    assert raised.value.errno == errno.EFBIG


@needs_net
def test_what_progress_raises_ends_the_call(papers: net.Papers) -> None:
    def stop(*_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        papers.daily(progress=stop)


@needs_net
def test_other_threads_run_while_one_waits_for_the_web(web: Web) -> None:
    waiting = threading.Thread(target=net.http_get, args=(web.url + "/slow",))
    web.answers["/slow"] = (200, "text/plain", b"at last")
    waiting.start()
    assert net.http_get(web.url + "/page").body == b"hello"
    assert waiting.is_alive()
    web.go_on.set()
    waiting.join()


@needs_net
@given(
    st.one_of(
        st.text(),
        st.from_regex(r"\A[./v0-9a-z~-]{1,20}\Z"),
        st.from_regex(r"\A\d{4}\.\d{5}(v\d)?\Z"),
    )
)
def test_whatever_an_id_says_it_is_refused_or_a_plain_name(text: str) -> None:
    try:
        known = net.paper_id(text)
    except (flashlm.ArgumentError, UnicodeEncodeError):
        return
    assert ".." not in known
    assert known.count("/") <= 1
    assert not known.startswith("/")
    assert net.paper_id(known) == known


def test_without_libcurl_the_names_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flashlm._net", None)
    try:
        bare = importlib.reload(net)
        assert not bare.available()
        for call in (bare.Papers, bare.Paper, bare.HttpResponse, bare.http_get, bare.paper_id):
            with pytest.raises(flashlm.Error, match="apt-get install libcurl4-openssl-dev"):
                call("x")
    finally:
        monkeypatch.undo()
        importlib.reload(net)
