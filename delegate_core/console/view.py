"""What the live view shows: one frozen value, so that drawing it is a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from delegate_core.console.events import LogEvent, TaskFinished

if TYPE_CHECKING:
    from delegate_core.runner.snapshot import Snapshot

__all__ = ["View"]


@dataclass(frozen=True, slots=True)
class View:
    """A runner at one moment, and what it has lately done.

    Args:
        backend: name of the control plane's plugin.
        snapshot: the runner's own picture of itself.
        recent: finished tasks, the latest first.
        records: warnings and errors of the runner's log, the latest last.
    """

    backend: str
    snapshot: Snapshot
    recent: tuple[TaskFinished, ...] = ()
    records: tuple[LogEvent, ...] = ()
