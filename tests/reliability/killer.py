"""A plugin for ``delegate run --plugin tests.reliability.killer``: it ends its process at a commit of the journal.

It looks on from outside: Python's audit hook hands over the journal's connection when that is opened, and the
connection tells of each statement before it runs. Nothing of the runner is replaced, and nothing in the runner knows.

``KILL_AT`` in the environment is ``WHAT NUMBER before`` or ``WHAT NUMBER after``: the commit that holds the statement
WHAT for the so-manieth time, before it is made, or when it is durable and nobody has acted on it yet. Without it
nothing is killed. ``KILL_LOG`` names a file that gets a line for each commit: what it holds.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import sys
from collections import Counter

from delegate_core import hookimpl

STATEMENTS = {
    "session": r"INSERT INTO sessions",
    "intent": r"INSERT INTO entries",
    "claimed": r"UPDATE entries SET phase = 'claimed'",
    "started": r"UPDATE entries SET phase = 'started'",
    "progressing": r"UPDATE entries SET progressed",
    "state": r"UPDATE entries SET state",
    "process": r"INSERT OR IGNORE INTO processes",
    "process-gone": r"DELETE FROM processes WHERE entry = \d+ AND",
    "finished": r"UPDATE entries SET phase = 'finished'",
    "settled": r"UPDATE entries SET phase = '(delivered|undeliverable)'",
    "log": r"UPDATE entries SET log",
    "forgotten": r"DELETE FROM entries",
}


class _Observer:
    """Follows one connection's transactions."""

    def __init__(self, kill_at: str, log: str) -> None:
        what, number, when = kill_at.split() if kill_at else ("", "0", "")
        self._point, self._when = (what, int(number)), when
        self._log = log
        self._seen: Counter[str] = Counter()
        self._batch: list[tuple[str, int]] = []

    def statement(self, sql: str) -> None:
        """A statement is about to run."""
        if sql.startswith("BEGIN"):
            self._batch.clear()
        elif sql.startswith("COMMIT"):
            self._committing()
        else:
            for what, pattern in STATEMENTS.items():
                if re.match(pattern, sql):
                    self._seen[what] += 1
                    self._batch.append((what, self._seen[what]))

    def _committing(self) -> None:
        if self._log and self._batch:
            with open(self._log, "a", encoding="utf-8") as log:  # noqa: PTH123 - at each commit, so cheaply
                log.write(" ".join(f"{what}:{number}" for what, number in self._batch) + "\n")
        if self._point not in self._batch:
            return
        if self._when == "before":
            _kill()
        # Those who wait for the commit are woken by callbacks of the loop that come behind this one.
        asyncio.get_running_loop().call_soon(_kill)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


_observer = _Observer(os.environ.get("KILL_AT", ""), os.environ.get("KILL_LOG", ""))


_connections: list[sqlite3.Connection] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event == "sqlite3.connect/handle" and isinstance(arguments[0], sqlite3.Connection):
        _connections.append(arguments[0])


sys.addaudithook(_audit)


@hookimpl
def runner_state(state: str) -> None:
    """The journal is open by now; when the hook is told of a connection, it is not yet."""
    if state == "registering":
        for connection in _connections:
            connection.set_trace_callback(_observer.statement)
