"""Which processes belong to one start, however they were forked."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

import anyio
import anyio.to_thread

from delegate_core.processes.brand import numbers_of
from delegate_core.processes.identity import MARK_VARIABLE
from delegate_core.processes.snapshot import take_snapshot
from delegate_core.processes.table import Entry

__all__ = ["Tree", "joined_marks"]

_SEPARATOR = ":"


def joined_marks(*marks: str) -> str:
    """The mark for a child's environment: after those of the runners that this runner runs in.

    So the processes of a runner that is itself a step of another are found by the outer one too.
    """
    outer = os.environ.get(MARK_VARIABLE)
    return _SEPARATOR.join((outer, *marks) if outer else marks)


@dataclass(frozen=True, slots=True)
class Tree:
    """The processes of one start: its main process (the leader) and what descends from it.

    A process belongs when its environment carries the mark, when it bears the mark's brand, when it is in the
    leader's session or group, or when its parent or its session's leader belongs. What escapes is a daemon that has
    left its session, lost its parent, cleared its environment *and* shed its brand.

    Attributes:
        mark: what the environment carries, and the brand stands for.
        leader: pid and start time of the main process, where they are known.
    """

    mark: str
    leader: tuple[int, int] | None = None

    async def find(self) -> frozenset[Entry]:
        """Those that live now, never this process itself."""
        # A big machine's table takes a while. The limiter is its own: busy handlers must not delay an ending.
        return await anyio.to_thread.run_sync(self._look, limiter=anyio.CapacityLimiter(1))

    def _look(self) -> frozenset[Entry]:
        """None is an answer only when a second look confirms it.

        The table is not one moment's picture: a process that forks and exits while it is read hides its child.
        """
        return self._members() or self._members()

    def _members(self) -> frozenset[Entry]:
        since = self.leader[1] if self.leader else 0
        snapshot = take_snapshot(since)
        table = {pid: entry for pid, entry in snapshot.entries.items() if entry.start_time >= since}
        table.pop(os.getpid(), None)
        candidates = list(table.values())
        known = {pid for pid, marks in snapshot.marks.items() if pid in table and self.mark in marks.split(_SEPARATOR)}
        numbers = numbers_of(self.mark)
        known |= {pid for pid, brand in snapshot.brands.items() if pid in table and not numbers.isdisjoint(brand)}
        known |= self._of_leader(table, candidates, known)
        _add_relatives(known, candidates)
        return frozenset(table[pid] for pid in known if not table[pid].dead)

    def _of_leader(self, table: dict[int, Entry], candidates: list[Entry], marked: set[int]) -> set[int]:
        """Those in the leader's session or group.

        Its pid names them only as long as it cannot have been given away: while the leader is there (even
        dead, but not reaped), or while a marked process holds on to the session.
        """
        if self.leader is None:
            return set()
        pid, start_time = self.leader
        there = pid in table and table[pid].start_time == start_time
        if not there and all(table[member].session != pid for member in marked):
            return set()
        return {entry.pid for entry in candidates if pid in {entry.session, entry.group}}


def _add_relatives(known: set[int], candidates: Iterable[Entry]) -> None:
    """Add children of the known, and members of sessions that they lead, until there are no more."""
    rest = [entry for entry in candidates if entry.pid not in known]
    while found := {entry.pid for entry in rest if entry.parent in known or entry.session in known}:
        known |= found
        rest = [entry for entry in rest if entry.pid not in found]
