# SPDX-License-Identifier: Apache-2.0
"""fake_hub.py: a hub and an arXiv on 127.0.0.1, with answers of the real ones' shape and PDFs made on the spot."""

from __future__ import annotations

import json
import textwrap
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

DAY = "2026-11-20"
_COMMIT = "0123456789abcdef0123456789abcdef01234567"


def make_pdf(
    pages: Sequence[str], *, title: str = "", columns: int = 1, encrypted: bool = False
) -> bytes:
    """A PDF in Courier: the text of each page, in one column or more; a page without text holds a black box."""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        (
            f"<< /Type /Pages /Kids [{' '.join(f'{5 + 2 * n} 0 R' for n in range(len(pages)))}] /Count "
            f"{len(pages)} >>"
        ),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>",
        f"<< /Title ({title}) >>",
    ]
    for number, text in enumerate(pages):
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /C 3 0 R "
            ">> >> "
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
    lines = [
        line for paragraph in text.split("\n") for line in textwrap.wrap(paragraph, wide) or [""]
    ]
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
            "submittedBy": {
                "_id": "1",
                "fullname": "Ada",
                "name": "ada",
                "type": "user",
                "isPro": False,
            },
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
        models: The files of models by name, under owner/name.
        asked: The paths that were asked for.
        sent: Bytes of models that were sent.
        broken: Answers by the beginning of a path, instead of the right ones; a function may wait
            or cut the line.
        stop: Ends the server: connections are refused then.
    """

    url: str = ""
    papers: list[FakePaper] = field(default_factory=lambda: list(PAPERS))
    models: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent: int = 0
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

    def answer(self, target: str, byte_range: str | None = None) -> Answer | None:  # noqa: PLR0911 - of each address
        """What the real servers would say."""
        self.asked.append(target)
        for start, broken in list(self.broken.items()):  # an answer may mend what is broken
            if target.startswith(start):
                return broken() if callable(broken) else broken
        parts = urlsplit(target)
        model = self._model(parts.path, byte_range)
        if model is not None:
            return model
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/api/daily_papers":
            return _json(self._daily(query))
        if parts.path == "/api/papers/search":
            return _json([paper.item() for paper in self.papers])
        name = parts.path.rsplit("/", 1)[-1]
        paper = next(
            (paper for paper in self.papers if name.split("v")[0] in (paper.id, f"{paper.id}.md")),
            None,
        )
        if paper is None:
            return 404, {"Content-Type": "application/json"}, b'{"error": "Paper not found"}'
        if parts.path.startswith("/pdf/"):
            headers = {
                "Content-Type": "application/pdf",
                "Content-Disposition": f'inline; filename="{paper.id}v1.pdf"',
            }
            return (
                200,
                headers,
                paper.pdf or make_pdf(paper.pages, title=" ".join(paper.title.split())),
            )
        if parts.path.endswith(".md"):
            if paper.markdown is None:
                return 404, {"Content-Type": "text/plain"}, b"not indexed"
            return 200, {"Content-Type": "text/markdown; charset=utf-8"}, paper.markdown.encode()
        return _json(paper.flat())

    def _model(self, path: str, byte_range: str | None) -> Answer | None:
        for name, files in self.models.items():
            if path.startswith(f"/api/models/{name}/tree/"):
                return _json(
                    [
                        {"type": "file", "path": file, "size": len(files[file]), "oid": "0"}
                        for file in files
                    ]
                )
            if path.startswith(f"/api/models/{name}"):
                siblings = [{"rfilename": file} for file in files]
                return _json(
                    {
                        "id": name,
                        "modelId": name,
                        "sha": _COMMIT,
                        "siblings": siblings,
                        "private": False,
                    }
                )
            file = path.removeprefix(f"/{name}/resolve/").partition("/")[2]
            if not path.startswith(f"/{name}/"):
                continue
            if file not in files:
                return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": _COMMIT}, b""
            data = files[file]
            headers = {
                "ETag": f'"{zlib.crc32(data):08x}"',
                "X-Repo-Commit": _COMMIT,
                "Accept-Ranges": "bytes",
            }
            if byte_range is None:
                return 200, headers, data
            first, _, last = byte_range.removeprefix("bytes=").partition("-")
            end = min(int(last or len(data)), len(data) - 1)
            headers["Content-Range"] = f"bytes {first}-{end}/{len(data)}"
            return 206, headers, data[int(first) : end + 1]
        return None

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
            answer = hub.answer(self.path, self.headers.get("Range"))
            if answer is None:  # the line is cut
                self.close_connection = True
                return
            status, headers, body = answer
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)
                hub.sent += len(body) if "/resolve/" in self.path else 0

        do_HEAD = do_GET  # noqa: N815 - the name that its parent looks for

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
