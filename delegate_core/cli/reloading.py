"""Reading a running runner's settings again: on SIGHUP, or on an order."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from delegate_core.cli.concealing import secret_values
from delegate_core.cli.loading import AllSettings, Table, load_all
from delegate_core.cli.recording import Recording
from delegate_core.errors import DelegateError
from delegate_core.handlers.loading import is_file
from delegate_core.runner import Runner
from delegate_core.runner.reloading import explained

__all__ = ["Reloading", "told"]

_log = logging.getLogger(__name__)


class Reloading:
    """Reads the same flags, variables and file as the start did.

    Args:
        loaded: what the start has read.
        config: the file that was named.
        flags: those of the command.
        environ: the environment as the start found it; secrets are not in that of the process any more.
        recording: of the runner's log, which has settings too.
    """

    def __init__(
        self,
        loaded: AllSettings,
        config: Path | None,
        flags: Mapping[str, Any],
        environ: Mapping[str, str],
        recording: Recording,
    ) -> None:
        self._recording = recording
        self._environ = environ
        self._loaded = loaded
        self._origins = loaded.core.origins
        self._config = config
        self._flags = flags

    async def reload(self, runner: Runner) -> Sequence[str]:
        """Have the new settings take effect; lines that say what has changed and what needs a restart.

        The log's file is opened again in any case.

        Raises:
            DelegateError: they cannot be used. Nothing has changed.
        """
        self._recording.reopen()
        try:
            return await self._reload(runner)
        except DelegateError as error:
            _log.error("the settings were read again and nothing was changed: %s", error)
            raise

    async def _reload(self, runner: Runner) -> Sequence[str]:
        wanted = load_all(self._config, self._flags, self._environ)
        runner.secrecy.add(*secret_values(wanted, self._environ))
        changes = await runner.reload(wanted.runner)
        self._origins = wanted.core.origins
        left = [*changes.left, *self._others(wanted)]
        said = told(changes.made, left, runner.settings.handlers)
        if _log.isEnabledFor(logging.INFO):  # before the level is raised, or after it was lowered
            self._say(said)
            self._recording.set_levels(runner)
        else:
            self._recording.set_levels(runner)
            self._say(said)
        return said

    def _say(self, lines: Sequence[str]) -> None:
        for line in lines:
            _log.info("the settings were read again; %s", line)

    def in_effect(self, runner: Runner) -> list[Table]:
        """The settings that the runner goes by at present, with their origins."""
        own = Table("", runner.settings, self._origins)
        return [own, *(table for table in self._loaded.tables() if table.name)]

    def _others(self, wanted: AllSettings) -> list[str]:
        """Settings of the backend and the engines that differ: those take effect at a start only."""
        before = {table.name: table.values for table in self._loaded.tables() if table.name}
        return [
            f"[{table.name}] {name}"
            for table in wanted.tables()
            if table.name in before
            for name in type(table.values).model_fields
            if getattr(table.values, name) != getattr(before[table.name], name)
        ]


def told(made: Sequence[str], left: Sequence[str], handlers: Sequence[str]) -> list[str]:
    """What a reload has done, in lines: what took effect, what did not and why, and what was loaded again."""
    said = [f"changed: {', '.join(made) or 'nothing'}"]
    said += [f"needs a restart: {explained(left)}"] if left else []
    return said + _handlers(handlers)


def _handlers(sources: Sequence[str]) -> list[str]:
    """What was loaded anew without a change of the settings, and what was not."""
    files = [source for source in sources if is_file(source)]
    modules = [source for source in sources if not is_file(source)]
    said = [f"loaded again: {', '.join(files)}"] if files else []
    return [*said, f"needs a restart: {', '.join(modules)} (a module is imported once)"] if modules else said
