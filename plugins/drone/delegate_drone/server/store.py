"""The server's database: one SQLite file that survives a restart.

Every statement is its own transaction, as in the real server: a call that fails half way leaves its first half.
"""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any, Generic, TypeVar

from .errors import LockLostError, NoRowError
from .records import Build, Record, Repository, Stage, Step

__all__ = ["Blobs", "Store", "Table"]

_Row = TypeVar("_Row", bound=Record)
_UNSTORED = frozenset({"stages", "steps"})
"""Fields that hold other rows."""

_BLOBS = """
CREATE TABLE IF NOT EXISTS logs (log_id INTEGER PRIMARY KEY, log_data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS cards (card_id INTEGER PRIMARY KEY, card_data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS configs (config_id INTEGER PRIMARY KEY, config_data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS secrets (secret_id INTEGER PRIMARY KEY, secret_data BLOB NOT NULL);
"""


class Table(Generic[_Row]):
    """The rows of one kind. Columns are named as the real server names them: its errors quote them.

    Args:
        connection: the database.
        name: the table's name; its columns begin with its singular.
        model: a row.
        unique: fields that together are found once.
    """

    def __init__(
        self, connection: sqlite3.Connection, name: str, model: type[_Row], unique: tuple[str, ...] = ()
    ) -> None:
        self._connection, self._name, self._model = connection, name, model
        self._prefix = name.removesuffix("s")
        self._fields = [field for field in model.model_fields if field not in _UNSTORED]
        self._json = {field for field in self._fields if isinstance(getattr(model(), field), (list, dict))}
        columns = ", ".join(f"{self._prefix}_{field}" for field in self._fields if field != "id")
        limit = f", UNIQUE ({self._columns(unique)})" if unique else ""
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {name} ({self._prefix}_id INTEGER PRIMARY KEY AUTOINCREMENT, {columns}{limit})"
        )

    def insert(self, row: _Row) -> _Row:
        """Add a row as version 1; return it with its id.

        Raises:
            sqlite3.IntegrityError: there is one like it; the text names the columns.
        """
        row = row.model_copy(update={"version": 1})
        fields = [field for field in self._fields if field != "id"]
        marks = ", ".join("?" * len(fields))
        sql = f"INSERT INTO {self._name} ({self._columns(fields)}) VALUES ({marks})"  # noqa: S608 - our own names
        done = self._connection.execute(sql, self._values(row, fields))
        return row.model_copy(update={"id": done.lastrowid})

    def update(self, row: _Row, *fields: str) -> _Row:
        """Write these fields, all without any, if the row still has the version given; return it with the next one.

        Raises:
            LockLostError: it has another one, or there is no such row.
        """
        chosen = [field for field in fields or self._fields if field not in {"id", "version"}]
        setting = ", ".join(f"{self._prefix}_{field} = ?" for field in [*chosen, "version"])
        sql = f"UPDATE {self._name} SET {setting} WHERE {self._prefix}_id = ? AND {self._prefix}_version = ?"  # noqa: S608 - our own names
        values = [*self._values(row, chosen), row.model_dump()["version"] + 1]
        key = row.model_dump(include={"id", "version"})
        if self._connection.execute(sql, [*values, key["id"], key["version"]]).rowcount != 1:
            raise LockLostError
        return row.model_copy(update={"version": key["version"] + 1})

    def find(self, row_id: int) -> _Row:
        """One row.

        Raises:
            NoRowError: there is none.
        """
        return self.one("WHERE {}_id = ?", row_id)

    def one(self, where: str, *values: Any) -> _Row:
        """The first row that a condition chooses; ``{}`` in it is the columns' prefix.

        Raises:
            NoRowError: there is none.
        """
        found = self.select(f"{where} LIMIT 1", *values)
        if not found:
            raise NoRowError
        return found[0]

    def select(self, where: str = "", *values: Any) -> list[_Row]:
        """The rows that a condition chooses, in order of their ids."""
        order = "" if "LIMIT" in where else " ORDER BY {}_id"
        condition = f"{where}{order}".replace("{}", self._prefix)
        sql = f"SELECT {self._columns(self._fields)} FROM {self._name} {condition}"  # noqa: S608 - our own names
        return [self._row(found) for found in self._connection.execute(sql, values)]

    def touch(self, row_id: int) -> None:
        """Count a row's version up, as another writer would."""
        column = f"{self._prefix}_version"
        sql = f"UPDATE {self._name} SET {column} = {column} + 1 WHERE {self._prefix}_id = ?"  # noqa: S608 - our own names
        self._connection.execute(sql, (row_id,))

    def _columns(self, fields: tuple[str, ...] | list[str]) -> str:
        return ", ".join(f"{self._prefix}_{field}" for field in fields)

    def _values(self, row: _Row, fields: list[str]) -> list[Any]:
        found = ((field, getattr(row, field)) for field in fields)
        return [json.dumps(value) if field in self._json else value for field, value in found]

    def _row(self, values: tuple[Any, ...]) -> _Row:
        found = dict(zip(self._fields, values, strict=True))
        for field in self._json:
            found[field] = json.loads(found[field])
        return self._model.model_validate(found)


class Blobs:
    """Bytes by the id of what they belong to."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection, self._name, self._prefix = connection, name, name.removesuffix("s")

    def insert(self, blob_id: int, data: bytes) -> None:
        """Keep bytes.

        Raises:
            sqlite3.IntegrityError: there are some already.
        """
        self._connection.execute(f"INSERT INTO {self._name} VALUES (?, ?)", (blob_id, data))  # noqa: S608 - our own names

    def find(self, blob_id: int) -> bytes | None:
        """The bytes kept; None without any."""
        sql = f"SELECT {self._prefix}_data FROM {self._name} WHERE {self._prefix}_id = ?"  # noqa: S608 - our own names
        found = self._connection.execute(sql, (blob_id,)).fetchone()
        return bytes(found[0]) if found else None

    def delete(self, blob_id: int) -> None:
        """Forget them."""
        self._connection.execute(f"DELETE FROM {self._name} WHERE {self._prefix}_id = ?", (blob_id,))  # noqa: S608 - our own names


class Store:
    """All that lasts. Calls are short and block.

    Args:
        file: the database; made, for this user only, where it is not there.
    """

    def __init__(self, file: Path) -> None:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._connection = connection = sqlite3.connect(file, isolation_level=None)
        connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {_BLOBS}")
        self.repositories = Table(connection, "repos", Repository, ("slug",))
        self.builds = Table(connection, "builds", Build, ("repo_id", "number"))
        self.stages = Table(connection, "stages", Stage, ("build_id", "number"))
        self.steps = Table(connection, "steps", Step, ("stage_id", "number"))
        self.logs, self.cards = Blobs(connection, "logs"), Blobs(connection, "cards")
        self.configs, self.secrets = Blobs(connection, "configs"), Blobs(connection, "secrets")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def stages_of(self, build_id: int, *, steps: bool = False) -> list[Stage]:
        """A build's stages in order, with their steps if asked for."""
        found = self.stages.select("WHERE {}_build_id = ?", build_id)
        return [stage.model_copy(update={"steps": self.steps_of(stage.id)}) for stage in found] if steps else found

    def steps_of(self, stage_id: int) -> list[Step]:
        """A stage's steps by their numbers."""
        return sorted(self.steps.select("WHERE {}_stage_id = ?", stage_id), key=lambda step: step.number)

    def incomplete(self) -> list[Stage]:
        """The stages that are pending or running, oldest first."""
        return self.stages.select("WHERE {}_status IN ('pending', 'running')")

    def step_at(self, build_id: int, stage: int, step: int) -> Step:
        """A step by the numbers that users know.

        Raises:
            NoRowError: there is none.
        """
        found = self.stages.one("WHERE {}_build_id = ? AND {}_number = ?", build_id, stage)
        return self.steps.one("WHERE {}_stage_id = ? AND {}_number = ?", found.id, step)

    def build_at(self, slug: str, number: int) -> Build:
        """A build by its repository and number.

        Raises:
            NoRowError: there is none.
        """
        repository = self.repositories.one("WHERE {}_slug = ?", slug)
        return self.builds.one("WHERE {}_repo_id = ? AND {}_number = ?", repository.id, number)
