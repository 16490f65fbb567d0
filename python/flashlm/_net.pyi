# SPDX-License-Identifier: Apache-2.0
# The types of the extension module; tests/python/_engine/stubs_test.py compares its names, parameters and
# defaults.
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

class HttpResponse:
    @property
    def body(self) -> bytes: ...
    @property
    def headers(self) -> dict[str, str]: ...
    @property
    def status(self) -> int: ...
    @property
    def url(self) -> str: ...

class Paper:
    @property
    def ai_summary(self) -> str: ...
    @property
    def authors(self) -> list[str]: ...
    @property
    def comments(self) -> int: ...
    @property
    def daily(self) -> str: ...
    @property
    def hub_url(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def keywords(self) -> list[str]: ...
    @property
    def published(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def upvotes(self) -> int: ...
    @property
    def url(self) -> str: ...
    def to_dict(self) -> dict[str, Any]: ...

class Papers:
    def __init__(
        self,
        *,
        hub: str | None = None,
        arxiv: str | None = None,
        cache: str | os.PathLike[str] | None = None,
        token: str | None = None,
        offline: bool | None = None,
        arxiv_interval_seconds: float | None = None,
    ) -> None: ...
    @property
    def cache(self) -> Path: ...
    @property
    def offline(self) -> bool: ...
    def daily(
        self,
        *,
        topic: str = "",
        top: int = 10,
        date: str | None = None,
        week: str | None = None,
        month: str | None = None,
        order: str = "votes",
        days: int = 1,
        progress: Callable[[int, int, float], object] | None = None,
    ) -> list[Paper]: ...
    def info(
        self, paper_id: str, *, progress: Callable[[int, int, float], object] | None = None
    ) -> Paper: ...
    def markdown(
        self,
        paper_id: str,
        *,
        refresh: bool = False,
        progress: Callable[[int, int, float], object] | None = None,
    ) -> str | None: ...
    def pdf(
        self,
        paper_id: str,
        *,
        refresh: bool = False,
        progress: Callable[[int, int, float], object] | None = None,
    ) -> Path: ...
    def search(
        self,
        query: str,
        *,
        limit: int = 10,
        progress: Callable[[int, int, float], object] | None = None,
    ) -> list[Paper]: ...

def http_get(
    url: str,
    *,
    headers: Mapping[str, str] = {},
    token: str = "",
    max_bytes: int = 67108864,
    total_seconds: float = 600.0,
    progress: Callable[[int, int, float], object] | None = None,
) -> HttpResponse: ...
def paper_id(text: str) -> str: ...
