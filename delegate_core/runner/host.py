"""Taking nothing while this machine is short of disk or memory."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
from pydantic import ByteSize

from delegate_core.runner.slots import Slots

__all__ = ["HOST_HOLDS", "HostWatch", "Thresholds", "is_short"]

_log = logging.getLogger(__name__)

_DISK, _MEMORY = "disk", "memory"

HOST_HOLDS: Final = (_DISK, _MEMORY)
"""Names of the holds that this module sets."""

_EVERY = 2.0
"""Seconds between two looks."""

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


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Bytes that must be free for a task to be taken; 0 asks for nothing."""

    disk: int
    memory: int


class HostWatch:
    """Looks every few seconds at what is free, and holds the slots while it is too little. What runs goes on.

    Args:
        slots: what is held.
        folder: on the disk that counts: the state folder.
        thresholds: the present ones; asked for at each look.
    """

    def __init__(self, slots: Slots, folder: Path, thresholds: Callable[[], Thresholds]) -> None:
        self._slots = slots
        self._folder = folder
        self._thresholds = thresholds

    async def keep(self) -> None:
        """Look for ever. Error handling: what cannot be measured holds nothing."""
        while True:
            await anyio.sleep(_EVERY)
            await self.look()

    async def look(self) -> None:
        """Look once. In a thread, with a limiter of its own: a disk may hang, and busy handlers must not delay this."""
        wanted = self._thresholds()
        if wanted.disk or _DISK in self._slots.holds:
            free = await self._measured(lambda: _free_disk(self._folder))
            where = f"free on the disk of the state folder {self._folder}"
            self._judge(_DISK, free, wanted.disk, f"{where}; remove what is not needed there, or lower min_free_disk")
        if wanted.memory or _MEMORY in self._slots.holds:
            free = await self._measured(_free_memory)
            self._judge(_MEMORY, free, wanted.memory, "of memory available on this machine (min_free_memory)")

    async def _measured(self, measure: Callable[[], int]) -> int | None:
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


def _free_disk(folder: Path) -> int:
    """Bytes that the runner's user may still write there."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _free_memory() -> int:
    """Bytes that the kernel thinks could be given to programs without swapping (proc_meminfo(5), MemAvailable)."""
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    raise ValueError("/proc/meminfo says no MemAvailable")


def _size(count: int) -> str:
    return ByteSize(count).human_readable()
