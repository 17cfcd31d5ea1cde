"""Slots: the right to execute one task, and what holds it back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping

import anyio

from delegate_core.runner.standing import Hold

__all__ = ["Slot", "Slots"]


class Slots:
    """Counts the tasks that may still be taken: by capacity, by a task type's own limit, and not at all while held.

    Args:
        capacity: how many tasks may run at once.
        limits: limits of single task types within it.
        counted_as: under which key of `limits` a task type counts: that of a pattern, for all types it matches.
    """

    def __init__(
        self,
        capacity: int,
        limits: Mapping[str, int] | None = None,
        counted_as: Callable[[str], str] = lambda task_type: task_type,
    ) -> None:
        self.capacity = capacity
        self.quota: int | None = None
        """How many more tasks may ever be taken; None: any number."""
        self._counted_as = counted_as
        self.limits = dict(limits or {})
        self.holds: dict[str, str] = {}
        """Why nothing, or nothing of some types, is taken at present: reasons by the name of what holds."""
        self._held_types: dict[str, frozenset[str]] = {}
        self._held_since: dict[str, float] = {}
        self._taken: Counter[str] = Counter()
        self._used = 0
        self._changed = anyio.Event()
        self._shrunk: anyio.Event | None = None

    @property
    def used(self) -> int:
        """How many slots are taken."""
        return self._used

    def room(self, task_type: str | None = None) -> int:
        """How many more tasks could be taken now, of one type or of any."""
        if self._is_held(task_type):
            return 0
        free = self.capacity - self._used
        if self.quota is not None:
            free = min(free, self.quota)
        key = None if task_type is None else self._counted_as(task_type)
        if key is not None and key in self.limits:
            free = min(free, self.limits[key] - self._taken[key])
        return max(0, free)

    def take(self, task_type: str) -> bool:
        """Take a slot if there is room for the type."""
        if self.room(task_type) < 1:
            return False
        if self.quota is not None:
            self.quota -= 1
        self.seize(task_type)
        return True

    def refund(self) -> None:
        """What was taken came to no task: it does not count for the quota."""
        if self.quota is not None:
            self.quota += 1
            self.change()

    def resize(self, capacity: int, limits: Mapping[str, int]) -> None:
        """Another capacity and other limits from now on; what runs goes on."""
        self.capacity, self.limits = capacity, dict(limits)
        self._shrink()
        self.change()

    def seize(self, task_type: str) -> None:
        """Take a slot whether or not there is room: for work that an earlier life had claimed."""
        self._taken[self._counted_as(task_type)] += 1
        self._used += 1
        self._shrink()

    def release(self, task_type: str) -> None:
        """Give a slot back."""
        self._taken[self._counted_as(task_type)] -= 1
        self._used -= 1
        self.change()

    def hold(self, name: str, reason: str, types: Collection[str] | None = None) -> None:
        """Take nothing, or none of these types, until `unhold` is called with the same name."""
        self.holds[name] = reason
        self._held_since.setdefault(name, time.monotonic())
        if types is not None:
            self._held_types[name] = frozenset(types)
        self._shrink()

    def unhold(self, name: str) -> None:
        """Take tasks again, unless something else holds."""
        self._held_types.pop(name, None)
        self._held_since.pop(name, None)
        if self.holds.pop(name, None) is not None:
            self.change()

    def held(self) -> dict[str, Hold]:
        """Every hold by its name, with its age."""
        now = time.monotonic()
        return {
            name: Hold(reason, now - self._held_since[name], partial=name in self._held_types)
            for name, reason in self.holds.items()
        }

    def _is_held(self, task_type: str | None) -> bool:
        """A hold of some types leaves room for others, and whoever asks for any type may mean those."""
        if not self.holds:
            return False
        keys = set() if task_type is None else {task_type, self._counted_as(task_type)}
        return any(name not in self._held_types or keys & self._held_types[name] for name in self.holds)

    def change(self) -> None:
        """Wake whoever waits for room."""
        self._changed.set()
        self._changed = anyio.Event()

    async def wait_for_change(self) -> None:
        """Wait until a slot is given back or a hold goes."""
        await self._changed.wait()

    async def wait_for_room(self, task_type: str | None = None) -> None:
        """Wait until a task of this type, or of some type, could be taken."""
        while self.room(task_type) < 1:
            await self._changed.wait()

    async def wait_until_full(self, task_type: str | None = None) -> None:
        """Wait until no task of this type, or of any, could be taken."""
        while self.room(task_type) > 0:
            if self._shrunk is None:
                self._shrunk = anyio.Event()
            await self._shrunk.wait()

    def _shrink(self) -> None:
        if self._shrunk is not None:
            self._shrunk.set()
            self._shrunk = None


class Slot:
    """One taken slot, given back once however often that is asked for."""

    __slots__ = ("_is_taken", "_slots", "_task_type")

    def __init__(self, slots: Slots, task_type: str) -> None:
        self._slots = slots
        self._task_type = task_type
        self._is_taken = True

    def release(self) -> None:
        """Give it back."""
        if self._is_taken:
            self._is_taken = False
            self._slots.release(self._task_type)

    def seize(self) -> None:
        """Take it again, whether or not there is room."""
        if not self._is_taken:
            self._is_taken = True
            self._slots.seize(self._task_type)

    def handed_over(self) -> Slot:
        """The same slot for a new owner; this one gives nothing back any more."""
        assert self._is_taken, "a slot is handed over before it is given back"  # noqa: S101 - whoever breaks it sees why
        self._is_taken = False
        return Slot(self._slots, self._task_type)
