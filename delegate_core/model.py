"""The values that pass between the core, a backend and a handler. All are frozen; times are seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, JsonValue

__all__ = [
    "LOG_KEPT_HERE",
    "Attempts",
    "CancelCause",
    "Card",
    "Credentials",
    "Delivery",
    "Ended",
    "Entry",
    "Event",
    "Finish",
    "Forget",
    "Gap",
    "JsonValue",
    "Offer",
    "Outcome",
    "OwnExecutable",
    "Phase",
    "Registration",
    "Run",
    "SecretTask",
    "Session",
    "SessionIdentity",
    "Settled",
    "StageStarted",
    "StepEnded",
    "StepReport",
    "StepStarted",
    "Task",
    "TaskCancelled",
    "TaskResult",
    "Touch",
    "with_event",
]


LOG_KEPT_HERE = "kept here"
"""What `Entry.log` says where the server keeps no log of the task."""


class Outcome(StrEnum):
    """How a task ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class CancelCause(StrEnum):
    """Who ended a task before it was done."""

    SERVER = "server"
    OPERATOR = "operator"
    STOPPED = "stopped"
    RESTARTED = "restarted"


class Frozen(BaseModel):
    """A value that crosses a boundary."""

    model_config = ConfigDict(frozen=True)


class TaskResult(Frozen):
    """What a task came to. A handler may return one instead of plain data.

    ``error`` is for a person; it is masked before it leaves. ``cause`` is set for cancelled tasks and for those
    that a crash of the runner ended.
    """

    outcome: Outcome
    data: JsonValue = None
    error: str = ""
    cause: CancelCause | None = None

    @classmethod
    def succeeded(cls, data: JsonValue = None) -> TaskResult:
        """The handler did its work; ``data`` is its answer."""
        return cls(outcome=Outcome.SUCCEEDED, data=data)

    @classmethod
    def failed(cls, error: str, data: JsonValue = None) -> TaskResult:
        """The handler ran and failed."""
        return cls(outcome=Outcome.FAILED, error=error, data=data)

    @classmethod
    def timed_out(cls, after: float) -> TaskResult:
        """The deadline passed ``after`` seconds from the start."""
        return cls(outcome=Outcome.TIMED_OUT, error=f"timed out after {round(after, 3):.10g}s")

    @classmethod
    def rejected(cls, reason: str) -> TaskResult:
        """The task was claimed but must not or cannot run here. Nothing was executed."""
        return cls(outcome=Outcome.REJECTED, error=f"rejected: {reason}")

    @classmethod
    def cancelled(cls, cause: CancelCause) -> TaskResult:
        """The task was ended before it was done."""
        return cls(outcome=Outcome.CANCELLED, error=_CANCEL_TEXTS[cause], cause=cause)

    @classmethod
    def lost_in_crash(cls) -> TaskResult:
        """The runner died while the task ran; it is never run twice."""
        cause = CancelCause.RESTARTED
        return cls(outcome=Outcome.FAILED, error=_CANCEL_TEXTS[cause], cause=cause)


_CANCEL_TEXTS = {
    CancelCause.SERVER: "aborted",
    CancelCause.OPERATOR: "cancelled by the operator",
    CancelCause.STOPPED: "runner stopped",
    CancelCause.RESTARTED: "runner restarted",
}


class OwnExecutable(Frozen):
    """An executable that a task brings itself, for a type that no handler serves. Whoever wrote the task wrote that.

    Args:
        config: where it comes from and how it is called, in the form of go-task's CGI driver; read when it is needed.
        driver: what it speaks: ``cgi``, or empty for the same.
        trust: what the operator allows: ``none`` of them, the ``verified`` ones, which a sha256 or a commit names, or
            ``any``, whoever answers at the address. Never what the task says.
        answer: what the result's data is: the whole ``response``, as go-task has it, or its ``body``.
    """

    config: JsonValue = Field(None, repr=False)
    driver: str = ""
    trust: Literal["none", "verified", "any"] = "none"
    answer: Literal["response", "body"] = "response"


class SecretTask(Frozen):
    """A task whose result is a secret, for the data of the task that it belongs to: ``${{secrets.ID}}``.

    Its handler answers ``{"value": "the secret"}``. Its data may name the secrets of those before it.
    """

    id: str = Field(min_length=1)
    type: str
    data: JsonValue = Field(None, repr=False)
    executable: OwnExecutable | None = None


class Task(Frozen):
    """One claimed unit of work.

    Args:
        id: the server's id.
        type: the task type; chooses the handler.
        data: the handler's input, any JSON value.
        title: what people call it, such as ``octo/hello #8 test``; no secret is in it.
        about: what it belongs to, such as ``{"repository": "octo/hello", "build": "8"}``, for traces; no secret either.
        timeout: seconds that the server grants from the claim on; None if it names none.
        masks: values that must never be shown. They are not journaled and not part of a repr.
        secrets: tasks to be run before it, each of which gives a secret to its data.
        executable: what it brings to be executed itself where no handler serves its type.
        state: opaque JSON of the backend: the core stores it and never reads it. No token may be in it.
    """

    id: str
    type: str
    data: JsonValue = None
    title: str = ""
    about: Mapping[str, str] = Field(default_factory=dict)
    timeout: float | None = None
    masks: tuple[str, ...] = Field(default=(), repr=False)
    secrets: tuple[SecretTask, ...] = ()
    executable: OwnExecutable | None = None
    state: JsonValue = None


class SessionIdentity(Frozen):
    """What makes a session findable again after a restart. Journaled; no token is in it.

    ``server`` and ``account`` say whose tasks these are, ``runner_id`` is what the server calls us.
    """

    server: str
    account: str
    runner_id: str
    details: JsonValue = None

    @property
    def key(self) -> str:
        """A text that is equal for equal sessions."""
        return f"{self.server}|{self.account}|{self.runner_id}"


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What a runner says of itself when it registers.

    Args:
        name: the runner's name, unique on its host.
        instance: one random id per state folder: the same after a restart.
        task_types: the types that its handlers serve, sorted.
        tags: labels that tasks may ask for.
        capacity: number of slots.
        address: where a ``Moved`` sent us, else None: the backend's own endpoint.
    """

    name: str
    instance: str
    task_types: tuple[str, ...]
    tags: tuple[str, ...]
    capacity: int
    address: str | None = None


class Credentials:
    """What proves who we are. A backend derives its own; none shows itself in a repr."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class Session:
    """The connection to one control plane, made by ``register``. A backend derives its own.

    Args:
        identity: see `SessionIdentity`.
        heartbeat_interval: seconds between two calls of the ``heartbeat`` hook; None for no heartbeats.
        description: for people: ``account acme at https://manager.example``.
        wanted: for people: what it asks the server for, ``exec on linux/amd64``, where that is more than "any task".
    """

    def __init__(
        self,
        identity: SessionIdentity,
        *,
        heartbeat_interval: float | None = None,
        description: str = "",
        wanted: str = "",
    ) -> None:
        self.identity = identity
        self.wanted = wanted
        self.heartbeat_interval = heartbeat_interval
        self.description = description or f"{identity.account} at {identity.server}"

    async def aclose(self) -> None:
        """Close the session's connections."""


class Settled(StrEnum):
    """What became of an offer."""

    CLAIMED = "claimed"
    GONE = "gone"
    VETOED = "vetoed"
    NO_ROOM = "no_room"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Offer:
    """A task that the server would give us. ``detail`` belongs to the backend and is journaled with the intent."""

    task_id: str
    type: str
    detail: JsonValue = None
    settled: Any = field(default=None, repr=False, compare=False)
    """Called by a claim as soon as the server has answered, where more work follows (see ``claim``)."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A claim's answer: the task is ours, but must be ended with this result instead of being run."""

    task: Task
    result: TaskResult


class Delivery(Frozen):
    """What became of a report. ``gone``: the server ended the task elsewhere. ``never``: it can't be delivered."""

    kind: Literal["delivered", "gone", "never"] = "delivered"
    reason: str = ""


class Attempts(Protocol):
    """How a backend that tries a report again by itself has that seen and hurried, as the core's own attempts are."""

    def failed(self, reason: str) -> None:
        """Count an attempt in vain: ``delegate outbox list`` shows how many there were, and the last reason."""

    async def pause(self, seconds: float) -> None:
        """Wait before the next one; ``delegate outbox retry`` ends that at once."""


class Phase(StrEnum):
    """How far a journal entry has come."""

    INTENT = "intent"
    CLAIMED = "claimed"
    STARTED = "started"
    FINISHED = "finished"
    DELIVERED = "delivered"
    UNDELIVERABLE = "undeliverable"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Entry:
    """A task as the journal knows it. Times are unix seconds, or None where it has not come so far."""

    number: int
    task_id: str
    type: str
    session: SessionIdentity
    phase: Phase
    offer: JsonValue
    state: JsonValue
    timeout: float | None
    created: float
    claimed: float | None = None
    started: float | None = None
    finished: float | None = None
    delivered: float | None = None
    result: TaskResult | None = None
    note: str = ""
    progressed: bool = False
    """A progress event was sent, or was about to be, before the crash."""
    tries: int = 0
    """How often its report was tried in vain."""
    fault: str = ""
    """What went wrong at the last of these tries."""
    log: str | None = None
    """None: nothing is known of it; "": the server has it; `LOG_KEPT_HERE`; else why the server has it not."""
    streams: Mapping[str, Path] = field(default_factory=dict, compare=False)
    """For `recover`: the spools of what it had printed, by step, its own under ""; read by ``Spool.open``."""


@dataclass(frozen=True, slots=True)
class Run:
    """A recovery's answer: nothing of it has run yet; run this."""

    task: Task


@dataclass(frozen=True, slots=True)
class Finish:
    """A recovery's answer: report this result; ``task`` where it was claimed anew, with the state that came with it."""

    result: TaskResult
    task: Task | None = None


@dataclass(frozen=True, slots=True)
class Forget:
    """A recovery's answer: it is not ours any more; nothing is to be reported."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step as the server is told of it. ``number`` counts from 1; ``status`` is the pipeline's own word."""

    number: int
    name: str
    status: str
    exit_code: int = 0
    error: str = ""
    started: float | None = None
    stopped: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StageStarted:
    """The task's steps are known and it begins."""

    steps: tuple[StepReport, ...]


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step begins."""

    step: StepReport


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step is over and its log is finished."""

    step: StepReport


@dataclass(frozen=True, slots=True)
class Card:
    """A step's card, between the end of its log and its ``StepEnded``."""

    step: StepReport
    schema: str
    data: JsonValue


@dataclass(frozen=True, slots=True)
class Touch:
    """Nothing new: asks the server whether the task is still alive there."""


Event = StageStarted | StepStarted | StepEnded | Card | Touch


def with_event(steps: Mapping[int, StepReport], event: Event) -> dict[int, StepReport]:
    """A task's steps by number, as they stand after an event."""
    match event:
        case StageStarted(started):
            return {step.number: step for step in started}
        case StepStarted(step) | StepEnded(step):
            return {**steps, step.number: step}
        case _:
            return dict(steps)


@dataclass(frozen=True, slots=True)
class TaskCancelled:
    """``watch`` found that the server wants the task to end."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """``watch`` was deaf for a while: a cancellation may have been missed."""
