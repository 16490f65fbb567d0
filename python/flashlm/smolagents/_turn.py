# SPDX-License-Identifier: Apache-2.0
"""_turn.py: threads that share a model take turns."""

from __future__ import annotations

import os
import threading

from typing_extensions import Self

from flashlm._core import Generation


class Turn:
    """Lets one generation run at a time."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._free = threading.Condition()
        self._holder: Holder | None = None

    def taken(self) -> Holder:
        """Waits until nobody else generates. A stream that this thread left unfinished is ended."""
        if self._process != os.getpid():  # a fork: whoever had the turn there will not give it back
            self._begin()
        holder = Holder(self)
        with self._free:
            while self._holder is not None:
                if self._holder.thread == threading.get_ident():
                    self._holder.end()
                    break
                self._free.wait()
            self._holder = holder
        return holder

    def release(self, holder: Holder) -> None:
        """The next may go on."""
        with self._free:
            if self._holder is holder:
                self._holder = None
                self._free.notify()


class Holder:
    """Whose turn it is."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self.thread = threading.get_ident()
        self.generation: Generation | None = None

    def end(self) -> None:
        """Ends what it generates."""
        if self.generation is not None:
            self.generation.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._turn.release(self)
