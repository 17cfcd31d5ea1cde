"""Save what can be read of a damaged journal into a new one. What it was stays beside it, as it was."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from delegate_core.entries import OUTBOX, SCHEMA, VERSION, read_entries
from delegate_core.errors import StateError
from delegate_core.soundness import damage, is_there
from delegate_core.statefolder import JOURNAL_FILE, StateFolder

__all__ = ["Mended", "mend"]

_KEYS: Final = {"meta": ("key",), "sessions": ("key",), "processes": ("entry", "identity"), "entries": ("number",)}
"""The tables, with what orders their rows."""

_COMPANIONS: Final = ("-wal", "-shm")
"""What SQLite has beside the file while it is used, and after a kill."""

_FURTHEST = 10_000
"""Numbers between the readable rows that are asked for one by one."""

_Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mended:
    """What became of a damaged journal.

    Attributes:
        aside: the folder with the damaged file.
        tasks: how many tasks the new one has.
        undelivered: how many of their results the server has not got.
        lost: how many there may have been that cannot be read; None: nobody knows.
    """

    aside: Path
    tasks: int
    undelivered: int
    lost: int | None


def mend(path: Path) -> Mended | None:
    """Put a sound journal in the place of a damaged one in this state folder; None: it is not damaged.

    Raises:
        StateError: there is none, a process has the folder, or the new one cannot be written.
    """
    file = path.absolute() / JOURNAL_FILE
    if not is_there(file):
        raise StateError(f"no journal in {path}; name the runner's folder with --state-dir, or its --name")
    with StateFolder(path):
        if damage(file) is None:
            return None
        _raise_if_newer(file)
        return _mended(file)


def _raise_if_newer(file: Path) -> None:
    """Rows of a newer version would not fit, and would all be lost."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as journal:
            (version,) = journal.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error:
        return  # its very beginning is damaged: nothing can be said of it
    if version > VERSION:
        raise StateError(
            f"the journal {file} has version {version}, this program mends {VERSION}; "
            "use the program that wrote it; nothing was changed"
        )


def _mended(file: Path) -> Mended:
    fresh = Path(f"{file}.mended")
    try:
        aside = _put_aside(file)
        lost = _write(fresh, file)
        undelivered, tasks = _counted(fresh)
        for suffix in _COMPANIONS:  # before the file that they belong to: another would be spoilt by them
            Path(f"{file}{suffix}").unlink(missing_ok=True)
        fresh.replace(file)
    except (OSError, sqlite3.Error) as error:
        raise StateError(f"the journal {file} cannot be mended: {error}; free some disk space if it is full") from error
    return Mended(aside, tasks, undelivered, lost)


def _put_aside(file: Path) -> Path:
    """A folder with copies of the file and of what is beside it, safely on the disk."""
    aside = file.with_name(f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    aside.mkdir(mode=0o700)
    for path in (file, *(Path(f"{file}{suffix}") for suffix in _COMPANIONS)):
        with suppress(FileNotFoundError):
            _copy(path, aside / path.name)
    return aside


def _copy(path: Path, to: Path) -> None:
    with path.open("rb") as source, open(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "wb") as target:  # noqa: PTH123 - a descriptor
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())


def _write(fresh: Path, damaged: Path) -> int | None:
    """Write the new file; how many tasks could not be taken over at the most, if that is known."""
    fresh.unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with (
        closing(sqlite3.connect(f"file:{quote(str(damaged))}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(fresh)) as new,
    ):
        old.row_factory = sqlite3.Row
        new.executescript(f"{SCHEMA} PRAGMA user_version = {VERSION};")
        lost: int | None = 0
        for table, key in _KEYS.items():
            rows, lost = _readable(old, table, key)
            refused = sum(not _insert(new, table, row) for row in rows)
            if lost is not None and table == "entries":
                lost += refused
        unusable = _drop_unusable(new)
        new.commit()
    return None if lost is None else lost + unusable


def _readable(old: sqlite3.Connection, table: str, key: tuple[str, ...]) -> tuple[list[_Row], int | None]:
    """The rows of a table before the damage, behind it, and between two of them; and how many others there may be."""
    select = f"SELECT * FROM {table} ORDER BY "  # noqa: S608 - the names are ours
    first, broken = _until_damage(old, select + ", ".join(key))
    if not broken:
        return first, 0
    last, _ = _until_damage(old, select + ", ".join(f"{each} DESC" for each in key))
    between, failed = _between(old, first, last) if table == "entries" else ([], 0)
    rows = {tuple(row[each] for each in key): row for row in (*first, *between, *last)}
    return list(rows.values()), failed if last else None


def _until_damage(old: sqlite3.Connection, query: str) -> tuple[list[_Row], bool]:
    rows: list[_Row] = []
    try:
        for row in old.execute(query):
            rows.append(dict(row))  # noqa: PERF401 - what comes before the error counts
    except sqlite3.DatabaseError:
        return rows, True
    return rows, False


def _between(old: sqlite3.Connection, first: list[_Row], last: list[_Row]) -> tuple[list[_Row], int]:
    if not first and not last:
        return [], 0
    begin = first[-1]["number"] + 1 if first else max(1, last[-1]["number"] - _FURTHEST)
    end = last[-1]["number"] if last else begin + _FURTHEST
    rows, failed = [], 0
    for number in range(begin, min(end, begin + _FURTHEST)):
        found, broken = _until_damage(old, f"SELECT * FROM entries WHERE number = {number:d}")  # noqa: S608 - a number
        rows += found
        failed += broken
    return rows, failed


def _insert(new: sqlite3.Connection, table: str, row: _Row) -> bool:
    """Insert a row of this version or an older one; what it has not, has its default. False: it is no row at all."""
    names, places = ", ".join(row), ", ".join("?" * len(row))
    with suppress(sqlite3.DatabaseError):  # noise that looks like a row
        done = new.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})", tuple(row.values()))  # noqa: S608 - ours
        return done.rowcount > 0
    return False


def _drop_unusable(new: sqlite3.Connection) -> int:
    """Remove tasks that no runner could read, so that they keep none from starting; how many."""
    unusable = [
        number for (number,) in new.execute("SELECT number FROM entries").fetchall() if not _usable(new, number)
    ]
    new.executemany("DELETE FROM entries WHERE number = ?", [(number,) for number in unusable])
    return len(unusable)


def _usable(new: sqlite3.Connection, number: int) -> bool:
    """Whether it is a task with the session that it was claimed in."""
    try:
        return bool(read_entries(new, "WHERE number = ?", number))
    except (ValueError, TypeError):
        return False


def _counted(fresh: Path) -> tuple[int, int]:
    """How many results are not delivered, and how many tasks there are."""
    with closing(sqlite3.connect(fresh)) as new:
        return len(read_entries(new, OUTBOX)), int(new.execute("SELECT count(*) FROM entries").fetchone()[0])
