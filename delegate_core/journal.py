"""The journal: what this runner has claimed, and what it still owes the server.

One SQLite file in WAL mode in the state folder, which one process locks. What is written within one turn of the
event loop is committed together, and a caller awaits that commit before it acts on it. A commit is durable against
``kill -9``; a power failure may cost the last moments unless the journal is opened with ``durable=True`` (fsync at
each commit, in a thread).

No secret value is stored: neither `Task.masks` nor a token. A result that waits for its delivery is stored as it
will be sent; the folder is 0700 and the file 0600.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from delegate_core.errors import StateError
from delegate_core.model import Delivery, Entry, JsonValue, Offer, Phase, SessionIdentity, Task, TaskResult

__all__ = ["HISTORY", "Journal", "StateFolder"]

VERSION = 1
HISTORY = 1000
"""How many delivered tasks are kept for a look back."""

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (key TEXT PRIMARY KEY, identity TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
  number INTEGER PRIMARY KEY, task_id TEXT NOT NULL, type TEXT NOT NULL, session TEXT NOT NULL,
  phase TEXT NOT NULL, offer TEXT, state TEXT, timeout REAL, created REAL NOT NULL, claimed REAL, started REAL,
  finished REAL, delivered REAL, result TEXT, note TEXT NOT NULL DEFAULT '', progressed INTEGER NOT NULL DEFAULT 0,
  log TEXT
);
CREATE INDEX owed ON entries (phase) WHERE phase NOT IN ('delivered', 'undeliverable');
CREATE TABLE processes (entry INTEGER NOT NULL, identity TEXT NOT NULL, PRIMARY KEY (entry, identity)) WITHOUT ROWID;
"""

_ENTRY = (
    "SELECT number, task_id, type, s.identity AS session, phase, offer, state, timeout, created, claimed, started,"
    " finished, delivered, result, note, progressed, log FROM entries e JOIN sessions s ON s.key = e.session"
)
_SETTLED = ("delivered", "undeliverable")


class StateFolder:
    """A folder that one process owns: the journal, the tasks' folders and their logs.

    Use as a context manager: entering creates and locks it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Create and lock the folder.

        Raises:
            StateError: another process has it, or it cannot be created.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.chmod(0o700)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(
                f"cannot use the state folder {self.path}: {error.strerror}; choose another with --state-dir"
            ) from error
        self._take_lock(self._lock)
        return self

    def _take_lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            self.__exit__()
            raise StateError(
                f"the state folder {self.path} is in use by process {owner}; "
                "stop that runner, or give this one another --name or --state-dir"
            ) from None
        except OSError as error:
            self.__exit__()
            raise StateError(
                f"cannot lock the state folder {self.path}: {error.strerror}; choose another with --state-dir"
            ) from error

    def __exit__(self, *exception: object) -> None:
        """Unlock the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def task_folder(self, number: int) -> Path:
        """Where the task of a journal entry may work. Not created here."""
        return self.path / "tasks" / str(number)

    def log_folder(self, number: int) -> Path:
        """Where the log of a journal entry is spooled. Not created here."""
        return self.path / "logs" / str(number)

    def remove_task(self, number: int) -> None:
        """Delete a task's folder and all in it."""
        shutil.rmtree(self.task_folder(number), ignore_errors=True)

    def remove_log(self, number: int) -> None:
        """Delete a task's spooled log."""
        shutil.rmtree(self.log_folder(number), ignore_errors=True)


class _Batch:
    """The statements of one commit, and those who wait for it."""

    __slots__ = ("done", "error", "statements")

    def __init__(self) -> None:
        self.statements: list[tuple[str, tuple[Any, ...]]] = []
        self.done = asyncio.Event()
        self.error: Exception | None = None


class Journal:
    """The durable record. Use as a context manager within a running event loop; methods are called from that loop.

    Error handling: the first commit that fails is the last one. What it held is lost, so nothing may be written behind
    it: every later write raises the same `StateError`, and the file stays what it was before.
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
        self._path = folder.path / "journal.sqlite"
        self._durable = durable
        self._history = history
        self._clock = clock
        self._open: sqlite3.Connection | None = None
        self._failure: Exception | None = None
        self._batch: _Batch | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._sessions: set[str] = set()
        self._number = 0
        self._settled = 0

    def __enter__(self) -> Self:
        """Open the file, or create it.

        Raises:
            StateError: it is corrupt, of a newer version, or cannot be written.
        """
        try:
            self._connect()
            self._create()
            self._number = self._value("SELECT coalesce(max(number), 0) FROM entries")
        except (sqlite3.Error, OSError) as error:
            self.__exit__()
            raise self._broken(error) from error
        except StateError:
            self.__exit__()
            raise
        if self._durable:
            self._thread = ThreadPoolExecutor(1, "journal")
        return self

    def _connect(self) -> None:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._open = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, cached_statements=64)
        self._open.execute("PRAGMA journal_mode = WAL")
        self._open.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
        self._open.execute("PRAGMA temp_store = MEMORY")

    def _create(self) -> None:
        version = self._value("PRAGMA user_version")
        if version == 0:
            self._connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version != VERSION:
            raise StateError(
                f"the journal {self._path} has version {version}, this program reads {VERSION}; "
                "use the program that wrote it until nothing is undelivered, or another --state-dir"
            )

    def __exit__(self, *exception: object) -> None:
        """Commit what is pending and close."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
        if self._batch is not None:
            self._commit_now(self._batch)
            self._batch = None
        if self._open is not None:
            self._open.close()
            self._open = None

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            raise StateError("the journal is not open")
        return self._open

    def _value(self, sql: str) -> Any:
        return self._connection.execute(sql).fetchone()[0]

    def _broken(self, error: Exception) -> StateError:
        return StateError(
            f"the journal {self._path} cannot be used: {error}; "
            "free some disk space if it is full; if it is damaged, move it away and keep it, for it names the tasks "
            "whose results were not delivered"
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
        """Record that this offer is about to be claimed; return the entry's number once that is durable."""
        self._know(session)
        self._number += 1
        number = self._number
        await self._write(
            "INSERT INTO entries (number, task_id, type, session, phase, offer, created) VALUES (?,?,?,?,'intent',?,?)",
            number, _text(offer.task_id), _text(offer.type), session.key, _dump(offer.detail), self._clock(),
        )  # fmt: skip
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
            (_text(task.type), _dump(task.state), task.timeout, self._clock(), number),
        )

    async def started(self, number: int) -> None:
        """Record that the task is about to run: from here on it is never run again."""
        await self._write("UPDATE entries SET phase = 'started', started = ? WHERE number = ?", self._clock(), number)

    async def progressing(self, number: int) -> None:
        """Record that a progress event is about to be sent."""
        await self._write("UPDATE entries SET progressed = 1 WHERE number = ?", number)

    async def state(self, number: int, state: JsonValue) -> None:
        """Record the backend's state of a task."""
        await self._write("UPDATE entries SET state = ? WHERE number = ?", _dump(state), number)

    async def process_started(self, number: int, identity: str) -> None:
        """Record the identity (JSON) of a process group that a task has started."""
        await self._write("INSERT OR IGNORE INTO processes VALUES (?, ?)", number, identity)

    async def process_ended(self, number: int, identity: str) -> None:
        """Forget a process group that is gone."""
        await self._write("DELETE FROM processes WHERE entry = ? AND identity = ?", number, identity)

    async def finished(self, number: int, result: TaskResult) -> None:
        """Record a task's result: from here on it is owed to the server.

        Raises:
            PydanticSerializationError: the result holds what JSON cannot.
        """
        text = result.model_dump_json()
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
            (phase.value, self._clock(), _text(delivery.reason), number),
        )
        self._settled += 1
        if self._settled % 128 == 0:
            self._prune()

    def log_stored(self, number: int, reason: str) -> None:
        """Record that the server has the log, or why it stays in its spool."""
        self._enqueue("UPDATE entries SET log = ? WHERE number = ?", (_text(reason), number))

    def forget(self, number: int) -> None:
        """Remove an entry that turned out not to be ours. Not awaited: a restart would find that out again."""
        self._enqueue("DELETE FROM entries WHERE number = ?", (number,))

    def _prune(self) -> None:
        """Keep the last of the delivered entries; those that can't be delivered stay until somebody looks."""
        sql = "SELECT number FROM entries WHERE phase = 'delivered' ORDER BY number DESC LIMIT -1 OFFSET ?"
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
        return self._entries(f"{_ENTRY} WHERE phase NOT IN {_SETTLED} ORDER BY number")

    def recent(self, limit: int = 100) -> list[Entry]:
        """The newest entries of any phase, newest first."""
        return self._entries(f"{_ENTRY} ORDER BY number DESC LIMIT {int(limit)}")

    def processes(self, number: int) -> list[str]:
        """The identities (JSON) of the process groups that a task had started and that are not known to be gone."""
        sql = "SELECT identity FROM processes WHERE entry = ?"
        return [row[0] for row in self._connection.execute(sql, (number,))]

    def owed(self) -> int:
        """How many results wait for their delivery."""
        return int(self._value("SELECT count(*) FROM entries WHERE phase = 'finished'"))

    def _entries(self, sql: str) -> list[Entry]:
        try:
            cursor = self._connection.cursor()
            cursor.row_factory = sqlite3.Row
            return [_entry(row) for row in cursor.execute(sql)]
        except (sqlite3.Error, ValueError) as error:
            raise self._broken(error) from error

    # ------------------------------------------------------------------ group commit

    async def _write(self, sql: str, *values: Any) -> None:
        batch = self._enqueue(sql, values)
        await batch.done.wait()
        if batch.error is not None:
            raise self._broken(batch.error) from batch.error

    def _enqueue(self, sql: str, values: tuple[Any, ...]) -> _Batch:
        batch = self._batch
        if batch is None:
            batch = self._batch = _Batch()
            asyncio.get_running_loop().call_soon(self._commit, batch)
        batch.statements.append((sql, values))
        return batch

    def _commit(self, batch: _Batch) -> None:
        if batch is not self._batch:
            return  # closing has committed it already
        self._batch = None
        if self._thread is None:
            self._commit_now(batch)
        else:
            # One thread keeps the order of the batches.
            done = asyncio.get_running_loop().run_in_executor(self._thread, self._execute, batch)
            done.add_done_callback(lambda _: batch.done.set())

    def _commit_now(self, batch: _Batch) -> None:
        self._execute(batch)
        batch.done.set()

    def _execute(self, batch: _Batch) -> None:
        if self._failure is None:
            try:
                _run(self._connection, batch.statements)
            except Exception as error:  # noqa: BLE001 - besides sqlite3's own, what it says of values it cannot take
                self._failure = error
                _roll_back(self._connection)
        batch.error = self._failure


def _run(connection: sqlite3.Connection, statements: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for sql, values in statements:
        connection.execute(sql, values)
    connection.execute("COMMIT")


def _roll_back(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _dump(value: JsonValue) -> str | None:
    return None if value is None else json.dumps(value)


def _text(text: str) -> str:
    """A text that the file can hold: half a surrogate pair, as a server may send it, would fail the whole commit."""
    return text.encode("utf-8", "backslashreplace").decode()


def _load(text: str | None) -> JsonValue:
    value: JsonValue = None if text is None else json.loads(text)
    return value


def _entry(row: sqlite3.Row) -> Entry:
    given = dict(row)
    result = given.pop("result")
    return Entry(
        **{
            **given,
            "session": SessionIdentity.model_validate_json(given["session"]),
            "phase": Phase(given["phase"]),
            "offer": _load(given["offer"]),
            "state": _load(given["state"]),
            "progressed": bool(given["progressed"]),
        },
        result=TaskResult.model_validate_json(result) if result else None,
    )
