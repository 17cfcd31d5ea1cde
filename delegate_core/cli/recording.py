"""The runner's own log: which records it has, what is hidden in them, and where they go."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from delegate_core.console import Console, FileConsole, open_log_file
from delegate_core.console.view import Memory
from delegate_core.runner import Runner
from delegate_core.settings import RunnerSettings

__all__ = ["Recording"]


class Recording:
    """Has the log of one runner shown on its console and written to the file of its settings.

    Args:
        settings: name the file, its format and size, and the levels.
        console: shows the log too.
        task_logs: whether the file has the lines of tasks' logs too.

    Raises:
        SettingsError: the file cannot be written.
    """

    def __init__(self, settings: RunnerSettings, console: Console, *, task_logs: bool = False) -> None:
        self._file: FileConsole | None = open_log_file(settings, task_lines=task_logs)
        self._console = console
        self._levels = _Levels()

    @property
    def consoles(self) -> tuple[Console, ...]:
        """Give these to the runner as plugins."""
        return (self._console,) if self._file is None else (self._console, self._file)

    @asynccontextmanager
    async def kept(self, runner: Runner, memory: Memory | None = None) -> AsyncIterator[None]:
        """Write and show while the runner runs in the body; who remembers its tasks' lines helps a live view."""
        root, handlers = logging.getLogger(), [console.handler for console in self.consoles]
        for console in self.consoles:
            console.attach(runner, memory)
            console.handler.addFilter(runner.record_filter)
        self.set_levels(runner)
        logging.captureWarnings(True)
        for handler in handlers:
            root.addHandler(handler)
        try:
            async with self._shown():
                yield
        finally:
            logging.captureWarnings(False)
            for handler in handlers:
                root.removeHandler(handler)
            self._levels.restore()

    @asynccontextmanager
    async def _shown(self) -> AsyncIterator[None]:
        if self._file is None:
            async with self._console.show():
                yield
            return
        async with self._file.show(), self._console.show():
            yield

    def release(self) -> None:
        """Give the terminal back now, since the process ends without leaving `kept`. From any thread."""
        self._console.release()

    def reopen(self) -> None:
        """Begin a new file where the present one was moved away."""
        if self._file is not None:
            self._file.reopen()

    def set_levels(self, runner: Runner) -> None:
        """As the runner's settings are now: ours from their level on, warnings of all others, and those they name."""
        settings = runner.settings
        ours = dict.fromkeys(runner.plugins.packages, settings.log_level)
        self._levels.set({"": "warning", **ours, **settings.loggers})


class _Levels:
    """Levels of loggers, and what they were before."""

    def __init__(self) -> None:
        self._before: dict[str, int] = {}

    def set(self, wanted: Mapping[str, str]) -> None:
        """Set these, and put back those that were set and are not wanted any more."""
        for name in self._before.keys() - wanted.keys():
            logging.getLogger(name).setLevel(self._before.pop(name))
        for name, level in wanted.items():
            logger = logging.getLogger(name)
            self._before.setdefault(name, logger.level)
            logger.setLevel(level.upper())

    def restore(self) -> None:
        """Put all back."""
        self.set({})
