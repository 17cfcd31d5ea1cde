"""What the embedded manager keeps: accounts, delegates, tasks and what happened to each."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = [
    "Account",
    "Delegate",
    "DelegateStatus",
    "Outcome",
    "Result",
    "ResultCode",
    "Submission",
    "TaskEvent",
    "TaskRecord",
    "TaskStatus",
    "Token",
    "TokenState",
    "Verdict",
]

HISTORY_LIMIT = 1_000
"""Events kept for one task; a client that repeats itself for ever must not fill the memory."""


class TokenState(StrEnum):
    """Whether a delegate token opens the account's door."""

    ACTIVE = "ACTIVE"
    REVOKED = "REVOKED"


@dataclass(frozen=True, slots=True)
class Token:
    """A delegate token: its name, its key (32 hexadecimal digits) and whether it is in force."""

    name: str
    secret: str = field(repr=False)
    state: TokenState = TokenState.ACTIVE


@dataclass(slots=True)
class Account:
    """One account: the key it was made with, its tokens, and whether it still lives here.

    A new account has one token, named ``default_token``, with the value of the account key.
    """

    account_id: str
    secret: str = field(repr=False)
    tokens: dict[str, Token] = field(default_factory=dict)
    deleted: bool = False
    moved_to: str | None = None
    """Address of the cluster the account moved to: registration then answers MIGRATE."""
    deleted_groups: set[str] = field(default_factory=set)


class DelegateStatus(StrEnum):
    """What a heartbeat is told about its delegate."""

    ENABLED = "ENABLED"
    DELETED = "DELETED"


@dataclass(slots=True)
class Delegate:
    """One registered delegate; times are seconds of the manager's clock."""

    delegate_id: str
    account_id: str
    name: str
    host_name: str
    ip: str
    ng: bool
    delegate_type: str
    group: str = ""
    immutable: bool = False
    task_types: frozenset[str] = frozenset()
    selectors: frozenset[str] = frozenset()
    """Name, host name and group tags, trimmed and in lower case."""
    status: DelegateStatus = DelegateStatus.ENABLED
    connected: bool = True
    last_heartbeat: float = 0.0
    connection_id: str | None = None
    capacity: int | None = None
    aborts: list[str] = field(default_factory=list)
    """Task ids whose abort the next poll lists, once."""

    @property
    def available(self) -> bool:
        """Whether tasks may be assigned to it now."""
        return self.connected and self.status is DelegateStatus.ENABLED


@dataclass(frozen=True, slots=True)
class Submission:
    """A task to create.

    Attributes:
        type: Task type, which a delegate must have registered.
        data: The task's parameters.
        timeout_ms: Time until the task expires, counted anew from its assignment.
        sync: A caller waits for it: listed first, never aborted.
        selectors: All must be present on the delegate (name, host name or group tags).
        runner_response: Ask for the result in the runner form.
        secrets: Clear values the delegate must mask in the task's output.
        abstractions: Ordered names and values that make up the log key.
        account_id: None means the embedded manager's own account.
    """

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    timeout_ms: int = 600_000
    sync: bool = False
    selectors: tuple[str, ...] = ()
    runner_response: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)
    abstractions: Mapping[str, str] = field(default_factory=dict)
    account_id: str | None = None


class TaskStatus(StrEnum):
    """The manager's states of a task; FINISHED stands for its deleted row."""

    QUEUED = "QUEUED"
    STARTED = "STARTED"
    ABORTED = "ABORTED"
    FINISHED = "FINISHED"


class Verdict(StrEnum):
    """How a task ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    """The delegate said so, in a form that can."""
    ABORTED = "aborted"
    EXPIRED = "expired"
    """Started, and no answer came in time."""
    NOT_ASSIGNED = "not assigned"
    NOT_ELIGIBLE = "not eligible"
    DISCONNECTED = "disconnected"
    """Its delegate fell silent, left, or (an immutable one) registered anew."""


class ResultCode(StrEnum):
    """Codes of both result forms."""

    OK = "OK"
    FAILED = "FAILED"
    RETRY_ON_OTHER_DELEGATE = "RETRY_ON_OTHER_DELEGATE"
    TIMEOUT = "TIMEOUT"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Result:
    """A result as a delegate sent it.

    ``form`` is ``legacy``, ``runner`` or ``v2``; ``sender`` the delegate (or runner) id of the call.
    """

    code: ResultCode
    data: Any
    form: str
    sender: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The one final word on a task; ``result`` is None where no delegate's answer ended it."""

    verdict: Verdict
    message: str
    at: float
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """One thing that happened to a task.

    ``kind`` is one of: created, offered, acquired, re-acquired, refused, aborted, abort listed, requeued,
    unclaimed (a result from somebody who did not hold the task), duplicate, conflict (a duplicate
    with another code), late (a result after the manager ended the task itself), and the verdict that
    finished it. A list of its offers would grow with every poll, so only the first to each delegate is here.
    """

    kind: str
    at: float
    delegate_id: str | None = None
    instance_id: str | None = None
    result: Result | None = None


@dataclass(slots=True)
class TaskRecord:
    """One task and its history; times are seconds of the manager's clock."""

    task_id: str
    account_id: str
    spec: Submission
    selectors: frozenset[str]
    created: float
    expiry: float
    status: TaskStatus = TaskStatus.QUEUED
    delegate_id: str | None = None
    instance_id: str | None = None
    frozen_eligible: frozenset[str] | None = None
    """Delegates eligible when it was created, where the manager is strict; None: asked at each poll."""
    tried: set[str] = field(default_factory=set)
    broadcast_to: set[str] = field(default_factory=set)
    round: int = 0
    next_broadcast: float = 0.0
    offered_to: dict[str, int] = field(default_factory=dict)
    """How often each delegate was shown the task."""
    history: deque[TaskEvent] = field(default_factory=lambda: deque(maxlen=HISTORY_LIMIT))
    outcome: Outcome | None = None

    @property
    def finished(self) -> bool:
        """Whether the final outcome is known."""
        return self.outcome is not None

    @property
    def log_key(self) -> str:
        """The base log key: abstractions in their order, ``name:value`` joined by slashes."""
        return "/".join(f"{name}:{value}" for name, value in self.spec.abstractions.items())

    def events(self, kind: str) -> list[TaskEvent]:
        """The events of one kind, oldest first."""
        return [event for event in self.history if event.kind == kind]
