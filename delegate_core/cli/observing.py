"""``delegate run`` observed: what its status pages show, and the server that serves them."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from delegate_core.cli.loading import print_warnings
from delegate_core.console.view import Rates, ShownLine
from delegate_core.errors import SettingsError
from delegate_core.model import Task
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
from delegate_core.telemetry import Asked

if TYPE_CHECKING:
    from delegate_core.telemetry.telemetry import Telemetry

__all__ = ["Observation"]

_OFF = "off"
_NOTHING = Asked()


class Observation:
    """Observes one runner, serves what it sees or sends it on, and is the memory of its live view.

    Args:
        settings: say where, and who may look.
        backend: name of the control plane's plugin.
        settings_shown: what the pages show of the settings: by table and name, each with ``value`` and ``from``.
        telemetry: what is sent over OpenTelemetry.

    Raises:
        SettingsError: where is no place to serve on; with ``strict``, an ``OTEL_*`` variable cannot be used.
    """

    def __init__(
        self,
        settings: RunnerSettings,
        backend: str,
        settings_shown: Callable[[Runner], Mapping[str, Any]] = lambda _: {},
        telemetry: Asked = _NOTHING,
    ) -> None:
        self._settings_shown = settings_shown
        self._backend = backend
        self._bind: Bind | None = None if settings.status.strip().lower() == _OFF else parse_bind(settings.status)
        self._access = Access(user=settings.status_user, password=settings.status_password.get_secret_value())
        self._runner: Runner | None = None
        self._activity = Activity()
        self._meter = Meter()
        self._metrics = Metrics(backend, self._snapshot)
        self._file = StatusFile(self._access.token)
        self._telemetry = self._open(telemetry, settings) if telemetry else None

    def _open(self, asked: Asked, settings: RunnerSettings) -> Telemetry | None:
        """None: the library refuses a variable that it reads itself: a warning, or with ``strict`` an error."""
        try:
            return self._opened(asked, settings.name)
        except Exception as error:  # whatever the library raises
            text = f"an OTEL_* variable cannot be used: {str(error).rstrip('.')}; correct it; nothing is sent"
            if settings.strict:
                raise SettingsError(text) from error
            print_warnings([text])
        return None

    def _opened(self, asked: Asked, name: str) -> Telemetry:
        """Imported only where it is asked for: it is an extra, and it costs memory."""
        from delegate_core.telemetry.telemetry import Telemetry  # noqa: PLC0415 - see above

        return Telemetry(
            asked,
            os.environ,
            backend=self._backend,
            runner=name,
            shown=lambda text: text if self._runner is None else self._runner.secrecy.text(text),
            families=self._metrics.families,
        )

    @property
    def plugins(self) -> tuple[object, ...]:
        """Give these to the runner."""
        telemetry = self._telemetry
        listeners: list[Callable[[Task, float], None]] = [self._meter.picked_up]
        plugins: list[object] = [self._activity, self._meter]
        if telemetry is not None:
            plugins += telemetry.plugins
            listeners.append(telemetry.picked_up)
        if self._bind is not None or (telemetry is not None and telemetry.wants_metrics):
            plugins.append(self._metrics)
            listeners.append(self._metrics.picked_up)
        if self._bind is not None:
            plugins.append(self._file)
        return (*plugins, Pickups(*listeners))

    def lines(self, task_id: str, start: int) -> Sequence[ShownLine]:
        """The last lines of a task's log, from this number on."""
        return self._activity.lines(task_id, start)

    def rates(self) -> Rates:
        """How fast things have gone lately."""
        return self._meter.rates()

    def _snapshot(self) -> Snapshot | None:
        return self._runner.snapshot() if self._runner is not None else None

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send over OpenTelemetry while the runner runs in the body, if that is asked for; then what is left of it."""
        if self._telemetry is None:
            yield
            return
        async with self._telemetry.sending():
            yield

    @asynccontextmanager
    async def serving(self, runner: Runner) -> AsyncIterator[None]:
        """Serve while the runner runs in the body.

        Raises:
            SettingsError: the address is taken.
        """
        self._runner = runner
        if self._bind is None:
            yield
            return
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
