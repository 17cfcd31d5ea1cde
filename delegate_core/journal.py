"""The journal: what this runner has claimed, and what it still owes the server.

One SQLite file in WAL mode in the state folder, which one process locks. What is written within one turn of the
event loop is committed together, and a caller awaits that commit before it acts on it. A commit is durable against
``kill -9``; a power failure may cost the last moments unless the journal is opened with ``durable=True`` (fsync at
each commit, in a thread).

No secret value is stored: neither `Task.masks` nor a token. A result that waits for its delivery is stored as it
will be sent; the folder is 0700 and the file 0600.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
import uuid
from collections.abc import Callable
from typing import Any, Self

import anyio
import anyio.to_thread

from delegate_core.commits import Batch, Commits
from delegate_core.entries import MIGRATIONS, OUTBOX, SCHEMA, VERSION, dump, read_entries, sane
from delegate_core.errors import StateError
from delegate_core.model import Delivery, Entry, JsonValue, Offer, Phase, SessionIdentity, Task, TaskResult
from delegate_core.soundness import damage, is_there, raise_if_damaged
from delegate_core.statefolder import JOURNAL_FILE, FileIdentity, StateFolder

__all__ = ["HISTORY", "Journal", "JournalFull"]

_log = logging.getLogger(__name__)

HISTORY = 1000
"""How many delivered tasks are kept for a look back."""


class JournalFull(Exception):
    """The file takes nothing at the moment; the text says why. What was written so far waits for room."""


class Journal:
    """The durable record. Use as a context manager within a running event loop; methods are called from that loop.

    Error handling: a disk that takes nothing for a while loses nothing. What is to be written waits in memory, in its
    order, and is written when there is room again; `trouble` says so meanwhile, and nothing new can be intended. A file
    that is damaged is written no more: `failure` is set, and what was claimed is seen to its end without it. Whoever is
    to know gives a function to `watch`.
    """

    def __init__(
        self,
        folder: StateFolder,
        *,
        durable: bool = False,
        history: int = HISTORY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._path = folder.path / JOURNAL_FILE
        self._durable = durable
        self._history = history
        self._clock = clock
        self._open: sqlite3.Connection | None = None
        self._file: FileIdentity | None = None
        self._commits: Commits | None = None
        self._watcher: Callable[[], object] = lambda: None
        self._sessions: set[str] = set()
        self._with_processes: set[int] = set()
        self._number = 0
        self._settled = 0
        self._examined = True
        """Nothing was written since the last look at the file."""

    def __enter__(self) -> Self:
        """Open the file, or create it.

        Raises:
            StateError: it is corrupt, gone, of a newer version, or cannot be written.
        """
        try:
            self._connect()
            self._create()
            raise_if_damaged(self._connection)
            self._number = self._value("SELECT coalesce(max(number), 0) FROM entries")
        except (sqlite3.Error, OSError) as error:
            self.__exit__()
            raise self._broken(error) from error
        except StateError:
            self.__exit__()
            raise
        self._commits = Commits(self._connection, in_thread=self._durable, told=self._told)
        return self

    def _connect(self) -> None:
        is_there(self._path)  # or may be made
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._file = FileIdentity(self._path)
        self._open = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, cached_statements=64)
        self._open.execute("PRAGMA journal_mode = WAL")
        self._open.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
        self._open.execute("PRAGMA temp_store = MEMORY")

    def _create(self) -> None:
        version = self._value("PRAGMA user_version")
        if version == 0:
            self._connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version < VERSION:
            steps = " ".join(MIGRATIONS[each] for each in range(version, VERSION))
            self._connection.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {VERSION}; COMMIT;")
            _log.info("the journal %s was brought from version %d to %d", self._path, version, VERSION)
        elif version > VERSION:
            raise StateError(
                f"the journal {self._path} has version {version}, this program reads {VERSION}; "
                "use the program that wrote it until nothing is undelivered, or another --state-dir"
            )

    def __exit__(self, *exception: object) -> None:
        """Commit what is pending and close."""
        if self._commits is not None:
            if lost := self._commits.close():
                _log.error("the journal %s did not take its last %d changes", self._path, lost)
            self._commits = None
        if self._open is not None:
            self._open.close()
            self._open = None

    # ------------------------------------------------------------------ trouble

    def watch(self, watcher: Callable[[], object]) -> None:
        """Have a function called whenever `trouble` or `failure` has changed."""
        self._watcher = watcher

    @property
    def trouble(self) -> str:
        """Why nothing can be written at present, for people; empty: it can."""
        error = self._commits.trouble if self._commits is not None else None
        return f"the journal cannot be written: {error}; free some disk space" if error is not None else ""

    @property
    def failure(self) -> StateError | None:
        """Why nothing can be written ever again."""
        error = self._commits.failure if self._commits is not None else None
        return self._broken(error) if error is not None else None

    async def examine(self) -> None:
        """Look whether the file is gone, or damaged if anything was written since the last look; `failure` says so.

        What is written may go to good pages for long, and what is read may be in memory: only who reads the file anew
        learns of a bad page while all that it held is still known.
        """
        if self._commits is None or self.failure is not None:
            return
        if self._file is not None and not self._file.is_there():
            self._commits.fail(sqlite3.DatabaseError("its file is gone"))
        if self._examined or self.failure is not None:
            return
        self._examined = True
        error = await anyio.to_thread.run_sync(
            damage, self._path, limiter=anyio.CapacityLimiter(1), abandon_on_cancel=True
        )
        if error is not None and self._commits is not None:
            self._commits.fail(error)

    def _told(self, error: Exception | None) -> None:
        if error is None:
            _log.warning("the journal is written again")
        else:
            _log.error("%s", self.failure or self.trouble)
        self._watcher()

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            raise StateError("the journal is not open")
        return self._open

    def _value(self, sql: str) -> Any:
        return self._connection.execute(sql).fetchone()[0]

    def _broken(self, error: Exception) -> StateError:
        if self._file is not None and not self._file.is_there():
            return StateError(
                f"the journal {self._path} was removed while a runner had it, or another is in its place; start the "
                "runner again, and leave its state folder to it"
            )
        mend = f"`delegate outbox mend --state-dir {self._folder.path}` saves what can be read, as undelivered results"
        return StateError(
            f"the journal {self._path} cannot be used: {error}; "
            f"free some disk space if it is full; if it is damaged, {mend}"
        )

    # ------------------------------------------------------------------ identity

    def instance(self) -> str:
        """One random id for the life of this state folder."""
        sql = "INSERT INTO meta VALUES ('instance', ?) ON CONFLICT DO NOTHING"
        try:
            self._connection.execute(sql, (str(uuid.uuid4()),))
            return str(self._value("SELECT value FROM meta WHERE key = 'instance'"))
        except sqlite3.Error as error:
            raise self._broken(error) from error

    # ------------------------------------------------------------------ a task's life

    async def intend(self, offer: Offer, session: SessionIdentity) -> int:
        """Record that this offer is about to be claimed; return the entry's number once that is durable.

        Raises:
            JournalFull: it cannot be written now. Nothing of it stays in the journal.
            StateError: nor ever.
        """
        self._know(session)
        self._number += 1
        number = self._number
        batch = self._enqueue(
            "INSERT INTO entries (number, task_id, type, session, phase, offer, created) VALUES (?,?,?,?,'intent',?,?)",
            (number, sane(offer.task_id), sane(offer.type), session.key, dump(offer.detail), self._clock()),
        )
        await batch.tried.wait()
        self._raise_error(batch)
        if not batch.done.is_set():
            self.forget(number)
            raise JournalFull(self.trouble)
        return number

    def _know(self, session: SessionIdentity) -> None:
        if session.key not in self._sessions:
            self._sessions.add(session.key)
            sql = "INSERT INTO sessions VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET identity = excluded.identity"
            self._enqueue(sql, (session.key, session.model_dump_json()))

    def claimed(self, number: int, task: Task) -> None:
        """Record that the server gave us the task. Durable no later than the next write that is awaited."""
        self._enqueue(
            "UPDATE entries SET phase = 'claimed', type = ?, state = ?, timeout = ?, claimed = ? WHERE number = ?",
            (sane(task.type), dump(task.state), task.timeout, self._clock(), number),
        )

    async def started(self, number: int) -> None:
        """Record that the task is about to run: from here on it is never run again. Waits while there is no room.

        Raises:
            StateError: that cannot be recorded any more.
        """
        sql = "UPDATE entries SET phase = 'started', started = ? WHERE number = ?"
        batch = self._enqueue(sql, (self._clock(), number))
        await batch.done.wait()
        self._raise_error(batch)

    async def progressing(self, number: int) -> None:
        """Record that a progress event is about to be sent."""
        await self._write("UPDATE entries SET progressed = 1 WHERE number = ?", number)

    async def state(self, number: int, state: JsonValue) -> None:
        """Record the backend's state of a task."""
        await self._write("UPDATE entries SET state = ? WHERE number = ?", dump(state), number)

    async def process_started(self, number: int, identity: str) -> None:
        """Record the identity (JSON) of a process group that a task has started."""
        self._with_processes.add(number)
        await self._write("INSERT OR IGNORE INTO processes VALUES (?, ?)", number, identity)

    async def process_ended(self, number: int, identity: str) -> None:
        """Forget a process group that is gone."""
        await self._write("DELETE FROM processes WHERE entry = ? AND identity = ?", number, identity)

    async def finished(self, number: int, result: TaskResult) -> None:
        """Record a task's result: from here on it is owed to the server.

        Without room it is not waited for: the server shall have the result although the journal has it not.

        Raises:
            PydanticSerializationError: the result holds what JSON cannot.
        """
        text = result.model_dump_json()
        if number in self._with_processes:
            self._with_processes.discard(number)
            self._enqueue("DELETE FROM processes WHERE entry = ?", (number,))
        await self._write(
            "UPDATE entries SET phase = 'finished', result = ?, finished = ? WHERE number = ?",
            text, self._clock(), number,
        )  # fmt: skip

    def settled(self, number: int, delivery: Delivery) -> None:
        """Record what became of the report: nothing is owed any more, or nothing can be delivered.

        Not awaited: if a crash loses it, the result is delivered again, which backends must bear anyway.
        """
        phase = Phase.UNDELIVERABLE if delivery.kind == "never" else Phase.DELIVERED
        self._enqueue(
            "UPDATE entries SET phase = ?, delivered = ?, note = ? WHERE number = ?",
            (phase.value, self._clock(), sane(delivery.reason), number),
        )
        self._settled += 1
        if self._settled % 128 == 0:
            self._prune()

    def undelivered(self, number: int, fault: str) -> None:
        """Record that a report was tried in vain, and why."""
        self._enqueue("UPDATE entries SET tries = tries + 1, fault = ? WHERE number = ?", (sane(fault), number))

    def owe_again(self, number: int) -> None:
        """Record that a result that could never be delivered is to be tried once more."""
        sql = "UPDATE entries SET phase = 'finished', delivered = NULL, note = '' WHERE number = ? AND phase = ?"
        self._enqueue(sql, (number, Phase.UNDELIVERABLE.value))

    def drop(self, number: int, reason: str) -> None:
        """Record that a result is given up, on somebody's word."""
        self._enqueue(
            "UPDATE entries SET phase = ?, delivered = ?, note = ? WHERE number = ?",
            (Phase.DROPPED.value, self._clock(), sane(reason), number),
        )

    def log_stored(self, number: int, reason: str) -> None:
        """Record that the server has the log, or why it stays in its spool."""
        self._enqueue("UPDATE entries SET log = ? WHERE number = ?", (sane(reason), number))

    def forget(self, number: int) -> None:
        """Remove an entry that turned out not to be ours. Not awaited: a restart would find that out again."""
        self._enqueue("DELETE FROM entries WHERE number = ?", (number,))

    def _prune(self) -> None:
        """Keep the last of the delivered entries; those that can't be delivered stay until somebody looks."""
        sql = (
            "SELECT number FROM entries WHERE phase IN ('delivered', 'dropped') ORDER BY number DESC LIMIT -1 OFFSET ?"
        )
        try:
            rows = self._connection.execute(sql, (self._history,)).fetchall()
        except sqlite3.Error:
            return  # the next write says it
        for (number,) in rows:
            self._enqueue("DELETE FROM entries WHERE number = ?", (number,))
            self._folder.remove_log(number)

    # ------------------------------------------------------------------ reading

    def unfinished(self) -> list[Entry]:
        """What is owed, oldest first: entries neither delivered nor given up."""
        return self._entries("WHERE phase NOT IN ('delivered', 'undeliverable', 'dropped') ORDER BY number")

    def outbox(self) -> list[Entry]:
        """Results that the server has not got, oldest first: those that are owed, and those that were given up."""
        return self._entries(OUTBOX)

    def without_log(self) -> list[Entry]:
        """Delivered tasks of whose log nothing is known, oldest first: the runner died while it was sent."""
        return self._entries("WHERE phase = 'delivered' AND log IS NULL ORDER BY number")

    def with_spare_log(self) -> list[int]:
        """Numbers of delivered tasks whose log the server has, oldest first: what is here of it is a convenience."""
        return [entry.number for entry in self._entries("WHERE phase = 'delivered' AND log = '' ORDER BY number")]

    def recent(self, limit: int = 100) -> list[Entry]:
        """The newest entries of any phase, newest first."""
        return self._entries("ORDER BY number DESC LIMIT ?", limit)

    def processes(self, number: int) -> list[str]:
        """The identities (JSON) of the process groups that a task had started and that are not known to be gone."""
        sql = "SELECT identity FROM processes WHERE entry = ?"
        found = [row[0] for row in self._connection.execute(sql, (number,))]
        if found:
            self._with_processes.add(number)
        return found

    def owed(self) -> int:
        """How many results wait for their delivery."""
        return int(self._value("SELECT count(*) FROM entries WHERE phase = 'finished'"))

    def _entries(self, condition: str, *values: object) -> list[Entry]:
        try:
            return read_entries(self._connection, condition, *values)
        except (sqlite3.Error, ValueError) as error:
            raise self._broken(error) from error

    # ------------------------------------------------------------------ group commit

    async def _write(self, sql: str, *values: Any) -> None:
        """Return once it is committed, or cannot be at present."""
        await self._enqueue(sql, values).tried.wait()

    def _enqueue(self, sql: str, values: tuple[Any, ...]) -> Batch:
        if self._commits is None:
            raise StateError("the journal is not open")
        self._examined = False
        return self._commits.add(sql, values)

    def _raise_error(self, batch: Batch) -> None:
        if batch.error is not None:
            raise self._broken(batch.error) from batch.error
