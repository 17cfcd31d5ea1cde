"""Maintenance: an operator wants a runner to take nothing, until that is ended, whatever restarts in between.

It is a file in the state folder, so that it outlives the process; who starts the runner again, or a machine that
reboots by itself, does not end it.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from delegate_core.errors import SettingsError, StateError

__all__ = ["Maintenance", "MaintenanceFile"]

_FILE: Final = "maintenance.json"

_LONGEST: Final = 10 * 366 * 24 * 3600.0
"""Seconds: ten years. Not every number is a moment that a calendar has."""


class Maintenance(BaseModel):
    """What an operator has said.

    Attributes:
        message: why, for people; may be empty.
        by: whom.
        since: when, in seconds since 1970.
        until: when it ends by itself; None: when it is ended.
    """

    model_config = ConfigDict(frozen=True)

    message: str = ""
    by: str = ""
    since: float = 0.0
    until: float | None = None

    @classmethod
    def beginning(cls, message: str, *, by: str, seconds: float | None) -> Self:
        """One that begins now.

        Raises:
            SettingsError: ``seconds`` is no time, or over ten years.
        """
        if seconds is not None and not 0 < seconds <= _LONGEST:
            raise SettingsError("maintenance lasts for more than 0 seconds and up to ten years, or until it is ended")
        now = time.time()
        text = message.encode("utf-8", "replace").decode()  # of an argument that is not UTF-8, too
        return cls(message=text, by=by, since=now, until=None if seconds is None else now + seconds)

    def __str__(self) -> str:
        """In one line: ``in maintenance by ops until 2026-11-25 16:00: new disk``."""
        by = f" by {self.by}" if self.by else ""
        until = f" until {moment}" if (moment := _moment(self.until)) else ""
        return f"in maintenance{by}{until}{f': {self.message}' if self.message else ''}"

    def is_over(self, clock: Callable[[], float] = time.time) -> bool:
        """Its own end has come."""
        return self.until is not None and self.until <= clock()


def _moment(seconds: float | None) -> str:
    """When, for people; nothing for what no calendar has, as a file may say that somebody wrote."""
    if seconds is None:
        return ""
    try:
        return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M}"
    except (OverflowError, OSError, ValueError):
        return ""


class MaintenanceFile:
    """The file in a state folder. Written by who owns that folder.

    Args:
        folder: the state folder, which exists.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    def read(self) -> Maintenance | None:
        """What it says; None where there is none, or its own end has come.

        One that cannot be read counts as maintenance: whoever has written it wanted no task to be taken.
        """
        try:
            found = Maintenance.model_validate_json(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, ValidationError):
            return Maintenance(message=f"{self._path} cannot be read; end it with `delegate maintenance off`")
        return None if found.is_over() else found

    def write(self, wanted: Maintenance) -> None:
        """Say it, durably: whole or not at all.

        Raises:
            StateError: it cannot be written.
        """
        try:
            with tempfile.NamedTemporaryFile("w", dir=self._path.parent, delete=False) as file:
                file.write(wanted.model_dump_json())
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).replace(self._path)
        except OSError as error:
            raise StateError(f"cannot write {self._path}: {error.strerror}; nothing was changed") from None

    def remove(self) -> None:
        """It is over.

        Raises:
            StateError: it cannot be removed.
        """
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise StateError(f"cannot remove {self._path}: {error.strerror}; nothing was changed") from None
