"""What this machine has to spare."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["free_disk", "free_memory"]


def free_disk(folder: Path) -> int:
    """Bytes that the runner's user may still write there.

    Raises:
        OSError: it cannot be looked at.
    """
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def free_memory() -> int:
    """Bytes that the kernel thinks could be given to programs without swapping (proc_meminfo(5), MemAvailable).

    Raises:
        OSError: there is no such file.
        ValueError: it does not say it.
    """
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    raise ValueError("/proc/meminfo says no MemAvailable")
