"""How fast things go: a plugin that counts in short intervals, and forgets those that are long past."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from delegate_core.console.view import Rates
from delegate_core.logs import LogLine
from delegate_core.markers import hookimpl
from delegate_core.model import Outcome, Task, TaskResult

__all__ = ["Meter"]

_INTERVAL: Final = 5.0
"""Seconds."""

_KEPT: Final = 60
"""Intervals that are remembered: five minutes."""

_FAILED: Final = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.REJECTED})


@dataclass(slots=True)
class _Interval:
    """What happened in one."""

    finished: int = 0
    failed: int = 0
    picked_up: int = 0
    pickup_seconds: float = 0.0
    log_bytes: int = 0

    @property
    def pickup(self) -> float | None:
        """The mean of them; None where there was none."""
        return self.pickup_seconds / self.picked_up if self.picked_up else None


class Meter:
    """The rates of one runner. It is told from any thread; where nothing happens, it costs nothing.

    Args:
        clock: seconds on a clock that never goes back.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._intervals: dict[int, _Interval] = {}
        self._first = self._number()

    def _number(self) -> int:
        return int(self._clock() // _INTERVAL)

    def _now(self) -> _Interval:
        """The interval under way; the lock is held."""
        number = self._number()
        if number not in self._intervals:
            self._intervals[number] = _Interval()
            for old in [one for one in self._intervals if one < number - _KEPT]:
                del self._intervals[old]
        return self._intervals[number]

    # ------------------------------------------------------------------ being told

    @hookimpl
    def task_logged(self, line: LogLine) -> None:
        """It printed a line."""
        with self._lock:
            self._now().log_bytes += line.size

    @hookimpl
    def task_finished(self, result: TaskResult) -> None:
        """It has its result."""
        with self._lock:
            now = self._now()
            now.finished += 1
            now.failed += result.outcome in _FAILED

    def picked_up(self, _task: Task, seconds: float) -> None:
        """A task started, so long after its offer."""
        with self._lock:
            now = self._now()
            now.picked_up += 1
            now.pickup_seconds += seconds

    # ------------------------------------------------------------------ answering

    def rates(self) -> Rates:
        """The intervals that are over, from the beginning on, at most those of five minutes."""
        with self._lock:
            last = self._number() - 1
            nothing = _Interval()
            shown = [
                self._intervals.get(number, nothing) for number in range(max(self._first, last - _KEPT + 1), last + 1)
            ]
            return Rates(
                interval=_INTERVAL,
                number=last,
                finished=tuple(one.finished for one in shown),
                failed=tuple(one.failed for one in shown),
                pickup=tuple(one.pickup for one in shown),
                log_bytes=tuple(one.log_bytes for one in shown),
            )
