"""Group commit: all statements of one turn of the event loop are one transaction, in the order in which they came.

A file that takes nothing at the moment (a full disk, a read-only one) loses nothing: what is to be written waits in
memory and is tried again every second. A file that is damaged takes nothing ever again.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

__all__ = ["Batch", "Commits"]

_RETRY = 1.0
"""Seconds between two tries to write what the disk did not take."""

_PASSING = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_BUSY}
"""Primary result codes after which the same statements may well succeed later."""

_PRIMARY = 0xFF


class Batch:
    """The statements of one commit, and those who wait for it.

    Attributes:
        tried: set once it is committed, has failed, or has to wait for room.
        done: set once it is committed or has failed.
        error: why it has failed for good.
    """

    __slots__ = ("done", "error", "statements", "tried")

    def __init__(self) -> None:
        self.statements: list[tuple[str, tuple[Any, ...]]] = []
        self.tried = asyncio.Event()
        self.done = asyncio.Event()
        self.error: Exception | None = None

    def end(self, error: Exception | None) -> None:
        """Nothing more becomes of it."""
        self.error = error
        self.tried.set()
        self.done.set()


class Commits:
    """Commits batches, one after the other; nothing is ever written behind a gap.

    Args:
        connection: in autocommit mode.
        in_thread: commit in a thread, for commits that wait for the disk.
        told: called in the event loop when there is a new trouble, and with None when it is over.

    Attributes:
        trouble: why nothing can be written at present; None: it can.
        failure: why nothing can be written ever again.
    """

    def __init__(
        self, connection: sqlite3.Connection, *, in_thread: bool, told: Callable[[Exception | None], None]
    ) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, "journal") if in_thread else None
        self._told = told
        self._next: Batch | None = None
        self._queue: deque[Batch] = deque()
        self._running: Future[Exception | None] | None = None
        self.trouble: Exception | None = None
        self.failure: Exception | None = None

    def add(self, sql: str, values: tuple[Any, ...]) -> Batch:
        """Add a statement to the batch of this turn of the loop."""
        if self._next is None:
            self._next = Batch()
            self._queue.append(self._next)
            asyncio.get_running_loop().call_soon(self._turn_over, self._next)
        self._next.statements.append((sql, values))
        return self._next

    def fail(self, error: Exception) -> None:
        """The file turned out to be damaged: write nothing more."""
        if self.failure is None:
            self.failure = error
            self._tell(error)
            self._work()

    def close(self) -> int:
        """Commit what is pending; return how many statements could not be written."""
        if self._thread is not None:
            self._thread.shutdown()
        running, self._running = self._running, None
        if running is not None and running.result() is None:
            self._queue.popleft().end(None)
        while self._queue:
            error = self._execute(self._queue[0])
            if error is not None:
                break
            self._queue.popleft().end(None)
        return sum(len(batch.statements) for batch in self._queue)

    def _turn_over(self, batch: Batch) -> None:
        if batch is self._next:
            self._next = None
        if self.trouble is not None and self.failure is None:
            batch.tried.set()
        else:
            self._work()

    def _work(self) -> None:
        """Commit the first batch, then those behind it."""
        while self._queue and self._running is None and self._queue[0] is not self._next:
            if self._thread is not None:
                self._running = self._thread.submit(self._execute, self._queue[0])
                asyncio.wrap_future(self._running).add_done_callback(self._from_thread)
            elif not self._after(self._execute(self._queue[0])):
                return

    def _from_thread(self, done: asyncio.Future[Exception | None]) -> None:
        if self._running is None:
            return  # closed meanwhile, which has seen to it
        self._running = None
        if self._after(done.result()):
            self._work()

    def _after(self, error: Exception | None) -> bool:
        """See to what became of the first batch. False: it has to wait."""
        if error is None:
            self._queue.popleft().end(None)
            if self.trouble is not None:
                self._tell(None)
            return True
        if not _passing(error):
            if self.failure is None:
                self.failure = error
                self._tell(error)
            while self._queue and self._queue[0] is not self._next:
                self._queue.popleft().end(error)
            return True
        for batch in self._queue:
            batch.tried.set()
        if self.trouble is None:
            self._tell(error)
        asyncio.get_running_loop().call_later(_RETRY, self._work)
        return False

    def _tell(self, error: Exception | None) -> None:
        self.trouble = error
        self._told(error)

    def _execute(self, batch: Batch) -> Exception | None:
        if self.failure is not None:
            return self.failure
        try:
            _run(self._connection, batch.statements)
        except Exception as error:  # noqa: BLE001 - besides sqlite3's own, what it says of values it cannot take
            _roll_back(self._connection)
            return error
        return None


def _passing(error: Exception) -> bool:
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & _PRIMARY in _PASSING


def _run(connection: sqlite3.Connection, statements: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for sql, values in statements:
        connection.execute(sql, values)
    connection.execute("COMMIT")


def _roll_back(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")
