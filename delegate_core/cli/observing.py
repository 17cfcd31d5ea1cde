"""``delegate run`` observed: what its status pages show, and the server that serves them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from delegate_core.console.view import Rates, ShownLine
from delegate_core.runner import Runner
from delegate_core.runner.snapshot import Snapshot
from delegate_core.settings import RunnerSettings
from delegate_core.status import (
    Access,
    Activity,
    Bind,
    Meter,
    Metrics,
    Pickups,
    Source,
    StatusFile,
    StatusServer,
    parse_bind,
)

__all__ = ["Observation"]

_OFF = "off"


class Observation:
    """Observes one runner, serves what it sees, and is the memory of its live view.

    Args:
        settings: say where, and who may look.
        backend: name of the control plane's plugin.
        settings_shown: what the pages show of the settings: by table and name, each with ``value`` and ``from``.

    Raises:
        SettingsError: where is no place to serve on.
    """

    def __init__(
        self,
        settings: RunnerSettings,
        backend: str,
        settings_shown: Callable[[Runner], Mapping[str, Any]] = lambda _: {},
    ) -> None:
        self._settings_shown = settings_shown
        self._bind: Bind | None = None if settings.status.strip().lower() == _OFF else parse_bind(settings.status)
        self._access = Access(user=settings.status_user, password=settings.status_password.get_secret_value())
        self._runner: Runner | None = None
        self._activity = Activity()
        self._meter = Meter()
        self._metrics = Metrics(backend, self._snapshot)
        self._file = StatusFile(self._access.token)

    @property
    def plugins(self) -> tuple[object, ...]:
        """Give these to the runner."""
        seen = (self._activity, self._meter)
        if self._bind is None:
            return (*seen, Pickups(self._meter.picked_up))
        return (*seen, Pickups(self._meter.picked_up, self._metrics.picked_up), self._metrics, self._file)

    def lines(self, task_id: str, start: int) -> Sequence[ShownLine]:
        """The last lines of a task's log, from this number on."""
        return self._activity.lines(task_id, start)

    def rates(self) -> Rates:
        """How fast things have gone lately."""
        return self._meter.rates()

    def _snapshot(self) -> Snapshot | None:
        return self._runner.snapshot() if self._runner is not None else None

    @asynccontextmanager
    async def serving(self, runner: Runner) -> AsyncIterator[None]:
        """Serve while the runner runs in the body.

        Raises:
            SettingsError: the address is taken.
        """
        if self._bind is None:
            yield
            return
        self._runner = runner
        source = Source(
            runner=runner,
            activity=self._activity,
            meter=self._meter,
            metrics=self._metrics,
            access=self._access,
            settings=lambda: self._settings_shown(runner),
        )
        runner.secrecy.add(self._access.token)
        self._activity.handler.addFilter(runner.record_filter)
        logging.getLogger().addHandler(self._activity.handler)
        try:
            async with StatusServer(source, self._bind).serve() as url:
                self._file.place(runner.state_dir, url)
                yield
        finally:
            logging.getLogger().removeHandler(self._activity.handler)
