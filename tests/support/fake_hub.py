# SPDX-License-Identifier: Apache-2.0
"""fake_hub.py: a hub and an arXiv on 127.0.0.1, with answers of the real ones' shape and PDFs made on the spot."""

from __future__ import annotations

import json
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

DAY = "2026-11-20"


def make_pdf(pages: Sequence[str], *, title: str = "", columns: int = 1, encrypted: bool = False) -> bytes:
    """A PDF in Courier: the text of each page, in one column or more; a page without text holds a black box."""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{' '.join(f'{5 + 2 * n} 0 R' for n in range(len(pages)))}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>",
        f"<< /Title ({title}) >>",
    ]
    for number, text in enumerate(pages):
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /C 3 0 R >> >> "
            f"/Contents {6 + 2 * number} 0 R >>"
        )
        content = "".join(_operators(text, columns))
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}endstream")
    out = "%PDF-1.4\n"
    table = ""
    for number, text in enumerate(objects, 1):
        table += f"{len(out):010d} 00000 n \n"
        out += f"{number} 0 obj\n{text}\nendobj\n"
    secret = "5" * 64
    locked = f"/ID [<00> <00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{secret}> /U <{secret}> >> "
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} "
    out += f"/Root 1 0 R /Info 4 0 R {locked if encrypted else ''}>>\nstartxref\n{start}\n%%EOF\n"
    return out.encode("latin-1")


def _operators(text: str, columns: int) -> Iterator[str]:
    if not text:
        yield "72 72 400 600 re f\n"
        return
    wide = 78 if columns == 1 else 76 // columns - 2
    lines = [line for paragraph in text.split("\n") for line in textwrap.wrap(paragraph, wide) or [""]]
    tall = -(-len(lines) // columns)
    for index, line in enumerate(lines):
        x = 72 + (index // tall) * (468 // columns)
        y = 720 - (index % tall) * 12
        yield f"BT /C 10 Tf {x} {y} Td <{line.encode('latin-1').hex()}> Tj ET\n"


@dataclass
class FakePaper:
    """A paper that the fake hub knows."""

    id: str
    title: str
    summary: str
    keywords: Sequence[str] = ()
    upvotes: int = 1
    comments: int = 0
    day: str = DAY
    pages: Sequence[str] = ("A page.",)
    pdf: bytes | None = None  # instead of one made of `pages`
    markdown: str | None = None

    def item(self) -> dict[str, Any]:
        """As the lists of the hub have it."""
        return {
            "paper": self.flat(),
            "publishedAt": f"{self.day}T00:00:00.000Z",
            "title": self.title,
            "summary": self.summary,
            "thumbnail": f"https://cdn-thumbnails.huggingface.co/social-thumbnails/papers/{self.id}.png",
            "numComments": self.comments,
            "submittedBy": {"_id": "1", "fullname": "Ada", "name": "ada", "type": "user", "isPro": False},
            "isAuthorParticipating": False,
        }

    def flat(self) -> dict[str, Any]:
        """As /api/papers/ID has it."""
        return {
            "id": self.id,
            "authors": [{"_id": "2", "name": "Ada Lovelace", "hidden": False}],
            "publishedAt": f"{self.day}T00:00:00.000Z",
            "submittedOnDailyAt": f"{self.day}T00:00:00.000Z",
            "title": self.title,
            "summary": self.summary,
            "upvotes": self.upvotes,
            "discussionId": "3",
            "ai_keywords": list(self.keywords),
        }


PAGES = (
    """Reading LLM Weights from Flash

Abstract. Language models are larger than the memory of small machines. We keep the weights on flash and read only what
a token needs.""",
    """Method. Rows and columns of a neuron are stored side by side, so that one read brings both. Weights that were
read a moment ago stay in memory.""",
    """Results. Models of twice the size of memory run ten times faster than before. Longer reads are faster than many
short ones.""",
)
PAPERS = (
    FakePaper(
        "2611.00001",
        "Reading LLM Weights\nfrom Flash",
        "We run large language models that are larger than memory.",
        ("large language models", "flash memory"),
        upvotes=40,
        comments=3,
        pages=PAGES,
        markdown="# Reading LLM Weights from Flash\n\nLanguage models are larger than memory.\n\n## Method\n\nBundles.",
    ),
    FakePaper(
        "2611.00002",
        "Agents that Read",
        "An LLM agent that reads papers to the last page.",
        ("agents",),
        upvotes=90,
        pages=tuple(f"Page {n} of a long paper about agents. " + f"Fact {n} is that the number is {n * n}. " * 20
                    for n in range(1, 9)),
    ),
    FakePaper("2611.00003", "Speech without Words", "Speech recognition from lips.", ("speech",), upvotes=7),
    FakePaper("2611.00004", "Older LLM News", "About last week.", ("llm",), upvotes=99, day="2026-11-19"),
)  # fmt: skip

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class FakeHub:
    """The running server: what it knows, what it was asked, and what goes wrong.

    Attributes:
        url: Its address, for HF_ENDPOINT and ARXIV_ENDPOINT.
        papers: What it knows.
        asked: The paths that were asked for.
        broken: Answers by the beginning of a path, instead of the right ones; a function may wait or cut the line.
        stop: Ends the server: connections are refused then.
    """

    url: str = ""
    papers: list[FakePaper] = field(default_factory=lambda: list(PAPERS))
    asked: list[str] = field(default_factory=list)
    broken: dict[str, Answer | Callable[[], Answer | None]] = field(default_factory=dict)
    stop: Callable[[], None] = lambda: None

    def environment(self, home: str) -> dict[str, str]:
        """What to set so that flashlm asks this server, for as long as it takes, and keeps its files in `home`."""
        return {
            "HF_ENDPOINT": self.url,
            "ARXIV_ENDPOINT": self.url,
            "HF_HOME": home,
            "HF_TOKEN": "",
            "HF_HUB_DOWNLOAD_TIMEOUT": "600",
            "no_proxy": "*",
        }

    def answer(self, target: str) -> Answer | None:  # noqa: PLR0911 - one for each address
        """What the real servers would say."""
        self.asked.append(target)
        for start, broken in list(self.broken.items()):  # an answer may mend what is broken
            if target.startswith(start):
                return broken() if callable(broken) else broken
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/api/daily_papers":
            return _json(self._daily(query))
        if parts.path == "/api/papers/search":
            return _json([paper.item() for paper in self.papers])
        name = parts.path.rsplit("/", 1)[-1]
        paper = next((paper for paper in self.papers if name.split("v")[0] in (paper.id, f"{paper.id}.md")), None)
        if paper is None:
            return 404, {"Content-Type": "application/json"}, b'{"error": "Paper not found"}'
        if parts.path.startswith("/pdf/"):
            headers = {"Content-Type": "application/pdf", "Content-Disposition": f'inline; filename="{paper.id}v1.pdf"'}
            return 200, headers, paper.pdf or make_pdf(paper.pages, title=" ".join(paper.title.split()))
        if parts.path.endswith(".md"):
            if paper.markdown is None:
                return 404, {"Content-Type": "text/plain"}, b"not indexed"
            return 200, {"Content-Type": "text/markdown; charset=utf-8"}, paper.markdown.encode()
        return _json(paper.flat())

    def _daily(self, query: dict[str, str]) -> list[dict[str, Any]]:
        newest = max((paper.day for paper in self.papers), default=DAY)
        start = query.get("date") or query.get("month") or ("" if "week" in query else newest)
        listed = [paper.item() for paper in self.papers if paper.day.startswith(start)]
        first = int(query.get("p", 0)) * int(query.get("limit", 50))
        return listed[first : first + int(query.get("limit", 50))]


def _json(value: Any) -> Answer:
    return 200, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(value).encode()


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """Runs the server while the block runs."""
    hub = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = hub.answer(self.path)
            if answer is None:  # the line is cut
                self.close_connection = True
                return
            status, headers, body = answer
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Prints nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"

    def stop() -> None:
        server.shutdown()
        thread.join()
        server.server_close()

    hub.stop = stop
    try:
        yield hub
    finally:
        stop()
