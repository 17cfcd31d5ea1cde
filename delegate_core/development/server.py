"""Development servers: an embedded control plane with the real one's interface, and the commands that steer it.

A backend brings the server (`DevelopmentServer`); the core runs it beside a small control interface of its own, which
``delegate submit``, ``cancel``, ``logs`` and ``status`` talk to. Address and token of the running one are in a file
that only its user can read.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import platformdirs

from delegate_core.errors import DelegateError
from delegate_core.model import JsonValue

__all__ = ["Address", "DevelopmentServer", "ServerTask", "SubmissionError", "address_file"]


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

    def follow(self, task_id: str) -> AsyncIterator[str]:
        """The lines of a task's log, those to come too, until its end.

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


@dataclass(frozen=True, slots=True)
class Address:
    """Where the control interface of a running development server is."""

    url: str
    token: str
    backend: str
    pid: int

    @classmethod
    def new(cls, url: str, backend: str) -> Address:
        """For a server of this process."""
        return cls(url, secrets.token_urlsafe(24), backend, os.getpid())

    def write(self, file: Path) -> None:
        """Write it for the commands, readable by this user only."""
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            json.dump(asdict(self), opened)

    @classmethod
    def read(cls, file: Path) -> Address:
        """The address of the running server.

        Raises:
            DelegateError: none is running.
        """
        try:
            return cls(**json.loads(file.read_text()))
        except FileNotFoundError:
            text = "no development server is running; start one with: delegate dev --backend harness"
            raise DelegateError(text) from None
        except (OSError, ValueError, TypeError) as error:
            raise DelegateError(f"cannot read {file}: {error}; start `delegate dev` again") from None


def address_file() -> Path:
    """Where the address is kept."""
    return Path(platformdirs.user_state_path("delegate")) / "development.json"
