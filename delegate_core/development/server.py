"""What a backend brings: an embedded server of its control plane's interface."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from delegate_core.errors import DelegateError
from delegate_core.model import JsonValue

__all__ = ["DevelopmentServer", "Example", "ServerTask", "SubmissionError"]


class SubmissionError(DelegateError):
    """What was submitted cannot become a task."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class ServerTask:
    """A task as the server sees it. ``outcome`` is empty while it has none."""

    id: str
    type: str
    status: str
    waiting: str = ""
    outcome: str = ""
    error: str = ""
    data: JsonValue = None


@dataclass(frozen=True, slots=True)
class Example:
    """Something of the backend's own that the demonstration shows.

    Attributes:
        title: for people.
        type: the task type.
        text: as `DevelopmentServer.submit` takes it; it makes one task.
        outcomes: the outcomes that are right for it.
        says: words of its error, data or log.
    """

    title: str
    type: str
    text: str
    outcomes: tuple[str, ...]
    says: str = ""


class DevelopmentServer(Protocol):
    """An embedded control plane. Everything runs in the event loop that enters `serve`."""

    def serve(self, port: int) -> AbstractAsyncContextManager[str]:
        """Serve the interface on 127.0.0.1, on a free port if ``port`` is 0; yields the address."""
        ...

    def backend_settings(self) -> Mapping[str, Any]:
        """Settings of the backend with which a runner reaches this server."""
        ...

    def environment(self) -> Mapping[str, str]:
        """The same for people: environment variables to set for a runner of their own."""
        ...

    def task_text(self, task_type: str, data: JsonValue, timeout: float) -> str:
        """The text of a file that submits one task of a type, with a timeout in seconds."""
        ...

    def examples(self) -> Sequence[Example]:
        """What the demonstration shows besides handlers."""
        ...

    def submit(self, text: str, options: Mapping[str, str]) -> list[str]:
        """Make tasks from the text of a file; return their ids.

        Raises:
            SubmissionError: it cannot be understood; the text says where and how to mend it.
        """
        ...

    def cancel(self, task_id: str) -> bool:
        """Cancel a task as a user of the control plane would; False where that is not possible any more.

        Raises:
            KeyError: there is no such task.
        """
        ...

    def tasks(self) -> list[ServerTask]:
        """All tasks that are still known, oldest first."""
        ...

    def task(self, task_id: str) -> ServerTask:
        """One task.

        Raises:
            KeyError: there is no such task.
        """
        ...

    def log(self, task_id: str, *, follow: bool) -> AsyncIterator[str]:
        """The lines of a task's log that are there, and with ``follow`` those to come, until its end.

        Raises:
            KeyError: there is no such task.
        """
        ...

    async def finished(self, task_id: str) -> ServerTask:
        """Wait until a task has its outcome.

        Raises:
            KeyError: there is no such task.
        """
        ...
