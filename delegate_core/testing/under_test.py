"""What a backend's author gives to the contract suite: the server, and a backend for each runner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from delegate_core.model import JsonValue

__all__ = ["BackendUnderTest", "Breakage", "Call", "Recipe", "Verdict"]


class Call(StrEnum):
    """The two calls of a backend whose loss matters most."""

    CLAIM = "claim"
    REPORT = "report"


class Breakage(StrEnum):
    """How a call goes wrong."""

    LOSE_REQUEST = "lose_request"
    """The connection breaks; the server has not seen the call."""
    LOSE_REPLY = "lose_reply"
    """The connection breaks; the call has taken effect."""
    STATUS = "status"
    """The server, or something before it, answers with an error that passes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the server thinks that a task ended.

    Attributes:
        succeeded: its handler did its work.
        data: the result's data, as the server hands it on.
        error: the result's error.
        finals: how many final reports took effect; anything but 1 breaks the promise.
        complaints: what else the server has against the runner: reports that contradict each other, reports for tasks
            that were not its own.
    """

    succeeded: bool
    data: JsonValue = None
    error: str = ""
    finals: int = 1
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """How another process makes a backend for the same server.

    Attributes:
        factory: ``package.module:function``.
        arguments: its keyword arguments; JSON values.
    """

    factory: str
    arguments: dict[str, Any] = field(default_factory=dict)


class BackendUnderTest(Protocol):
    """One running server and the backend for it. Ids, data and errors are the server's own; times are seconds."""

    def backend(self) -> object:
        """A new backend, for a new runner."""

    def recipe(self) -> Recipe | None:
        """The same for a runner in a process of its own; None: the server cannot be reached from there."""

    def submit(
        self, task_type: str, data: JsonValue = None, *, timeout: float = 60.0, masks: Sequence[str] = ()
    ) -> str:
        """Queue a task for whichever runner wants it; return its id."""

    def cancel(self, task_id: str) -> None:
        """Cancel a task, queued or running."""

    def break_calls(self, call: Call, how: Breakage, times: int = 1) -> None:
        """Have the next so many calls of this kind go wrong."""

    def calls(self, call: Call) -> int:
        """How many calls of this kind the server has seen, broken ones included."""

    def runners(self) -> int | None:
        """How many runners are registered; None: this server keeps no list of them."""

    def waiting(self) -> int:
        """How many tasks are queued and not claimed."""

    async def verdict(self, task_id: str) -> Verdict:
        """Wait for the task's end and what the server thinks of it."""

    async def log(self, task_id: str) -> str:
        """Wait until the task's log is complete, and return its lines."""

    async def changed(self) -> None:
        """Wait until anything of the above may have changed."""
