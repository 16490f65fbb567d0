# SPDX-License-Identifier: Apache-2.0
"""pdf.py: the text of PDFs, where flashlm was built with poppler.

from flashlm.papers.pdf import read_pdf

for page in read_pdf("paper.pdf", first_page=1, last_page=3).pages:
    print(page.number, page.text)

Poppler is under the GPL, and so is a program that calls these functions; see docs/pdf.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from flashlm._core import Error

__all__ = ["Pdf", "PdfInfo", "PdfPage", "available", "read_pdf", "read_pdf_info"]

_MISSING = (
    "[pdf] flashlm was built without poppler, so it reads no PDF. "
    "Install poppler-cpp, and build flashlm again: apt-get install libpoppler-cpp-dev, "
    "then pip install --force-reinstall --no-binary flashlm flashlm"
)

if TYPE_CHECKING:
    from flashlm._pdf import Pdf, PdfInfo, PdfPage, read_pdf, read_pdf_info

    _problem: ImportError | None
else:
    try:
        from flashlm._pdf import Pdf, PdfInfo, PdfPage, read_pdf, read_pdf_info

        _problem = None
    except ImportError as error:
        _problem = error

        def _refuse(*_: Any, **__: Any) -> NoReturn:
            # A module that is there but does not load, for want of a shared library, has its own
            # reason to give.
            reason = "" if isinstance(_problem, ModuleNotFoundError) else f" ({_problem})"
            raise Error(_MISSING + reason) from _problem

        class Pdf:
            """Stands in for what is missing."""

            __init__ = _refuse

        class PdfInfo:
            """Stands in for what is missing."""

            __init__ = _refuse

        class PdfPage:
            """Stands in for what is missing."""

            __init__ = _refuse

        read_pdf = _refuse
        read_pdf_info = _refuse


def available() -> bool:
    """Whether flashlm reads PDFs.

    If not, the other names raise `flashlm.Error` that says what to install.

    Returns:
        True if it was built with poppler.

    Example:
        >>> from flashlm.papers import pdf
        >>> pdf.available() in (True, False)
        True
    """
    return _problem is None
