"""The logs of one execution: its own, and one for each step that it runs."""

from __future__ import annotations

import asyncio
import logging
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from delegate_core.logs import LogLine, Mask, Spool, TaskLog
from delegate_core.runner.advice import Advices
from delegate_core.runner.core import Core
from delegate_core.runner.lognotes import LogNotes
from delegate_core.runner.sending import LogSending

if TYPE_CHECKING:
    from delegate_core.runner.execution import Execution

__all__ = ["StepStream", "Streams"]

_log = logging.getLogger(__name__)

_LEAD = 1.0
"""Seconds that a result waits for its logs: enough for a healthy log service, and no harm with a slow one."""


class Streams:
    """Makes each log at its first use, from any thread; from then on it is being sent.

    All share one mask: what one step was given, another may print.
    """

    def __init__(self, core: Core, execution: Execution) -> None:
        self._core = core
        self._execution = execution
        self._mask: Mask | None = None
        self._open: dict[str, _Open] = {}
        self._notes = LogNotes(core.journal, execution.number)
        self._ended = False
        self._loop = asyncio.get_running_loop()
        self._making = threading.Lock()
        if self.masks:  # lines of the runner's own log must not wait for the first line of the task
            self._mask = self._new_mask()

    @property
    def masks(self) -> bool:
        """Whether there is anything to mask."""
        return self._mask is not None or bool(self._execution.task.masks or self._core.masks)

    @property
    def mask(self) -> Mask:
        """The mask, made at the first use."""
        with self._making:
            if self._mask is None:
                self._mask = self._new_mask()
            return self._mask

    def _new_mask(self) -> Mask:
        # The mask outlives the task, and must not keep the rest of it.
        mask = Mask(self._core.masks, short=partial(_advise, self._core.advice, self._execution.task.id))
        mask.add(*self._execution.task.masks)
        self._core.secrecy.include(mask)
        return mask

    def log(self, stream: str = "") -> TaskLog:
        """The task's own log, or that of a step."""
        mask = self.mask
        with self._making:
            if stream not in self._open:
                self._open[stream] = self._new(stream, mask)
            return self._open[stream].log

    async def finish(self, stream: str) -> None:
        """A step's log is complete: return once it is sent, or given up."""
        opened = self._open.get(stream)
        if opened is not None:
            opened.end()
            if opened.sending is not None:
                await opened.sending.done.wait()

    def end(self) -> None:
        """The task is over: nobody has a log any more."""
        with self._making:
            self._ended = True
            everything = list(self._open.values())
        for opened in everything:
            opened.end()

    async def sent(self) -> None:
        """Wait for the end of the sending, briefly: who sees a result should find the log complete."""
        with anyio.move_on_after(_LEAD):
            for opened in list(self._open.values()):
                if opened.sending is not None:
                    await opened.sending.done.wait()

    def _new(self, stream: str, mask: Mask) -> _Open:
        spool = Spool(self._folder(stream), limit=self._core.settings.log_limit)
        log = TaskLog(spool, mask, on_line=lambda line: self._execution.printed(line, stream))
        if self._ended:
            log.close()  # a thread that has outlived its task has no log any more
            return _Open(log, None)
        sending = LogSending(self._core, self._execution, log, stream, self._notes.note)
        self._loop.call_soon_threadsafe(self._core.spawn, sending.run)
        return _Open(log, sending)

    def _folder(self, stream: str) -> Path:
        number = self._execution.number
        return self._core.folder.stream_folder(number, stream) if stream else self._core.folder.log_folder(number)


class _Open:
    """A log, and what sends it."""

    def __init__(self, log: TaskLog, sending: LogSending | None) -> None:
        self.log = log
        self.sending = sending

    def end(self) -> None:
        if self.sending is not None:
            self.sending.ended.set()
        self.log.close()


class StepStream:
    """A step's log as its handler has it in hand; see `delegate_core.handlers.LogStream`."""

    def __init__(self, streams: Streams, name: str) -> None:
        self._streams = streams
        self._name = name

    def write(self, data: bytes | str, *, level: str = "info") -> None:
        """Print output as it comes."""
        self._streams.log(self._name).write(data, level=level)

    def line(self, text: str, *, level: str = "info") -> None:
        """Print a whole line."""
        self._streams.log(self._name).line(text, level=level)

    async def finish(self) -> None:
        """Nothing more will be printed: wait until the server has the log, or it is given up.

        A step that printed nothing has an empty log, not none.
        """
        self._streams.log(self._name)
        await self._streams.finish(self._name)


def _advise(advice: Advices, task: str, warning: str) -> None:
    """Of a secret of the task that shows although it should not."""
    _log.warning("task %s: %s", task, warning)
    advice.give("not hidden", f"{warning} (task {task})", "give that secret a longer value")


def printed_line(line: LogLine, stream: str) -> str:
    """A line with its step's name, for where only the last line of a task is shown."""
    return f"{stream}: {line.text}" if stream else line.text
