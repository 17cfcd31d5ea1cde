"""A brand that every process of a start bears, and that none sheds by accident.

A daemon leaves its session, loses its parent and clears its environment by a mere ``env -i setsid daemon &``. What it
keeps of the process that forked it are its resource limits, through every exec; and one of these limits nothing: that
of file locks, which Linux takes, keeps, shows and has not heeded since 2.4.25 (getrlimit(2)). So its two numbers, which
are unlimited otherwise, tell whose process it is. Among processes of one user it takes no right to set or read them.

What a program does to shed it, it does on purpose.
"""

import os
import resource
from contextlib import suppress
from functools import cache, lru_cache
from hashlib import blake2b
from pathlib import Path

from delegate_core.processes.rules import Rule

__all__ = ["brand", "brand_of", "numbers_of"]

_LOCKS = 10
"""RLIMIT_LOCKS, which Python's `resource` does not name, of Linux on every architecture."""

_BITS = 60
"""Of a number that stands for a mark: enough that no two starts of a machine ever have the same."""


def brand(mark: str, within: str | None) -> list[Rule]:
    """The rule that brands a process: softly with its own mark, hard with the one that it shares.

    The hard one can only be lowered: what a step starts that is itself a runner keeps the outer runner's. There is
    none where the system refuses to set this limit, as some sandboxes do: a start must not fail for a brand.
    """
    if not _may_be_set():
        return []
    nested = resource.getrlimit(_LOCKS)[1] != resource.RLIM_INFINITY
    return [Rule(_LOCKS, "locks", _own(mark), None if within is None or nested else _shared(within))]


@cache
def _may_be_set() -> bool:
    """Asked by setting what is set already."""
    try:
        resource.setrlimit(_LOCKS, resource.getrlimit(_LOCKS))
    except (OSError, ValueError):
        return False
    return True


def brand_of(pid: int) -> frozenset[int]:
    """The numbers that a process bears; none when it is gone, or is another user's whom the runner may not end."""
    try:
        return frozenset(resource.prlimit(pid, _LOCKS)) - {resource.RLIM_INFINITY}
    except PermissionError:
        return _shown(pid)
    except OSError:
        return frozenset()


def _shown(pid: int) -> frozenset[int]:
    """As /proc shows them to everybody: to ask for another user's takes a right that even root may lack."""
    with suppress(OSError):
        os.kill(pid, 0)
        for line in Path(f"/proc/{pid}/limits").read_text("ascii").splitlines():
            if line.startswith("Max file locks"):
                return frozenset(int(word) for word in line.split() if word.isdecimal())
    return frozenset()


def numbers_of(mark: str) -> frozenset[int]:
    """What a process bears that was started with this mark, or within it."""
    return frozenset({_own(mark), _shared(mark)})


def _own(mark: str) -> int:
    return 1 << _BITS | _digest(mark)


def _shared(mark: str) -> int:
    """Larger than any own one, as a hard limit has to be."""
    return 2 << _BITS | _digest(mark)


@lru_cache(maxsize=1024)
def _digest(mark: str) -> int:
    return int.from_bytes(blake2b(mark.encode(), digest_size=8).digest()) & ((1 << _BITS) - 1)
