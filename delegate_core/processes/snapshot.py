"""One look at the process table for all who want one at the same time.

When many processes end together, as at the end of a wide graph or of a runner, each of their trees has to be looked
for, and a look reads what is new on the whole machine. Shared, a hundred endings cost a few looks and not a hundred.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from delegate_core.processes.brand import brand_of
from delegate_core.processes.identity import MARK_VARIABLE
from delegate_core.processes.table import Entry, environment_value, read_table

__all__ = ["Snapshot", "take_snapshot"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The processes that started at `since` or later; the marks and the brands of those that have one.

    ``number`` counts those that were begun, also those that failed.
    """

    number: int
    since: int
    entries: Mapping[int, Entry]
    marks: Mapping[int, str]
    brands: Mapping[int, frozenset[int]]


@dataclass(slots=True)
class _Camera:
    """Takes one at a time. A snapshot serves whoever asked before it was begun, and wanted nothing older."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    waiting: Counter[int] = field(default_factory=Counter)
    counting: threading.Lock = field(default_factory=threading.Lock)
    begun: int = 0
    latest: Snapshot | None = None

    def take(self, since: int) -> Snapshot:
        with self._waiting(since) as asked, self.turn:
            if self.latest is None or self.latest.number <= asked or self.latest.since > since:
                self.latest = self._begin()
            return self.latest

    @contextmanager
    def _waiting(self, since: int) -> Iterator[int]:
        """Say what is wanted while waiting for it; how many snapshots had been begun by then."""
        with self.counting:
            self.waiting[since] += 1
            asked = self.begun
        try:
            yield asked
        finally:
            with self.counting:
                self.waiting[since] -= 1
                self.waiting += Counter()  # forgets those that nobody wants any more

    def _begin(self) -> Snapshot:
        with self.counting:
            self.begun += 1
            number, since = self.begun, min(self.waiting)
        marks: dict[int, str] = {}
        brands: dict[int, frozenset[int]] = {}

        def note(entry: Entry) -> None:
            if numbers := brand_of(entry.pid):
                brands[entry.pid] = numbers
            if (mark := environment_value(entry.pid, MARK_VARIABLE)) is not None:
                marks[entry.pid] = mark

        return Snapshot(number, since, read_table(since, note), marks, brands)


_camera = _Camera()


def take_snapshot(since: int = 0) -> Snapshot:
    """A snapshot that is begun after this call, of what started at `since` (clock ticks since boot) or later.

    Blocks; for any thread.
    """
    return _camera.take(since)
