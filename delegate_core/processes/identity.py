"""The name of a process that stays true: a pid alone is given to another process sooner or later."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Self

from pydantic import TypeAdapter

from delegate_core.processes.table import boot_id, read_entry

__all__ = ["MARK_VARIABLE", "ProcessIdentity", "checked_mark"]

MARK_VARIABLE = "DELEGATE_PROCESS_MARK"
"""The environment variable that a started process and its descendants carry."""

_MARK = re.compile(r"[0-9A-Za-z_-]{8,64}")


def checked_mark(mark: str) -> str:
    """The mark itself.

    Raises:
        ValueError: it is too short to be unique, or has signs that a list of marks cannot carry.
    """
    if not _MARK.fullmatch(mark):
        raise ValueError(f"process mark {mark!r}: use 8 to 64 letters, digits, '-' and '_', such as a UUID's hex")
    return mark


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process, told apart from every other that ever had its pid.

    Attributes:
        pid: its process id, which is also the id of its group and session.
        start_time: when it started, in clock ticks since boot, exactly as the kernel says it.
        boot_id: the boot of the machine in which it lived.
        mark: what its environment and that of its descendants carries.
    """

    pid: int
    start_time: int
    boot_id: str
    mark: str

    def __post_init__(self) -> None:
        checked_mark(self.mark)
        if self.pid <= 1:
            raise ValueError(f"process identity with pid {self.pid}: no process of ours has it")

    @classmethod
    def of(cls, pid: int, mark: str) -> Self:
        """The identity of the process that has this pid now.

        Raises:
            ProcessLookupError: there is none.
        """
        entry = read_entry(pid)
        if entry is None:
            raise ProcessLookupError(f"no process {pid}")
        return cls(pid, entry.start_time, boot_id(), mark)

    def alive(self) -> bool:
        """Whether this very process still runs; one that exited and was not yet reaped does not."""
        if self.boot_id != boot_id():
            return False
        entry = read_entry(self.pid)
        return entry is not None and entry.start_time == self.start_time and not entry.dead

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads: pid and start_time as numbers, boot_id and mark as texts."""
        return asdict(self)

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "ProcessIdentity":
        """The identity that `to_json` wrote.

        Raises:
            ValueError: the value is none; pydantic's `ValidationError`, which names what is wrong.
        """
        return _adapter().validate_python(dict(value))


@cache
def _adapter() -> TypeAdapter[ProcessIdentity]:
    return TypeAdapter(ProcessIdentity)
