"""``/status.json``: a runner's state for programs. Its schema is versioned: fields are added, never changed.

Times are seconds since 1970, durations and ages seconds; null where nothing has happened yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version

from pydantic import BaseModel, ConfigDict

from delegate_core.console.view import Rates
from delegate_core.model import StepReport
from delegate_core.runner.readiness import readiness, waiting
from delegate_core.runner.snapshot import Snapshot
from delegate_core.status.activity import Activity, ShownTask

__all__ = ["SCHEMA_VERSION", "StatusReport", "report"]

SCHEMA_VERSION = 1

_LONGEST_LINE = 500
"""Characters of a task's last line."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class AdvicePart(_Part):
    """Something to see to: what it is about, what there is, and what to do."""

    about: str
    text: str
    cure: str


class RunnerPart(_Part):
    """The runner as a whole. ``reason`` says why it is in its ``state``.

    ``drain_left`` are the seconds that are left of a drain under way, ``problems`` the plugins that were left out,
    ``advice`` is what somebody should see to before it hurts.
    """

    name: str
    version: str
    backend: str
    session: str
    state: str
    reason: str
    uptime: float
    drain_left: float | None = None
    problems: tuple[str, ...] = ()
    advice: tuple[AdvicePart, ...] = ()


class ConnectionPart(_Part):
    """The connection to the control plane. ``trouble`` is the last fault, empty when all is well."""

    since_contact: float | None
    since_poll: float | None
    since_heartbeat: float | None
    trouble: str


class StandingPart(_Part):
    """How it stands: a word of `delegate_core.runner.standing.WORDS`, why, and for how many seconds it has been so."""

    word: str
    reason: str
    since: float | None


class MaintenancePart(_Part):
    """Since when, why and by whom it is in maintenance, and when that ends by itself; null: when it is ended."""

    message: str
    by: str
    since: float
    until: float | None


class SlotsPart(_Part):
    """The slots. ``holds`` are the reasons why nothing is taken at present."""

    capacity: int
    used: int
    holds: tuple[str, ...]


class TotalsPart(_Part):
    """What has happened since the start; ``finished`` counts by outcome, ``backlog`` is not delivered yet."""

    claimed: int
    finished: dict[str, int]
    delivered: int
    undeliverable: int
    backlog: int
    logs_open: int
    abandoned_threads: int


class StepPart(_Part):
    """A step of a pipeline. ``status`` is the pipeline's own word."""

    number: int
    name: str
    status: str
    exit_code: int
    error: str
    started: float | None
    stopped: float | None
    depends_on: tuple[str, ...]


class TaskPart(_Part):
    """A task; ``title`` is what the backend calls it, ``outcome`` is empty while it has none, ``lines`` are counted.

    Its data is not here: it may hold secrets.
    """

    id: str
    type: str
    title: str
    claimed: float | None
    started: float | None
    finished: float | None
    timeout: float | None
    cancelling: bool
    outcome: str
    error: str
    cause: str
    lines: int
    last_line: str
    steps: tuple[StepPart, ...]


class RatesPart(_Part):
    """What happened in each of the last intervals that are over, the latest last.

    ``interval`` are the seconds of one, ``number`` is that of the latest; ``failed`` counts tasks that failed, timed
    out or were rejected, ``pickup`` are mean seconds from offer to start, null where nothing was picked up.
    """

    interval: float
    number: int
    finished: tuple[int, ...]
    failed: tuple[int, ...]
    pickup: tuple[float | None, ...]
    log_bytes: tuple[int, ...]


class StatusReport(_Part):
    """All of it."""

    schema_version: int = SCHEMA_VERSION
    time: float
    runner: RunnerPart
    ready: bool
    ready_reason: str
    waiting: str
    standing: StandingPart = StandingPart(word="", reason="", since=None)
    maintenance: MaintenancePart | None = None
    connection: ConnectionPart
    slots: SlotsPart
    totals: TotalsPart
    running: tuple[TaskPart, ...]
    recent: tuple[TaskPart, ...]
    rates: RatesPart | None = None


def report(now: float, backend: str, snapshot: Snapshot, activity: Activity, rates: Rates) -> StatusReport:
    """A runner's state at this moment, as `Runner.snapshot` and what was observed tell it."""
    ready = readiness(snapshot)
    return StatusReport(
        time=now,
        runner=RunnerPart(
            name=snapshot.name,
            version=version("delegate-core"),
            backend=backend,
            session=snapshot.session,
            state=snapshot.state,
            reason=snapshot.reason,
            uptime=snapshot.uptime,
            drain_left=snapshot.drain_left,
            problems=snapshot.problems,
            advice=tuple(AdvicePart(about=one.about, text=one.text, cure=one.cure) for one in snapshot.advice),
        ),
        ready=ready.ready,
        ready_reason=ready.reason,
        waiting=waiting(snapshot),
        standing=StandingPart(
            word=snapshot.standing.word, reason=snapshot.standing.reason, since=snapshot.standing.since
        ),
        maintenance=MaintenancePart(**snapshot.maintenance.model_dump()) if snapshot.maintenance else None,
        connection=ConnectionPart(
            since_contact=snapshot.since_contact,
            since_poll=snapshot.since_poll,
            since_heartbeat=snapshot.since_heartbeat,
            trouble=snapshot.trouble,
        ),
        slots=SlotsPart(capacity=snapshot.capacity, used=snapshot.used, holds=snapshot.holds),
        totals=TotalsPart(
            claimed=snapshot.claimed,
            finished=snapshot.finished,
            delivered=snapshot.delivered,
            undeliverable=snapshot.undeliverable,
            backlog=snapshot.backlog,
            logs_open=snapshot.logs_open,
            abandoned_threads=snapshot.abandoned_threads,
        ),
        running=tuple(_running(snapshot, activity)),
        recent=tuple(_task(task) for task in activity.recent()),
        rates=RatesPart(**asdict(rates)),
    )


def _running(snapshot: Snapshot, activity: Activity) -> Iterable[TaskPart]:
    known = {task.id: task for task in activity.running()}
    for one in snapshot.running:
        shown = known.get(one.id) or ShownTask(one.id, one.type)
        yield _task(shown, timeout=one.timeout, cancelling=one.cancelling, last_line=one.last_line)


def _task(
    task: ShownTask, *, timeout: float | None = None, cancelling: bool = False, last_line: str | None = None
) -> TaskPart:
    if last_line is None:
        last_line = task.tail[-1].text if task.tail else ""
    return TaskPart(
        id=task.id,
        type=task.type,
        title=task.title,
        claimed=task.claimed,
        started=task.started,
        finished=task.finished,
        timeout=timeout,
        cancelling=cancelling,
        outcome=task.outcome,
        error=task.error,
        cause=task.cause,
        lines=task.lines,
        last_line=last_line[:_LONGEST_LINE],
        steps=tuple(_step(step) for _, step in sorted(task.steps.items())),
    )


def _step(step: StepReport) -> StepPart:
    return StepPart(
        number=step.number,
        name=step.name,
        status=step.status,
        exit_code=step.exit_code,
        error=step.error,
        started=step.started,
        stopped=step.stopped,
        depends_on=tuple(step.detail.get("depends_on") or ()),
    )
