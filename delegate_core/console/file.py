"""The console that is a file: the runner's own log as it is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from delegate_core.concern import Concern
from delegate_core.console.events import Event
from delegate_core.console.json_lines import json_line
from delegate_core.console.lines import LineConsole
from delegate_core.console.logfile import LogFile
from delegate_core.console.logfmt import logfmt_line
from delegate_core.console.text import text_line
from delegate_core.errors import SettingsError
from delegate_core.settings import RunnerSettings

__all__ = ["FileConsole", "open_log_file"]

_LINES: Final[Mapping[str, Callable[[Event, Concern], str]]] = {
    "json": json_line,
    "logfmt": logfmt_line,
    "text": text_line,
}


class FileConsole(LineConsole):
    """Writes what happens to a log file, in a thread of its own: a slow disk stops no runner.

    Args:
        file: where to.
        line: a line for an event of a runner.
        task_lines: also what tasks print.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        file: LogFile,
        line: Callable[[Event, Concern], str],
        *,
        task_lines: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(file, line, task_lines=task_lines, clock=clock)
        self._file = file

    def reopen(self) -> None:
        """Begin a new file where the present one was moved away. One that cannot be opened is tried with each line."""
        with suppress(OSError):
            self._file.reopen()


def open_log_file(settings: RunnerSettings, *, task_lines: bool = False) -> FileConsole | None:
    """Open the log file of the settings; None: they name none.

    Raises:
        SettingsError: it cannot be written.
    """
    path = settings.log_file
    if path is None:
        return None
    try:
        file = LogFile(path, size=settings.log_file_size, kept=settings.log_file_count)
    except OSError as error:
        raise SettingsError(
            f"log_file: {path}: {error.strerror}: name a file in a folder that exists and that this user may write to"
        ) from None
    return FileConsole(file, _LINES[settings.log_format], task_lines=task_lines)
