"""The Drone backend as a plugin: hook implementations, a line of glue each."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import anyio
from pydantic import JsonValue

from delegate_core.development import DevelopmentServer
from delegate_core.engines.host import HostEngine
from delegate_core.errors import CredentialsError, SettingsError
from delegate_core.handlers import Handler, TaskContext
from delegate_core.http import TlsFailed, TlsOptions
from delegate_core.logs import LogSink
from delegate_core.markers import hookimpl
from delegate_core.model import (
    Attempts,
    Credentials,
    Delivery,
    Ended,
    Entry,
    Event,
    Finish,
    Forget,
    Gap,
    Offer,
    Phase,
    Registration,
    Run,
    Task,
    TaskCancelled,
    TaskResult,
)
from delegate_core.runner import Inbox
from delegate_core.settings import RunnerSettings, Settings
from delegate_drone import claiming, reporting
from delegate_drone.claiming import PIPELINES, DroneTask
from delegate_drone.client import DroneClient
from delegate_drone.containers import container_options
from delegate_drone.dispatching import HandlerStages, RunHere
from delegate_drone.dump import HttpDump
from delegate_drone.external import Sources, open_sources
from delegate_drone.faults import Misdirected
from delegate_drone.filters import described
from delegate_drone.logs import open_sink, upload_left
from delegate_drone.places import CONTAINER_ENGINE, ContainerStages, HostStages
from delegate_drone.polling import Poller
from delegate_drone.records import EndedElsewhere, StageRecord, StartLost
from delegate_drone.running import StageRunner
from delegate_drone.session import DroneSession
from delegate_drone.settings import DroneSettings
from delegate_drone.unsupported import unsupported
from delegate_drone.watching import Watches
from delegate_drone.wire import Filter

if TYPE_CHECKING:
    from delegate_core.diagnosis import Check, Diagnosis

__all__ = ["DroneBackend"]

_log = logging.getLogger(__name__)

_EXEC, _DOCKER = "exec", "docker"


class DroneBackend:
    """The client of one Drone server.

    Args:
        settings: or the fields of `DroneSettings` by keyword.
    """

    name = "drone"
    default_capacity = 2
    """As many stages at a time as Drone's own runners take."""

    def __init__(self, settings: DroneSettings | None = None, **fields: object) -> None:
        self.settings = settings or DroneSettings.model_validate(fields)
        self._runner = RunnerSettings()
        self._inbox: Inbox | None = None
        self._watches = Watches()
        self._sources: Sources | None = None
        self._said = False
        limiter = anyio.CapacityLimiter(self.settings.max_procs) if self.settings.max_procs else None
        self._engine = _engine(self.settings, limiter)
        self._stages = StageRunner(self._opened_sources, os.environ)
        self._on_host = HostStages(self._engine, self.settings.path)
        self._in_containers = ContainerStages(self._engine, partial(container_options, self.settings), limiter)
        self._handlers = HandlerStages(self._opened_sources)

    # ------------------------------------------------------------------ contributions

    @hookimpl
    def task_handlers(self, engines: Collection[str]) -> Iterable[Handler[..., Any]]:
        """Exec pipelines, and docker pipelines where a plugin brings the engine for them."""
        handlers = [Handler(_EXEC, self._run_on_host, expressions=False)]
        if CONTAINER_ENGINE in engines:
            handlers.append(Handler(_DOCKER, self._run_in_containers, engine=CONTAINER_ENGINE, expressions=False))
        return handlers

    @hookimpl
    def diagnostics(self, diagnosis: Diagnosis) -> Iterable[Check]:
        """What ``delegate doctor`` looks at."""
        from delegate_drone.diagnosis import checks_of  # noqa: PLC0415 - a runner needs no doctor

        return checks_of(self.settings, [self._filter(each) for each in diagnosis.registration.task_types], diagnosis)

    async def _run_on_host(self, context: TaskContext) -> TaskResult:
        return await self._stages.run(context, self._on_host)

    async def _run_in_containers(self, context: TaskContext) -> TaskResult:
        return await self._stages.run(context, self._in_containers)

    @hookimpl
    async def dispatch(self, task: Task, context: TaskContext, run_here: RunHere) -> TaskResult | None:
        """Around a handler's task: the one step that it is on the build page."""
        if task.type in PIPELINES or not isinstance(task, DroneTask):
            return None
        return await self._handlers.run(task, context, run_here)

    # ------------------------------------------------------------------ the session

    @hookimpl
    async def authenticate(self, settings: RunnerSettings) -> Credentials:
        """There is nothing but the shared secret, which the client has."""
        self._runner = settings
        if self.settings.debug or self.settings.trace:
            for package in ("delegate_core", "delegate_drone"):
                logging.getLogger(package).setLevel(logging.DEBUG)
        return Credentials()

    @hookimpl
    async def register(self, registration: Registration) -> DroneSession:
        """The server knows no registration: ask whether it is there and takes our secret.

        Raises:
            CredentialsError: it does not take it, or is none.
        """
        self._say_what_is_not_supported()
        await self._engine.sweep()
        async with AsyncExitStack() as stack:
            client = self._client()
            stack.push_async_callback(client.aclose)
            sources = await stack.enter_async_context(open_sources(self.settings, tls=_tls(self._runner)))
            try:
                await client.ping()
            except Misdirected as fault:
                raise CredentialsError(str(fault)) from None
            self._sources = sources
            wanted = described([self._filter(each) for each in registration.task_types])
            return DroneSession(
                client, self.settings.url, registration, stack.pop_all(), watches=self._watches, wanted=wanted
            )

    @hookimpl
    async def fetch_tasks(self, session: DroneSession, inbox: Inbox) -> None:
        """Poll for each type that is served here, and watch the builds of what runs."""
        self._inbox = inbox
        async with anyio.create_task_group() as group:
            group.start_soon(session.watches.serve, session.client)
            await Poller(session.client, inbox, [self._filter(each) for each in session.task_types]).run()

    @hookimpl
    async def claim(self, session: DroneSession, offer: Offer, again: bool) -> Task | Ended | None:  # noqa: FBT001 - the spec's
        """Accept the stage and ask for its details."""
        return await claiming.accept(session, offer, self.settings.limits, again=again)

    @hookimpl
    async def progress(
        self, session: DroneSession, task: Task, event: Event, save: Callable[[JsonValue], Awaitable[None]]
    ) -> JsonValue:
        """Tell the server. That it has ended the stage is a cancellation."""
        stage = cast("DroneTask", task)
        try:
            return await reporting.tell(session, stage, event, save)
        except EndedElsewhere as ended:
            if self._inbox is not None:
                self._inbox.cancel(task.id, str(ended))
        except StartLost:
            pass  # the record says so, and whoever runs the stage looks there
        return stage.book.record.plain()

    @hookimpl
    async def open_log(self, session: DroneSession, task: Task, stream: str) -> LogSink | None:
        """The log of a step; the task's own is that of the only step where a handler runs."""
        return await open_sink(session, task, stream)

    @hookimpl
    async def watch(self, session: DroneSession, task: Task) -> TaskCancelled | Gap:
        """Wait for the cancellation of the stage's build."""
        return await session.watches.wait(cast("DroneTask", task).details.build.id, task.id)

    @hookimpl
    async def report(
        self,
        session: DroneSession,
        task: Task,
        result: TaskResult,
        save: Callable[[JsonValue], Awaitable[None]],
        attempts: Attempts,
    ) -> Delivery:
        """Send the stage's end."""
        return await reporting.report(session, task, result, save, attempts)

    @hookimpl
    async def recover(self, session: DroneSession, entry: Entry) -> Run | Finish | Forget:
        """Run what had not started, end what had; its steps' logs first, as far as they were on disk."""
        if entry.phase is not Phase.STARTED:
            return await claiming.recovered(session, entry, self.settings.limits)
        await upload_left(session, StageRecord.model_validate(entry.state), entry.streams, entry.type)
        return Finish(TaskResult.lost_in_crash())

    @hookimpl
    async def heartbeat(self, session: DroneSession) -> None:
        """Ask whether the server is there."""
        await session.client.ping()

    # ------------------------------------------------------------------ parts

    def _client(self) -> DroneClient:
        settings, token = self.settings, self.settings.secret.get_secret_value()
        dump = HttpDump(token, bodies=settings.dump_http_body) if settings.dump_http else None
        try:
            return DroneClient.open(settings.url, token, _tls(self._runner), kind=self._runner.transport, dump=dump)
        except TlsFailed as error:
            raise SettingsError(str(error)) from None

    def _opened_sources(self) -> Sources:
        if self._sources is None:
            raise RuntimeError("a stage runs before there is a session")
        return self._sources

    def _say_what_is_not_supported(self) -> None:
        if not self._said:
            self._said = True
            for text in unsupported(os.environ):
                _log.warning("%s", text)

    def _filter(self, task_type: str) -> Filter:
        """A handler's task runs anywhere; a pipeline's steps ask for a platform."""
        settings = self.settings
        labels = dict(settings.labels)
        if task_type not in PIPELINES:
            return Filter(type=task_type, labels=labels)
        return Filter(
            type=task_type,
            os=settings.platform_os,
            arch=settings.platform_arch,
            variant=settings.platform_variant,
            kernel=settings.platform_kernel,
            labels=labels,
        )


@hookimpl
def settings_model() -> type[Settings]:
    """What the backend's flags, variables and table may say."""
    return DroneSettings


@hookimpl
def create_backend(settings: DroneSettings) -> DroneBackend:
    """One backend for one runner."""
    return DroneBackend(settings)


@hookimpl
def development_server(options: Mapping[str, str]) -> DevelopmentServer:
    """The embedded server, behind the commands of ``delegate dev``."""
    from delegate_drone.development import DroneDevelopmentServer  # noqa: PLC0415 - a runner needs no server

    return DroneDevelopmentServer(options)


def _engine(settings: DroneSettings, limiter: anyio.CapacityLimiter | None) -> HostEngine:
    return HostEngine(
        root=settings.root,
        keep_failed=settings.keep_failed,
        limiter=limiter,
        home_links={_place_in_home(name): target for target, name in settings.symlinks},
    )


def _place_in_home(name: str) -> str:
    """Where a link goes. drone-runner-exec counts from the build's root, in which the home is ``home/drone``."""
    return name.lstrip("/").removeprefix("home/drone/")


def _tls(settings: RunnerSettings) -> TlsOptions:
    return TlsOptions(settings.ca_files, settings.client_certificate, settings.client_key, settings.insecure)
