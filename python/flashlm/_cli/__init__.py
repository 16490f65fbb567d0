# SPDX-License-Identifier: Apache-2.0
"""The command line: ``flashlm run | chat | papers | agent | pack | verify | info`` and more."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and leaves the process: 0 done, 1 failed, 2 misused, 130 interrupted.

    Args:
        arguments: What follows ``flashlm``; the process's own arguments by default.

    Example:
        >>> from flashlm._cli import main
        >>> main(["verify", "missing.flash"])
        Traceback (most recent call last):
        SystemExit: 1
    """
    import sys

    try:
        from flashlm._cli.app import run_app  # slow to import, so that Ctrl-C may come meanwhile
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(run_app(arguments))
