"""Who made what is on an engine, where that is a process that never comes back, as a command: found dead, it is swept.

A runner comes back after a crash under the name of its state folder, and sweeps what is its own. A command does not.
So its name says which process it is, and whoever comes to the engine next can tell whether that one still lives.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import uuid4

from delegate_core.processes.table import boot_id, read_entry

__all__ = ["ProcessOwner"]

_NAME = re.compile(
    r"process-(?P<boot>[0-9a-f-]+)-ns(?P<namespace>\d+)-pid(?P<pid>\d+)-at(?P<start>\d+)-(?P<nonce>[0-9a-f]+)"
)


@dataclass(frozen=True, slots=True)
class ProcessOwner:
    """One process of one machine, told apart from every other that ever had its pid.

    Attributes:
        boot_id: the boot of the machine in which it lives.
        namespace: the namespace of its pid, as a container has its own; an inode number.
        pid: its process id there.
        start_time: when it started, in clock ticks since boot.
        nonce: tells what one process does from what else it does.
    """

    boot_id: str
    namespace: int
    pid: int
    start_time: int
    nonce: str

    @classmethod
    def new(cls) -> Self:
        """This process, as an owner of something new."""
        entry = read_entry(os.getpid())
        start = entry.start_time if entry is not None else 0
        return cls(boot_id(), _pid_namespace(), os.getpid(), start, uuid4().hex[:12])

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """The owner of this name; None where it is the name of no process, such as that of a runner."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        pid, start, namespace = (int(found[each]) for each in ("pid", "start", "namespace"))
        return cls(found["boot"], namespace, pid, start, found["nonce"])

    def __str__(self) -> str:
        return f"process-{self.boot_id}-ns{self.namespace}-pid{self.pid}-at{self.start_time}-{self.nonce}"

    def is_gone(self) -> bool:
        """Whether it has certainly ended: never true of a process of another machine, boot or pid namespace."""
        if not self.boot_id or (self.boot_id, self.namespace) != (boot_id(), _pid_namespace()):
            return False
        entry = read_entry(self.pid)
        if entry is None:
            return not _exists(self.pid)
        return entry.dead or entry.start_time != self.start_time


def _pid_namespace() -> int:
    """0 where there is no telling."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0


def _exists(pid: int) -> bool:
    """Also where /proc hides it, as that of another user (``hidepid``)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
