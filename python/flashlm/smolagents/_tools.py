# SPDX-License-Identifier: Apache-2.0
"""_tools.py: smolagents' tools that find, download and read papers."""

from __future__ import annotations

from smolagents import Tool

__all__ = ["DownloadPaper", "ReadPdf", "TopDailyPapers", "paper_tools"]


class TopDailyPapers(Tool):  # type: ignore[misc]
    """Finds the top daily papers of a topic; see `flashlm.papers`.

    Example:
        >>> from flashlm.smolagents import TopDailyPapers
        >>> TopDailyPapers().name
        'get_hugging_face_top_daily_paper_ids_by_topic'
    """

    name = "get_hugging_face_top_daily_paper_ids_by_topic"
    description = (
        "Finds the top daily papers of Hugging Face about a topic and returns a list of their "
        "arXiv ids: first those "
        "with the topic in title or keywords, the most voted one first, then those that mention "
        "it. The page of a "
        "paper is https://arxiv.org/abs/ and its id. If there are none, it raises."
    )
    inputs = {  # noqa: RUF012 - the form that smolagents asks for
        "topic": {
            "type": "string",
            "description": "What the papers are about, such as LLM or speech recognition.",
        },
        "num_papers": {
            "type": "integer",
            "description": "How many papers at most. Default 1.",
            "nullable": True,
        },
    }
    output_type = "array"

    def forward(self, topic: str, num_papers: int | None = 1) -> list[str]:
        """The ids."""
        from flashlm.papers import find_ids

        return find_ids(topic, 1 if num_papers is None else num_papers)


class DownloadPaper(Tool):  # type: ignore[misc]
    """Downloads a paper into the cache; see `flashlm.papers`.

    Example:
        >>> from flashlm.smolagents import DownloadPaper
        >>> DownloadPaper().name
        'download_paper_by_id'
    """

    name = "download_paper_by_id"
    description = (
        "Downloads a paper by its arXiv id and returns the path of the file, which read_pdf_file "
        "takes. A paper that "
        "was downloaded before is not downloaded again."
    )
    inputs = {"paper_id": {"type": "string", "description": "The arXiv id, such as 2312.11514."}}  # noqa: RUF012
    output_type = "string"

    def forward(self, paper_id: str) -> str:
        """The path of the file."""
        from flashlm.papers import download

        return str(download(paper_id))


class ReadPdf(Tool):  # type: ignore[misc]
    """Reads pages of a PDF; see `flashlm.papers`.

    Args:
        max_characters: What one call returns at most, for it has to fit into the model's context; 0
            for no limit.

    Example:
        >>> from flashlm.smolagents import ReadPdf
        >>> ReadPdf().name
        'read_pdf_file'
    """

    name = "read_pdf_file"
    description = (
        "Reads the text of a PDF file, all pages or some. Each page begins with a line that says "
        "its number and how "
        "many there are. Of a long text the last line says how to read on."
    )
    inputs = {  # noqa: RUF012
        "file_path": {
            "type": "string",
            "description": "The path that download_paper_by_id returned.",
        },
        "first_page": {
            "type": "integer",
            "description": "The first page to read. Default 1.",
            "nullable": True,
        },
        "last_page": {
            "type": "integer",
            "description": "The last page to read. Default: the last.",
            "nullable": True,
        },
    }
    output_type = "string"

    def __init__(self, max_characters: int = 16000) -> None:
        self.max_characters = max_characters
        super().__init__()

    def forward(
        self, file_path: str, first_page: int | None = 1, last_page: int | None = None
    ) -> str:
        """The text, page by page."""
        from flashlm.papers import read_text

        return read_text(
            file_path, 1 if first_page is None else first_page, last_page, self.max_characters
        )


def paper_tools() -> list[Tool]:
    """The three tools that find, download and read papers.

    Example:
        >>> from flashlm.smolagents import paper_tools
        >>> [tool.name for tool in paper_tools()][1:]
        ['download_paper_by_id', 'read_pdf_file']
    """
    return [TopDailyPapers(), DownloadPaper(), ReadPdf()]
