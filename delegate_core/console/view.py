"""What the live view shows: one frozen value, so that drawing it is a pure function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from delegate_core.console.events import LogEvent, TaskFinished

if TYPE_CHECKING:
    from delegate_core.runner.snapshot import Snapshot

__all__ = ["Memory", "Rates", "ShownLine", "View"]


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line of a task's log. ``number`` counts all lines of the task, whatever its step, from 0."""

    number: int
    time: float
    stream: str
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Rates:
    """What happened in each of the last intervals, the latest last; the one under way is not among them.

    Args:
        interval: seconds of one.
        number: of the latest interval, counted from any beginning; so that what is put together stays together.
        finished: tasks that got a result.
        failed: those of them that failed, timed out or were rejected.
        pickup: mean seconds from a server's offer to the handler's start; None where nothing was picked up.
        log_bytes: bytes that tasks printed.
    """

    interval: float
    number: int = 0
    finished: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()
    pickup: tuple[float | None, ...] = ()
    log_bytes: tuple[int, ...] = ()


class Memory(Protocol):
    """Who remembers what a view cannot ask the runner for."""

    def lines(self, task_id: str, start: int) -> Sequence[ShownLine]:
        """The last lines of a task's log, from this number on; none where nothing is known of it."""

    def rates(self) -> Rates:
        """How fast things have gone lately."""


@dataclass(frozen=True, slots=True)
class View:
    """A runner at one moment, and what it has lately done.

    Args:
        backend: name of the control plane's plugin.
        snapshot: the runner's own picture of itself.
        recent: finished tasks, the latest first.
        records: warnings and errors of the runner's log, the latest last.
        rates: how fast things have gone lately; None where nobody knows.
        log: the last lines of the task that is looked at; None where nobody knows them.
        elsewhere: the runner is another process: this one shows it, and ends without it.
        lost: why it does not answer any more; what is shown is the last that was heard of it. Empty while it does.
        silent: seconds since it last answered.
    """

    backend: str
    snapshot: Snapshot
    recent: tuple[TaskFinished, ...] = ()
    records: tuple[LogEvent, ...] = ()
    rates: Rates | None = None
    log: tuple[ShownLine, ...] | None = None
    elsewhere: bool = False
    lost: str = ""
    silent: float = 0.0
