# SPDX-License-Identifier: Apache-2.0
"""flashlm.papers.pdf: the binding of the PDF reader, and what it says where poppler was missing."""

from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path

import pytest

import flashlm
from flashlm.papers import pdf

needs_poppler = pytest.mark.skipif(not pdf.available(), reason="flashlm was built without poppler")


def make_pdf(pages: list[list[tuple[int, int, str]]], title: str = "") -> bytes:
    """A PDF in Courier with texts at places (x, y from above) on its pages."""
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(pages)))
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R /Title ({title}) >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>",
    ]
    for index, texts in enumerate(pages):
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /C 3 0 R "
            ">> >> "
            f"/Contents {5 + 2 * index} 0 R >>"
        )
        content = "".join(
            f"BT /C 10 Tf 1 0 0 1 {x} {792 - y} Tm ({text}) Tj ET\n" for x, y, text in texts
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}endstream")
    objects.append(f"<< /Title ({title}) /Author (A. Writer) >>")
    out = "%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>"
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}\nstartxref\n{len(out)}\n%%EOF\n"
    return out.encode("latin-1")


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    """Three pages in two columns."""
    pages = [
        [
            (x, 72 + 12 * row, f"page {page} {side} row {row}")
            for row in range(20)
            for x, side in ((60, "a"), (320, "b"))
        ]
        for page in (1, 2, 3)
    ]
    path = tmp_path / "paper.pdf"
    path.write_bytes(make_pdf(pages, title="On words"))
    return path


@needs_poppler
def test_columns_are_read_one_after_the_other(paper: Path) -> None:
    read = pdf.read_pdf(paper, first_page=2, last_page=9)
    assert [page.number for page in read.pages] == [2, 3]
    expected = [f"page 2 {side} row {row}" for side in "ab" for row in range(20)]
    assert [line for line in read.pages[0].text.splitlines() if line] == expected
    assert read.has_text
    assert read.text == "\n".join(page.text for page in read.pages)


@needs_poppler
def test_the_info_is_that_of_the_file(paper: Path) -> None:
    info = pdf.read_pdf_info(str(paper))
    assert (info.title, info.author, info.n_pages) == ("On words", "A. Writer", 3)
    assert info.complete
    assert not info.encrypted
    assert pdf.read_pdf(paper, isolate=False).info.n_pages == 3


@needs_poppler
def test_errors_are_those_of_flashlm(paper: Path, tmp_path: Path) -> None:
    with pytest.raises(flashlm.IoError) as missing:
        pdf.read_pdf(tmp_path / "ghost.pdf")
    assert missing.value.filename == str(tmp_path / "ghost.pdf")
    with pytest.raises(flashlm.ArgumentError, match="first_page: expected at most 3, got 4"):
        pdf.read_pdf(paper, first_page=4)
    with pytest.raises(flashlm.Error, match="max_pages"):
        pdf.read_pdf(paper, max_pages=2)
    page = tmp_path / "page.pdf"
    page.write_text("<html>busy</html>")
    with pytest.raises(flashlm.FormatError, match="expected a PDF, got a web page"):
        pdf.read_pdf(page)
    page.write_bytes(make_pdf([[]]))
    with pytest.raises(flashlm.FormatError, match="expected text, got none on 1 of 1 pages"):
        pdf.read_pdf(page)
    assert not pdf.read_pdf(page, require_text=False).has_text


@needs_poppler
def test_progress_counts_pages_and_may_end_the_reading(paper: Path) -> None:
    told: list[tuple[int, int]] = []
    pdf.read_pdf(paper, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (3, 3)
    assert told == sorted(told)

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pdf.read_pdf(paper, progress=stop)


@needs_poppler
def test_threads_read_at_once(paper: Path) -> None:
    texts: list[str] = []
    threads = [
        threading.Thread(target=lambda: texts.append(pdf.read_pdf(paper).text)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 4
    assert len(set(texts)) == 1


def test_without_poppler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flashlm._pdf", None)
    try:
        missing = importlib.reload(pdf)
        assert not missing.available()
        for name in set(missing.__all__) - {"available"}:
            with pytest.raises(flashlm.Error, match="apt-get install libpoppler-cpp-dev") as raised:
                getattr(missing, name)("paper.pdf")
            assert "pip install --force-reinstall --no-binary flashlm" in str(raised.value)
    finally:
        monkeypatch.undo()
        importlib.reload(pdf)
