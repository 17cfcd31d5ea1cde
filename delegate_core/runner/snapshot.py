"""What a runner is doing, at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field

from delegate_core.maintenance import Maintenance
from delegate_core.model import StepReport
from delegate_core.runner.advice import Advice
from delegate_core.runner.standing import Standing

__all__ = ["RunningTask", "Snapshot"]


@dataclass(frozen=True, slots=True)
class RunningTask:
    """A task without a result. ``elapsed`` and ``timeout`` are seconds; ``elapsed`` is None before it started.

    ``title`` is what the backend calls it, ``steps`` are those of a pipeline as they stand.
    """

    id: str
    type: str
    elapsed: float | None
    timeout: float
    last_line: str
    cancelling: bool
    title: str = ""
    steps: tuple[StepReport, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A runner at one moment. Ages and durations are seconds; None where nothing has happened yet."""

    name: str
    state: str
    reason: str
    session: str
    capacity: int
    used: int
    uptime: float
    since_heartbeat: float | None
    since_poll: float | None
    since_contact: float | None
    ready: bool
    trouble: str
    holds: tuple[str, ...]
    running: tuple[RunningTask, ...]
    polls: int
    claimed: int
    finished: dict[str, int]
    delivered: int
    undeliverable: int
    backlog: int
    abandoned_threads: int
    logs_open: int
    obstacles: tuple[str, ...] = ()
    """What of this machine keeps it from its work."""
    standing: Standing = field(default_factory=Standing)
    """How it stands, in a word."""
    maintenance: Maintenance | None = None
    drain_left: float | None = None
    """Seconds that are left of a drain; None where none is under way."""
    problems: tuple[str, ...] = ()
    """Plugins that were left out, and why."""
    advice: tuple[Advice, ...] = ()
    """What somebody should see to before it hurts."""
