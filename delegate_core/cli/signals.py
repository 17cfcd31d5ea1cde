"""Signals to a runner's process, from its first moment to its last.

SIGINT and SIGTERM: the first drains, the second cancels, the third leaves at once. SIGHUP has the settings read again.
Before there is a runner nothing is claimed yet, so SIGINT and SIGTERM simply end the process, while SIGHUP must not:
the settings are just being read. Once the runner has ended, a signal could only spoil the exit status, so none does
anything, except the third that would leave: it leaves with that status.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from signal import Signals
from types import FrameType

import anyio

from delegate_core.cli.reloading import Reloading
from delegate_core.errors import DelegateError
from delegate_core.runner import Runner

__all__ = ["heed_hangups", "heed_signals", "ignore_signals"]

_log = logging.getLogger(__name__)

_ENDING = (signal.SIGINT, signal.SIGTERM)

_LEAVES = 3
"""The number of the signal that leaves at once."""


async def heed_signals(runner: Runner, leave: Callable[[], object], status: Callable[[], int]) -> None:
    """Drain at the first signal, stop at the second; at the third, `leave`. Ends by cancellation, or with that.

    Args:
        runner: which is to end.
        leave: called at the third signal.
        status: what the process ends with once the runner has ended.
    """
    received = count(1)
    with _received(_ENDING, lambda: next(received) >= _LEAVES and os._exit(status())) as signals:
        async for number in signals:
            answer = {1: runner.drain, 2: runner.stop}.get(next(received))
            if answer is None:
                _log.warning("%s again: leaving now; the journal keeps what is not settled", number.name)
                leave()
                return
            answer(f"received {number.name}")


async def heed_hangups(runner: Runner, reloading: Reloading) -> None:
    """Read the settings again at each SIGHUP. Ends by cancellation."""
    with _received((signal.SIGHUP,), lambda: None) as signals:
        async for _ in signals:
            with suppress(DelegateError):  # it is in the log
                await reloading.reload(runner)


def ignore_signals() -> None:
    """Heed no signal from here to the process's end: it is on its way out, and has its status."""
    for number in (*_ENDING, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def _received(numbers: tuple[Signals, ...], late: Callable[[], object]) -> Iterator[AsyncIterator[Signals]]:
    """Signals as they come. Those that come after the body call `late`, instead of ending the process.

    By handlers of Python's own: an event loop that forgets one of its handlers has the signal end the process again,
    and one that comes in that very moment would.
    """
    loop = asyncio.get_running_loop()
    given, signals = anyio.create_memory_object_stream[Signals](math.inf)

    def take(number: int) -> None:
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):  # it came at the body's end
            given.send_nowait(Signals(number))

    def heed(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(take, number)

    def be_late(_number: int, _frame: FrameType | None) -> None:
        late()

    for number in numbers:
        signal.signal(number, heed)
    try:
        with given, signals:
            yield signals
    finally:
        for number in numbers:
            signal.signal(number, be_late)
