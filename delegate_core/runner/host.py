"""Taking nothing while this machine is short of disk or memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
from pydantic import ByteSize

from delegate_core.errors import StateError
from delegate_core.machine import free_disk, free_memory
from delegate_core.runner.core import Core
from delegate_core.statefolder import StateFolder

__all__ = ["HOST_HOLDS", "HostWatch", "is_short"]

_log = logging.getLogger(__name__)

_DISK, _WORK_DISK, _MEMORY = "disk", "disk of work_dir", "memory"

HOST_HOLDS: Final = (_DISK, _WORK_DISK, _MEMORY)
"""Names of the holds that this module sets."""

_EVERY = 2.0
"""Seconds between two looks."""

_CURE = "remove what is not needed there, or lower min_free_disk"

_SPARE = 10
"""A hold goes when a tenth more than the threshold is free, so that a value beside it does not make it flicker."""


def is_short(free: int, threshold: int, *, held: bool) -> bool:
    """Whether too little is free; what is held goes on being held up to a tenth above the threshold.

    Args:
        free: bytes.
        threshold: bytes; 0: whatever is free, it is enough.
        held: whether it was short at the last look.
    """
    return free < threshold + (threshold // _SPARE if held else 0)


class HostWatch:
    """Looks every few seconds at what is free, and holds the slots while it is too little. What runs goes on.

    Before that, it makes room: logs of delivered tasks are kept for whoever looks back, but the server has them too.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._slots = core.slots
        self._asked = anyio.Event()

    def look_soon(self) -> None:
        """Look now and not in a while: a threshold has changed."""
        self._asked.set()

    async def keep(self) -> None:
        """Look for ever. Error handling: what cannot be measured holds nothing."""
        while True:
            with anyio.move_on_after(_EVERY):
                await self._asked.wait()
            self._asked = anyio.Event()
            await self.look()

    async def look(self) -> None:
        """Look once. In a thread, with a limiter of its own: a disk may hang, and busy handlers must not delay this."""
        settings, holds = self._core.settings, self._slots.holds
        if settings.min_free_disk or {_DISK, _WORK_DISK} & holds.keys():
            await self._look_at_disk(settings.min_free_disk)
            await self._look_at_work(settings.min_free_disk)
        if settings.min_free_memory or _MEMORY in holds:
            free = await self._measured(free_memory)
            what = "of memory available on this machine (min_free_memory)"
            self._judge(_MEMORY, free, settings.min_free_memory, what)

    async def _look_at_disk(self, threshold: int) -> None:
        path = self._core.folder.path
        free = await self._measured(lambda: free_disk(path))
        if free is not None and is_short(free, threshold, held=_DISK in self._slots.holds):
            spare: list[int] = []
            with suppress(StateError):  # the journal tells of its own trouble
                spare = self._core.journal.with_spare_log()
            free = await self._measured(lambda: _make_room(self._core.folder, spare, threshold))
        self._judge(_DISK, free, threshold, f"free on the disk of the state folder {path}; {_CURE}")

    async def _look_at_work(self, threshold: int) -> None:
        """At the tasks' folders, where they are on a disk of their own."""
        state, work = self._core.folder.path, self._core.folder.work
        free = await self._measured(lambda: _free_apart(work, state))
        self._judge(_WORK_DISK, free, threshold, f"free on the disk of the tasks' folders {work}; {_CURE}")

    async def _measured(self, measure: Callable[[], int | None]) -> int | None:
        try:
            return await anyio.to_thread.run_sync(measure, limiter=anyio.CapacityLimiter(1), abandon_on_cancel=True)
        except (OSError, ValueError) as error:
            _log.debug("what is free cannot be measured: %s", error)
            return None

    def _judge(self, name: str, free: int | None, threshold: int, what: str) -> None:
        held = name in self._slots.holds
        short = free is not None and is_short(free, threshold, held=held)
        if short and not held:
            reason = f"less than {_size(threshold)} {what}"
            self._slots.hold(name, reason)
            _log.warning("no task is taken: %s (it is %s)", reason, _size(free or 0))
        elif held and not short:
            self._slots.unhold(name)
            _log.info("enough %s is free again; tasks are taken", name)


def _free_apart(work: Path, state: Path) -> int | None:
    """What is free where the tasks' folders are; None: it is the state folder's disk."""
    return None if work.stat().st_dev == state.stat().st_dev else free_disk(work)


def _make_room(folder: StateFolder, numbers: list[int], threshold: int) -> int:
    """Remove logs of these entries, in their order, until enough is free; how much is free then."""
    removed = 0
    while is_short(free := free_disk(folder.path), threshold, held=True) and numbers:
        number = numbers.pop(0)
        if folder.log_folder(number).exists():
            folder.remove_log(number)
            removed += 1
    if removed:
        _log.info("removed the logs of %d delivered tasks to make room on the disk; the server has them", removed)
    return free


def _size(count: int) -> str:
    return ByteSize(count).human_readable()
