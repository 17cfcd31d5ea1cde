"""The journal's tables, and its rows as entries."""

from __future__ import annotations

import json
import sqlite3

from delegate_core.model import Entry, JsonValue, Phase, SessionIdentity, TaskResult

__all__ = ["MIGRATIONS", "OUTBOX", "SCHEMA", "VERSION", "dump", "read_entries", "sane"]

VERSION = 2

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (key TEXT PRIMARY KEY, identity TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
  number INTEGER PRIMARY KEY, task_id TEXT NOT NULL, type TEXT NOT NULL, session TEXT NOT NULL,
  phase TEXT NOT NULL, offer TEXT, state TEXT, timeout REAL, created REAL NOT NULL, claimed REAL, started REAL,
  finished REAL, delivered REAL, result TEXT, note TEXT NOT NULL DEFAULT '', progressed INTEGER NOT NULL DEFAULT 0,
  log TEXT, tries INTEGER NOT NULL DEFAULT 0, fault TEXT NOT NULL DEFAULT ''
);
CREATE TABLE processes (entry INTEGER NOT NULL, identity TEXT NOT NULL, PRIMARY KEY (entry, identity)) WITHOUT ROWID;
"""

MIGRATIONS = {
    1: """
ALTER TABLE entries ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN fault TEXT NOT NULL DEFAULT '';
""",
}
"""By version, the statements that make the next version of it."""

OUTBOX = "WHERE phase IN ('finished', 'undeliverable') ORDER BY number"
"""The condition of results that the server has not got."""

_ENTRY = (
    "SELECT number, task_id, type, s.identity AS session, phase, offer, state, timeout, created, claimed, started,"
    " finished, delivered, result, note, progressed, log, {} FROM entries e JOIN sessions s ON s.key = e.session"
)

_NEW = {1: "0 AS tries, '' AS fault"}
"""What a version has instead of the columns that came later."""


def read_entries(
    connection: sqlite3.Connection, condition: str, *values: object, version: int = VERSION
) -> list[Entry]:
    """The entries that fulfil an SQL condition, in a file of this version or an older one.

    Raises:
        sqlite3.Error: the file cannot be read.
        ValueError: a row is damaged.
    """
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    query = _ENTRY.format(_NEW.get(version, "tries, fault"))
    return [_entry(row) for row in cursor.execute(f"{query} {condition}", values)]


def dump(value: JsonValue) -> str | None:
    """A value for a column of JSON."""
    return None if value is None else json.dumps(value)


def sane(text: str) -> str:
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
