"""Virtual time: an event loop whose clock jumps to the next timer as soon as nothing else is to be done.

An hour of waiting takes no time, and the order of what happens is the same in every run. It is for handlers that wait
by the event loop only: a thread, a process or a socket is not waited for where a timer stands beside it.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

__all__ = ["VirtualLoop"]


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; ``anyio.run(main, backend_options={"loop_factory": VirtualLoop})``. Its clock begins at 0."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self._jump))

    def time(self) -> float:
        """Seconds of virtual time."""
        return self._now

    def _jump(self, seconds: float) -> None:
        # The loop takes timers that are due within its clock's resolution; a hair more keeps a sum of floats from
        # standing still just before one.
        self._now += max(seconds, 1e-9)


class _JumpingSelector(selectors.DefaultSelector):
    """Where the loop would wait for a timer, it lets the time pass instead."""

    def __init__(self, jump: Any) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> Any:
        """What is ready; without anything, the timer's time has come."""
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            self._jump(timeout)
        return ready
