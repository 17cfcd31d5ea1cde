"""``delegate run`` observed: what its status pages show, and the server that serves them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from delegate_core.runner import Runner
from delegate_core.runner.snapshot import Snapshot
from delegate_core.settings import RunnerSettings
from delegate_core.status import Access, Activity, Bind, Metrics, Source, StatusFile, StatusServer, parse_bind

__all__ = ["Observation"]

_OFF = "off"


class Observation:
    """Observes one runner and serves what it sees.

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
        self._metrics = Metrics(backend, self._snapshot)
        self._file = StatusFile(self._access.token)

    @property
    def plugins(self) -> tuple[object, ...]:
        """Give these to the runner; none where nothing is served."""
        return (self._activity, self._metrics, self._file) if self._bind is not None else ()

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
