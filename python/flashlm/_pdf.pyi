# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from os import PathLike

class PdfInfo:
    @property
    def title(self) -> str: ...
    @property
    def author(self) -> str: ...
    @property
    def n_pages(self) -> int: ...
    @property
    def encrypted(self) -> bool: ...
    @property
    def complete(self) -> bool: ...

class PdfPage:
    @property
    def number(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def damaged(self) -> bool: ...

class Pdf:
    @property
    def info(self) -> PdfInfo: ...
    @property
    def pages(self) -> list[PdfPage]: ...
    @property
    def has_text(self) -> bool: ...
    @property
    def text(self) -> str: ...

def read_pdf(
    path: str | PathLike[str],
    *,
    first_page: int = 1,
    last_page: int | None = None,
    password: str = "",
    require_text: bool = True,
    max_file_bytes: int = 268435456,
    max_pages: int = 2000,
    max_text_bytes: int = 67108864,
    max_seconds: float = 60.0,
    max_memory_bytes: int = 1073741824,
    isolate: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Pdf: ...
def read_pdf_info(
    path: str | PathLike[str],
    *,
    password: str = "",
    max_file_bytes: int = 268435456,
    max_seconds: float = 60.0,
    max_memory_bytes: int = 1073741824,
    isolate: bool = True,
) -> PdfInfo: ...
