"""The operator's command after a task that a crash of the runner ended: run by the next start.

Its output goes to the runner's own log: the task's log belongs to the life that is over.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import anyio
import anyio.to_thread

from delegate_core.engines.engine import Engine, EngineError
from delegate_core.handlers import LogStream, TaskContext
from delegate_core.logs import LogLine, Mask, Spool, TaskLog
from delegate_core.model import Entry, Event, Task, TaskResult
from delegate_core.processes import ProcessIdentity
from delegate_core.runner.core import Core
from delegate_core.settings.secretfrom import SecretUnavailable

__all__ = ["command_after_crash"]

_log = logging.getLogger(__name__)


async def command_after_crash(core: Core, entry: Entry, task: Task, result: TaskResult) -> None:
    """Run it, in a new folder of the task's; what goes wrong with it is in the runner's log.

    It may be run a second time, where the runner dies once more before the result is journaled.
    """
    if not core.commands.has_after:
        return
    context = TaskContext(task, _Left(core, entry), grace=core.settings.grace)
    began = entry.started or entry.created
    try:
        await core.commands.after(context, result, max(0.0, time.time() - began), within=float("inf"))
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(core.folder.remove_task, entry.number)


class _Left:
    """What is left of the surroundings of a task whose runner has died."""

    def __init__(self, core: Core, entry: Entry) -> None:
        self._core = core
        self._entry = entry
        self.mask = Mask(core.masks)
        spool = Spool(core.folder.task_folder(entry.number) / "after", limit=core.settings.log_limit)
        self.log = TaskLog(spool, self.mask, on_line=self._printed)

    def _printed(self, line: LogLine) -> None:
        _log.info("task %s: after_task: %s", self._entry.task_id, line.text)

    @property
    def mark(self) -> str:
        return f"{self._core.instance}-{self._entry.number}"

    def folder(self) -> Path:
        folder = self._core.folder.task_folder(self._entry.number)
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        return folder

    def variables(self, _step: str) -> Mapping[str, str]:
        return {}

    async def process_started(self, identity: ProcessIdentity) -> None:
        await self._core.journal.process_started(self._entry.number, json.dumps(identity.to_json()))

    async def process_ended(self, identity: ProcessIdentity) -> None:
        await self._core.journal.process_ended(self._entry.number, json.dumps(identity.to_json()))

    async def progress(self, event: Event) -> None:
        """Nobody is told: the task is over."""

    def stream(self, name: str) -> LogStream:
        self._gone(f"step {name!r}")

    def engine(self, name: str) -> Engine:
        raise EngineError(f"the task is over, and its engine {name!r} with it")

    async def secret(self, name: str) -> str:
        raise SecretUnavailable(f"the task is over, and its secret {name!r} with it")

    def _gone(self, what: str) -> NoReturn:
        raise RuntimeError(f"the task is over, and its {what} with it")
