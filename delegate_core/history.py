"""Looking into a state folder from outside: what a runner has claimed, done and delivered, and what tasks printed.

Works beside a running runner, which is not disturbed: the journal is opened read-only.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from delegate_core.entries import OUTBOX, VERSION, read_entries
from delegate_core.errors import SettingsError, StateError
from delegate_core.logs import LogLine, Spool
from delegate_core.model import Entry
from delegate_core.soundness import is_there
from delegate_core.statefolder import JOURNAL_FILE, LOG_FOLDERS, StateFolder

__all__ = ["History"]

_UNMADE = 0
"""The version of a file in which a runner that is just starting, or was killed then, has not made its tables yet."""


class History:
    """The journal and the logs in a state folder, to read.

    Raises:
        StateError: there is no journal, or it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / JOURNAL_FILE
        if not is_there(self._file):
            raise StateError(f"no journal in {folder}; name the runner's folder with --state-dir, or its --name")

    def entries(self, limit: int) -> list[Entry]:
        """The newest entries, newest first."""
        return self._read("ORDER BY number DESC LIMIT ?", limit)

    def outbox(self) -> list[Entry]:
        """Results that the server has not got, oldest first."""
        return self._read(OUTBOX)

    def find(self, task_id: str) -> Entry:
        """The newest entry of the one task whose id begins so.

        Raises:
            StateError: there is none, or there are several.
            SettingsError: the id is empty.
        """
        if not task_id:
            raise SettingsError("an empty id means no task; see `delegate tasks list`")
        found = self._read("WHERE substr(task_id, 1, ?) = ? ORDER BY number DESC", len(task_id), task_id)
        ids = {entry.task_id for entry in found}
        if task_id in ids or len(ids) == 1:
            return next(entry for entry in found if entry.task_id == task_id or len(ids) == 1)
        if not found:
            raise StateError(f"no task {task_id} in {self._folder}; see `delegate tasks list`")
        raise StateError(f"{task_id} is the beginning of {len(ids)} ids; write more of it")

    def log(self, entry: Entry) -> tuple[int, Iterator[LogLine]]:
        """How many lines of a task's log are missing at its beginning, and the rest."""
        spool = Spool.open(self._folder / LOG_FOLDERS / str(entry.number))
        return spool.dropped.lines, _lines(spool)

    def steps(self, entry: Entry) -> Iterator[tuple[str, int, Iterator[LogLine]]]:
        """The same for each step that has a log of its own, in the order of their first lines."""
        folders = StateFolder(self._folder).streams(entry.number)
        spools = {stream: Spool.open(path) for stream, path in folders.items()}
        for stream in sorted(spools, key=lambda stream: [line.time for line in spools[stream].read(0, 1)]):
            yield stream, spools[stream].dropped.lines, _lines(spools[stream])

    def instance(self) -> str:
        """The random id of this state folder; empty where no runner has finished starting in it."""
        with self._opened() as (journal, version):
            if version == _UNMADE:
                return ""
            found = journal.execute("SELECT value FROM meta WHERE key = 'instance'").fetchone()
        return str(found[0]) if found else ""

    def _read(self, condition: str, *values: object) -> list[Entry]:
        with self._opened() as (journal, version):
            if version == _UNMADE:
                return []
            return read_entries(journal, condition, *values, version=version)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        """The file, to read, and the version of its tables."""
        try:
            with contextlib.closing(sqlite3.connect(f"file:{quote(str(self._file))}?mode=ro", uri=True)) as journal:
                (version,) = journal.execute("PRAGMA user_version").fetchone()
                if version > VERSION:
                    raise StateError(f"the journal {self._file} has version {version}, this program reads {VERSION}")
                yield journal, version
        except (sqlite3.Error, ValueError) as error:
            raise StateError(f"the journal {self._file} cannot be read: {error}") from error


def _lines(spool: Spool) -> Iterator[LogLine]:
    position = spool.first
    while batch := spool.read(position):
        yield from batch
        position = batch[-1].position + 1
