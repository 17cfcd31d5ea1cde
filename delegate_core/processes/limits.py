"""Limits that the kernel keeps for each process of a start (setrlimit(2))."""

from __future__ import annotations

import math
import resource
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

__all__ = ["Limits"]

_CPU_GRACE = 5
"""Seconds of CPU time from SIGXCPU, which a process may catch, to SIGKILL."""

_OPTIONS = {
    resource.RLIMIT_CPU: "cpu",
    resource.RLIMIT_AS: "as",
    resource.RLIMIT_NPROC: "nproc",
    resource.RLIMIT_FSIZE: "fsize",
}
"""As ``prlimit(1)`` calls them."""


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

    def command(self, program: str) -> list[str]:
        """What a command line begins with that is limited from its first moment, by ``prlimit(1)`` of util-linux."""
        rules = []
        for which, soft, hard in self._rules():
            most = resource.getrlimit(which)[1]
            rules.append(f"--{_OPTIONS[which]}={_least(soft, most)}:{_least(hard, most)}")
        return [program, *rules, "--"] if rules else []

    def set_on(self, pid: int) -> None:
        """Limit a process of the runner's user that has just been started, and what it has started already.

        From outside, for what `command` cannot start: a program that is fast may be done by then. What it starts after
        this inherits it.

        Raises:
            OSError: the system does not allow it: it runs as another user.
        """
        with suppress(ProcessLookupError):  # it may have ended already
            for which, soft, hard in self._rules():
                most = resource.prlimit(pid, which)[1]
                resource.prlimit(pid, which, (_least(soft, most), _least(hard, most)))
            if any(self._rules()):
                for child in _children(pid):
                    self.set_on(child)

    def _rules(self) -> Iterator[tuple[int, int, int]]:
        """Which, soft, hard."""
        if self.cpu_time is not None:
            seconds = math.ceil(self.cpu_time)
            yield resource.RLIMIT_CPU, seconds, seconds + _CPU_GRACE
        for which, bound in (
            (resource.RLIMIT_AS, self.memory),
            (resource.RLIMIT_NPROC, self.processes),
            (resource.RLIMIT_FSIZE, self.file_size),
        ):
            if bound is not None:
                yield which, bound, bound

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


def _least(wanted: int, most: int) -> int:
    """No more than the runner's own hard limit: to raise that is not ours."""
    return wanted if most == resource.RLIM_INFINITY else min(wanted, most)


def _children(pid: int) -> list[int]:
    """What its main thread has started; nothing where the kernel does not say."""
    with suppress(OSError):
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()))
    return []
