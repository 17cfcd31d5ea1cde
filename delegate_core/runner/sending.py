"""Sending a task's log to the server, beside the task and behind it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

import anyio

from delegate_core.backoff import Backoff
from delegate_core.cancellation import raise_if_cancelled
from delegate_core.logs import LogSink, Stored, TaskLog
from delegate_core.model import Session, Task
from delegate_core.runner.calls import Fault, describe, until_answered
from delegate_core.runner.core import Core

__all__ = ["LogSending"]

_log = logging.getLogger(__name__)

_PATIENCE = 60.0
"""Seconds after a task's end in which its log may still be opened and uploaded."""

_UPLOADS = 3
"""Tries of the final upload."""


class Owner(Protocol):
    """Whose log it is."""

    @property
    def session(self) -> Session:
        """In which the task was claimed."""

    @property
    def task(self) -> Task:
        """As it is now."""


class LogSending:
    """Opens a sink when a task prints its first line, pumps its batches, and uploads what is to stay.

    Error handling: nothing here touches the task or its result. A service that fails is tried again while the task (or
    the step) runs and for a minute behind it; then the log stays in its spool, and the journal says why it is only
    there.

    Args:
        stream: the step whose log it is; empty: the task's own.
        note: takes what became of it; None where the backend keeps no log of it.
    """

    def __init__(
        self, core: Core, owner: Owner, log: TaskLog, stream: str, note: Callable[[str, Stored | None], None]
    ) -> None:
        self._core = core
        self._owner = owner
        self._spooled = log
        self._stream = stream
        self._take_note = note
        self.ended = asyncio.Event()
        self.done = asyncio.Event()

    async def run(self) -> None:
        """Send all of it, or give up."""
        self._core.logs_open += 1
        try:
            self._note(await self._within_patience())
        except Exception:  # noqa: BLE001 - a log is never a reason to end a task or the runner
            _log.exception("%s is not sent any more", self._title)
        finally:
            self._core.logs_open -= 1
            self.done.set()
            self._core.change()

    async def _within_patience(self) -> Stored | None:
        stored: Stored | None = Stored(False, f"the log service did not take it within {_PATIENCE:.0f}s")
        async with anyio.create_task_group() as group:
            group.start_soon(self._lose_patience, group.cancel_scope)
            stored = await self._send()
            group.cancel_scope.cancel()
        return stored

    async def _lose_patience(self, scope: anyio.CancelScope) -> None:
        await self.ended.wait()
        await anyio.sleep(_PATIENCE)
        scope.cancel()

    async def _send(self) -> Stored | None:
        """None: the backend keeps no logs."""
        core, owner = self._core, self._owner
        sink = await until_answered(
            lambda: core.backend.open_log(owner.session, owner.task, self._stream),
            self._title,
            interrupted=lambda interrupt: core.interrupted(interrupt, owner.session),
        )
        if sink is None:
            return None
        await self._spooled.pump(sink)
        return await self._upload(sink)

    async def _upload(self, sink: LogSink) -> Stored:
        backoff = Backoff()
        while True:
            try:
                return await sink.finish(self._spooled.spool)
            except Fault as error:
                raise_if_cancelled()
                if backoff.tries + 1 >= _UPLOADS:
                    return Stored(False, describe(error))
                delay = backoff.next()
                _log.warning("upload of %s: %s", self._title, describe(error))
            await anyio.sleep(delay)

    @property
    def _title(self) -> str:
        task = self._owner.task.id
        return f"the log of step {self._stream!r} of task {task}" if self._stream else f"the log of task {task}"

    def _note(self, stored: Stored | None) -> None:
        self._take_note(self._stream, stored)
        if stored is not None and not stored.stored:
            _log.warning("%s stays on this machine: %s", self._title, stored.reason)
