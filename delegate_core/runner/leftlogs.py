"""The logs that a dead runner left in their spools: sent by the next start, with a word on where they were cut off."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from delegate_core.logs import CUT_OFF, Mask, Spool, TaskLog
from delegate_core.model import CancelCause, Entry, Phase, Session, Task
from delegate_core.runner.core import Core
from delegate_core.runner.lognotes import LogNotes
from delegate_core.runner.sending import LogSending

__all__ = ["LeftLogs"]

_log = logging.getLogger(__name__)

_LEAD = 1.0
"""Seconds that the result waits for its logs, as that of a running task does."""


@dataclass
class LeftLogs:
    """The logs of one entry that the server is not known to have.

    A spool holds only what was masked, so nothing is masked again. Where a backend stores such logs itself, as one must
    whose server takes them before the end of a step only, its ``open_log`` answers None here.

    Attributes:
        entry: as an earlier life left it.
        session: in which it was claimed.
        task: as far as it is known.
        streams: the spools, by step; the task's own under no name.
    """

    core: Core
    entry: Entry
    session: Session
    task: Task
    streams: Mapping[str, Path]
    _notes: LogNotes = field(init=False)

    def __post_init__(self) -> None:
        self._notes = LogNotes(self.core.journal, self.entry.number)

    async def send(self) -> None:
        """Begin to send them, and wait for that briefly. Never raises for their sake."""
        if self.entry.log is not None:
            return
        sendings = [self._sending(stream, folder) for stream, folder in self._wanted().items()]
        for sending in sendings:
            self.core.spawn(sending.run)
        with anyio.move_on_after(_LEAD):
            for sending in sendings:
                await sending.done.wait()

    @property
    def _is_cut_off(self) -> bool:
        result = self.entry.result
        return self.entry.phase is Phase.STARTED if result is None else result.cause is CancelCause.RESTARTED

    def _wanted(self) -> Mapping[str, Path]:
        """What was cut off before its first line came is still worth a word."""
        if not self._is_cut_off or self.streams:
            return self.streams
        return {"": self.core.folder.log_folder(self.entry.number)}

    def _sending(self, stream: str, folder: Path) -> LogSending:
        log = TaskLog(self._spool(folder), Mask(()))
        if self._is_cut_off and not _ends_so(log.spool):
            log.line(CUT_OFF, level="warn")
        log.close()
        sending = LogSending(self.core, self, log, stream, self._notes.note)
        sending.ended.set()
        return sending

    def _spool(self, folder: Path) -> Spool:
        limit = self.core.settings.log_limit
        try:
            return Spool.open(folder, limit=limit)
        except OSError as error:
            _log.warning("the log in %s cannot be read any more: %s", folder, error.strerror)
            return Spool(folder, limit=limit)


def _ends_so(spool: Spool) -> bool:
    last = spool.read(spool.lines - 1)
    return bool(last) and last[-1].text == CUT_OFF
