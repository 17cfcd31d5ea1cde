"""Limits that the kernel keeps for each process of a start (setrlimit(2))."""

from __future__ import annotations

import math
import resource
import signal
from dataclasses import dataclass, fields

from delegate_core.processes.rules import Rule

__all__ = ["Limits"]

_CPU_GRACE = 5
"""Seconds of CPU time from SIGXCPU, which a process may catch, to SIGKILL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What each process of a start may take, and each that it starts; None: what the runner may.

    Attributes:
        cpu_time: seconds of computing; then SIGXCPU, and SIGKILL five such seconds later.
        memory: bytes of address space; what asks for more is refused.
        processes: how many processes and threads its *user* may have on this machine when it starts another; the
            kernel asks nothing of root.
        file_size: bytes that a file may have to be written to; then SIGXFSZ, or an error where that is ignored.
    """

    cpu_time: float | None = None
    memory: int | None = None
    processes: int | None = None
    file_size: int | None = None

    def over(self, others: Limits) -> Limits:
        """These, and the others' where there is none of these."""
        mine = {each.name: getattr(self, each.name) for each in fields(self)}
        return Limits(**{name: getattr(others, name) if mine[name] is None else mine[name] for name in mine})

    def rules(self) -> list[Rule]:
        """What the kernel is told of them."""
        rules = []
        if self.cpu_time is not None:
            seconds = math.ceil(self.cpu_time)
            rules.append(Rule(resource.RLIMIT_CPU, "cpu", seconds, seconds + _CPU_GRACE))
        for which, name, bound in (
            (resource.RLIMIT_AS, "as", self.memory),
            (resource.RLIMIT_NPROC, "nproc", self.processes),
            (resource.RLIMIT_FSIZE, "fsize", self.file_size),
        ):
            if bound is not None:
                rules.append(Rule(which, name, bound, bound))
        return rules

    def verdict(self, code: int | None, number: int | None) -> str:
        """Which limit a process met that ended like this, or which it may have met, for a person; empty: none.

        Only two limits show in how a process ends; the others are errors that the program sees, and says in its words.
        """
        if code == 0:
            return ""
        died = number if number is not None else (code or 0) - 128  # as a shell passes on how its command died
        if died == signal.SIGXCPU and self.cpu_time is not None:
            return f"a process of it took more CPU time than it may: {self._said('cpu_time')}"
        if died == signal.SIGXFSZ and self.file_size is not None:
            return f"a process of it wrote a file larger than it may: {self._said('file_size')}"
        set_ = [each.name for each in fields(self) if getattr(self, each.name) is not None]
        return f"its processes are limited, which may be why: {', '.join(map(self._said, set_))}" if set_ else ""

    def _said(self, name: str) -> str:
        """A limit as the settings call it."""
        value = getattr(self, name)
        unit = {"cpu_time": " seconds", "memory": " bytes", "file_size": " bytes"}.get(name, "")
        return f"task_{name} {value:g}{unit}" if isinstance(value, float) else f"task_{name} {value:,}{unit}"
