"""Whether a journal's file is damaged, before somebody stumbles over the page that is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from delegate_core.errors import StateError

__all__ = ["damage", "is_there", "raise_if_damaged"]


def is_there(file: Path) -> bool:
    """Whether there is a journal.

    Raises:
        StateError: it cannot be looked at; or it is gone and what SQLite had beside it is not: a new one would be the
            end of what that holds.
    """
    beside = file.with_name(f"{file.name}-wal")
    try:
        there, bereft = file.is_file(), not file.exists() and beside.exists()
    except OSError as error:
        denied = isinstance(error, PermissionError)
        cure = "call as the user whose runner it is" if denied else "name another with --state-dir, or --name"
        raise StateError(f"cannot look at the journal {file}: {error.strerror}; {cure}") from None
    if bereft:
        raise StateError(
            f"the journal {file} is gone, and {beside.name} with its last changes is still there; put the file back "
            f"beside it, or remove {beside} to begin anew: what was claimed before, the server ends by its own rules"
        )
    return there


def damage(file: Path) -> Exception | None:
    """What is wrong with the file, read anew from its disk; None: nothing, or it cannot be read at this moment.

    Blocks for as long as it takes to read the whole of it. Disturbs nobody who writes to it meanwhile.
    """
    if not file.exists():
        return sqlite3.DatabaseError("its file is gone")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as connection:
            raise_if_damaged(connection)
    except sqlite3.OperationalError:
        return None  # of the disk, or of another process: whoever writes will meet it
    except sqlite3.DatabaseError as error:
        return error
    return None


def raise_if_damaged(connection: sqlite3.Connection) -> None:
    """Read every page, and see whether they fit together.

    Raises:
        sqlite3.DatabaseError: they do not, and which one.
        sqlite3.Error: it cannot be read.
    """
    found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if found != "ok":
        raise sqlite3.DatabaseError(" ".join(found.replace("*** in database main ***", "").split()))
