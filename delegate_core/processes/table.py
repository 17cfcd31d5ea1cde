"""The kernel's process table, as /proc shows it (proc(5))."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache

__all__ = ["Entry", "boot_id", "environment_value", "pinned", "read_entry", "read_table", "user_of"]

_CHUNK = 16 * 1024
_LOOKS = 50
"""Of one reading; where a machine starts processes faster than they are read, it has to end somewhere."""

_EXEC_LOOKS = 100
_EXEC_PAUSE = 0.001


@dataclass(frozen=True, slots=True)
class Entry:
    """One process. Two entries are equal when they are the same process, whatever it did in between.

    Attributes:
        pid: its process id.
        start_time: when it started, in clock ticks since boot; an exec does not change it.
        parent: pid of its parent.
        group: id of its process group.
        session: id of its session.
        dead: it has exited and only waits to be reaped (a zombie).
    """

    pid: int
    start_time: int
    parent: int = field(compare=False)
    group: int = field(compare=False)
    session: int = field(compare=False)
    dead: bool = field(compare=False)


def read_entry(pid: int) -> Entry | None:
    """The process that has this pid now; None when there is none."""
    fields = _stat(pid)
    if not fields:
        return None
    # A main thread that left while others work looks like a zombie, but its process is alive.
    dead = fields[0] in {b"Z", b"X"} and int(fields[17]) <= 1
    return Entry(pid, int(fields[19]), int(fields[1]), int(fields[2]), int(fields[3]), dead)


def read_table(since: int = 0, note: Callable[[Entry], None] = lambda _: None) -> dict[int, Entry]:
    """All processes by pid that are not too old.

    Not one moment's picture: they come and go while it is read. So it looks again for those that came meanwhile, until
    none did: of a program that moves on from process to process, one may be gone before it is read, and the next had
    not begun when the look did. What is known to be older is not even looked at, which makes a look cost what is new
    on the machine and not what is there.

    Args:
        since: when they started at the earliest, in clock ticks since boot.
        note: is told of each at once; what is asked later may have no answer any more.
    """
    known = _births.copy()
    seen: dict[int, tuple[int, int]] = {}
    table: dict[int, Entry] = {}
    for _ in range(_LOOKS):
        new = [(pid, node) for pid, node in _folders() if pid not in seen or seen[pid][0] != node]
        for pid, node in new:
            birth = known.get(pid, (0, since))
            if birth[0] == node and birth[1] < since:
                seen[pid] = birth
            elif (entry := read_entry(pid)) is not None:
                seen[pid] = (node, entry.start_time)
                if entry.start_time >= since:
                    table[pid] = entry
                    note(entry)
        if not new:
            break
    _remember(seen)
    return table


_births: dict[int, tuple[int, int]] = {}
"""When processes started that were there at the last look: by pid, with the inode of their folder. A pid that was given
away since has another folder, so another inode; and a process never changes when it started."""


def _remember(seen: dict[int, tuple[int, int]]) -> None:
    """Replace what is known. Looks of several threads may do so at the same time: whoever is last, it is true."""
    global _births  # noqa: PLW0603 - a cache of facts about this machine
    _births = seen


def _folders() -> list[tuple[int, int]]:
    """The pid of each process, and the inode of its folder."""
    with os.scandir("/proc") as folders:
        return [(int(folder.name), folder.inode()) for folder in folders if folder.name.isdecimal()]


def user_of(pid: int) -> int | None:
    """Whose process it is by its real, effective and saved id alike; None when they differ, or it is gone."""
    for line in _read(f"/proc/{pid}/status").splitlines():
        if line.startswith(b"Uid:"):
            ids = set(line.split()[1:4])
            return int(ids.pop()) if len(ids) == 1 else None
    return None


def environment_value(pid: int, name: str) -> str | None:
    """A variable of the environment a process was started with; None when it has none or hides it."""
    prefix = f"{name}=".encode()
    for variable in _environment(pid).split(b"\0"):
        if variable.startswith(prefix):
            return variable[len(prefix) :].decode(errors="replace")
    return None


def _environment(pid: int) -> bytes:
    """Looks again for a moment while the process executes a new program: so long, its environment is empty."""
    path = f"/proc/{pid}/environ"
    for _ in range(_EXEC_LOOKS):
        if text := _read(path):
            return text
        if not _in_exec(pid):
            break  # it is really empty, or the exec was over between the two looks
        time.sleep(_EXEC_PAUSE)  # no event tells when an exec is over
    return _read(path)


def _in_exec(pid: int) -> bool:
    """It has memory, as kernel threads and zombies have not, but no arguments in it yet."""
    fields = _stat(pid)
    return bool(fields) and fields[20] != b"0" and not _read(f"/proc/{pid}/cmdline")


@cache
def boot_id() -> str:
    """What distinguishes this boot of the machine from every other."""
    return _read("/proc/sys/kernel/random/boot_id").decode().strip()


@contextmanager
def pinned(entry: Entry) -> Iterator[int | None]:
    """A pidfd of exactly this process; None when it is gone, even if another has its pid by now."""
    descriptor = _open_pidfd(entry.pid)
    if descriptor is None:
        yield None
        return
    try:
        # Only now, with the pid's owner held, does comparing prove anything.
        yield descriptor if read_entry(entry.pid) == entry else None
    finally:
        os.close(descriptor)


def _open_pidfd(pid: int) -> int | None:
    with suppress(ProcessLookupError):
        return os.pidfd_open(pid)
    return None


def _stat(pid: int) -> list[bytes]:
    """The fields of its stat file from the third, its state, on; none when it is gone."""
    # The second field is the program's name in brackets, and a name may hold brackets and blanks itself.
    return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()


def _read(path: str) -> bytes:
    """A file of /proc; nothing when its process is gone or belongs to somebody else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
    try:
        return b"".join(iter(lambda: os.read(descriptor, _CHUNK), b""))
    except (ProcessLookupError, PermissionError):
        return b""
    finally:
        os.close(descriptor)
