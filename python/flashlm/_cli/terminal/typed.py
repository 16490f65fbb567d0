# SPDX-License-Identifier: Apache-2.0
"""typed.py: messages from a keyboard; a pasted text is one, however many lines it has."""

from __future__ import annotations

import contextlib
import importlib.util
import select
import sys

_SAME_BURST = (
    0.05  # seconds; a terminal that does not mark what is pasted sends its lines one upon the other
)


class Typed:
    """Reads messages, with line editing where there is a library for it."""

    def __init__(self) -> None:
        self._marks_pastes = False
        if importlib.util.find_spec("readline") is None:
            return
        import readline

        if "libedit" not in (readline.__doc__ or ""):
            # Python switches it off; then each line of what is pasted would be a message.
            readline.parse_and_bind("set enable-bracketed-paste on")
            self._marks_pastes = True

    def read(self, prompt: str) -> str:
        """One message. Raises EOFError at the end, KeyboardInterrupt as `input` does."""
        lines = [input(prompt)]
        with contextlib.suppress(EOFError):
            while not self._marks_pastes and select.select([sys.stdin], [], [], _SAME_BURST)[0]:
                lines.append(input())
        return "\n".join(lines).strip()
