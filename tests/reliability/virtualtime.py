"""An event loop whose clock jumps: where everybody only waits for time to pass, it passes at once."""

from __future__ import annotations

import asyncio
import selectors
import sys
import threading
from collections.abc import Callable

from anyio._backends._asyncio import WorkerThread

__all__ = ["VirtualTimeLoop"]

_MOMENT = 0.002
"""Seconds, real ones, between two looks at threads that are at work."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """For tests of what takes minutes: ``with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner``.

    Sockets and threads work as ever; while one of anyio's threads works, no time passes. Code that asks the operating
    system for the time, and not the loop, sees the real one.
    """

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Jumping(self._jump))

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._now

    def _jump(self, seconds: float) -> None:
        self._now += seconds


class _Jumping(selectors.DefaultSelector):
    """Waits for input without waiting: the time that it would have taken has passed."""

    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready."""
        if timeout is not None and timeout <= 0:
            return super().select(0)
        while _threads_at_work():
            if ready := super().select(_MOMENT):
                return ready
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout is not None:
            self._jump(timeout)
        return ready


def _threads_at_work() -> bool:
    """Whether one of anyio's threads does not just wait for work: one that has not picked up its work yet does not."""
    workers = [each for each in threading.enumerate() if isinstance(each, WorkerThread)]
    if any(not each.queue.empty() for each in workers):
        return True
    frames = sys._current_frames()  # looked at last: what has been picked up meanwhile is seen here
    return any(not _is_idle(frames.get(each.ident or 0)) for each in workers)


def _is_idle(frame: object) -> bool:
    return getattr(getattr(frame, "f_code", None), "co_name", "") == "wait"
