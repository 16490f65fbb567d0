# SPDX-License-Identifier: Apache-2.0
"""net.py: the web and its papers, where flashlm was built with libcurl."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from flashlm._core import Error

__all__ = ["HttpResponse", "Paper", "Papers", "available", "http_get", "paper_id"]

_MISSING = (
    "[net] flashlm was built without libcurl, so it fetches nothing. "
    "Install libcurl, and build flashlm again: apt-get install libcurl4-openssl-dev, "
    "then pip install --force-reinstall --no-binary flashlm flashlm"
)

if TYPE_CHECKING:
    from flashlm._net import HttpResponse, Paper, Papers, http_get, paper_id

    _problem: ImportError | None
else:
    try:
        from flashlm._net import HttpResponse, Paper, Papers, http_get, paper_id

        _problem = None
    except ImportError as error:
        _problem = error

        def _refuse(*_: Any, **__: Any) -> NoReturn:
            # A module that is there but does not load, for want of a shared library, has its own
            # reason to give.
            reason = "" if isinstance(_problem, ModuleNotFoundError) else f" ({_problem})"
            raise Error(_MISSING + reason) from _problem

        class HttpResponse:
            """Stands in for what is missing."""

            __init__ = _refuse

        class Paper:
            """Stands in for what is missing."""

            __init__ = _refuse

        class Papers:
            """Stands in for what is missing."""

            __init__ = _refuse

        http_get = _refuse
        paper_id = _refuse


def available() -> bool:
    """Whether flashlm can fetch.

    If not, the other names raise `flashlm.Error` that says what to install.

    Example:
        >>> from flashlm.papers import net
        >>> net.available() in (True, False)
        True
    """
    return _problem is None
