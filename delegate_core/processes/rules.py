"""Rules of the kernel for a process, which whatever it forks inherits (setrlimit(2)), and how to set them."""

from __future__ import annotations

import resource
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Rule", "set_on"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One limit.

    Attributes:
        which: its number.
        name: as ``prlimit(1)`` calls it.
        soft: what holds.
        hard: to what the process itself may raise it; None: as it is.
    """

    which: int
    name: str
    soft: int
    hard: int | None

    def option(self) -> str:
        """What has ``prlimit(1)`` of util-linux set it on itself, and so on the program that it becomes."""
        soft, hard = self.under(resource.getrlimit(self.which)[1])
        return f"--{self.name}={soft}:" if self.hard is None else f"--{self.name}={soft}:{hard}"

    def under(self, most: int) -> tuple[int, int]:
        """Soft and hard, for what has this hard limit now: to raise that is not ours."""
        return _least(self.soft, most), most if self.hard is None else _least(self.hard, most)


def set_on(pid: int, rules: Iterable[Rule]) -> None:
    """Set them on a process of the runner's user that has just been started, and on what it has started already.

    From outside: a program that is fast may be done by then. What it starts after this inherits them.

    Raises:
        OSError: the system does not allow it: it runs as another user.
    """
    rules = list(rules)
    with suppress(ProcessLookupError):  # it may have ended already
        for rule in rules:
            resource.prlimit(pid, rule.which, rule.under(resource.prlimit(pid, rule.which)[1]))
        for child in _children(pid) if rules else []:
            set_on(child, rules)


def _least(wanted: int, most: int) -> int:
    return wanted if most == resource.RLIM_INFINITY else min(wanted, most)


def _children(pid: int) -> list[int]:
    """What its main thread has started; nothing where the kernel does not say."""
    with suppress(OSError):
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()))
    return []
