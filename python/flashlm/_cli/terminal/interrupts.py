# SPDX-License-Identifier: Apache-2.0
"""interrupts.py: Ctrl-C that is never lost and never strikes where nobody expects it."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType, TracebackType

_LOOK_SECONDS = 0.1


class Interrupts:
    """Keeps each Ctrl-C until somebody takes it; as a context manager, from the main thread.

    Inside `allowed` and `heard_while_waiting` it raises KeyboardInterrupt, at once if it came
    before; once for each of these blocks. Elsewhere it waits for the next of them. So both belong
    into a try statement that catches it.
    """

    def __init__(self) -> None:
        self._waiting = False  # one came that nobody has seen
        self._may_raise = False

    def __enter__(self) -> None:
        self._alarm_before = signal.signal(signal.SIGALRM, lambda *_: None)
        self._before = signal.signal(signal.SIGINT, self._note)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGINT, self._before)
        signal.signal(signal.SIGALRM, self._alarm_before)

    @contextlib.contextmanager
    def allowed(self) -> Iterator[None]:
        """A block that Ctrl-C may end anywhere."""
        self._may_raise = True
        try:
            if self._waiting:
                self._raise()
            yield
        finally:
            self._may_raise = False

    @contextlib.contextmanager
    def heard_while_waiting(self) -> Iterator[None]:
        """The same for a block that waits for the keyboard.

        A signal that comes just before a read begins does not end it, so that an alarm rings until
        one does.
        """
        try:
            with self.allowed():
                signal.setitimer(signal.ITIMER_REAL, _LOOK_SECONDS, _LOOK_SECONDS)
                yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        self._waiting = True
        if self._may_raise:
            self._raise()

    def _raise(self) -> None:
        self._may_raise = False
        self._waiting = False
        raise KeyboardInterrupt
