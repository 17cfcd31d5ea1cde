"""The runner: its parts put together, and its states from start to stop."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from delegate_core import workfolder
from delegate_core.concern import Concern, concerning
from delegate_core.errors import (
    DelegateError,
    Interrupt,
    Lapsed,
    Moved,
    StateError,
    Stop,
)
from delegate_core.handlers import Handler, Middleware
from delegate_core.handlers.base import Serving
from delegate_core.handlers.supplied import SuppliedExecutables
from delegate_core.http import observing
from delegate_core.journal import Journal
from delegate_core.logs import Mask, RecordFilter, Secrecy
from delegate_core.model import CancelCause, Registration, Session
from delegate_core.plugins import Plugins
from delegate_core.runner.advice import Advices
from delegate_core.runner.backend import Backend
from delegate_core.runner.commands import TaskCommands
from delegate_core.runner.connection import Connection
from delegate_core.runner.contributed import collect_handlers, collect_middleware
from delegate_core.runner.core import Core, Observers
from delegate_core.runner.dispatching import dispatcher
from delegate_core.runner.ending import Ending
from delegate_core.runner.engines import Engines, collect_engines
from delegate_core.runner.examining import keep_examining
from delegate_core.runner.generations import Generations
from delegate_core.runner.host import HostWatch
from delegate_core.runner.intake import Intake
from delegate_core.runner.lifespan import watch_lifespan
from delegate_core.runner.lookout import JOURNAL_HOLD, Lookout
from delegate_core.runner.outbox import Outbox, RunningOutbox
from delegate_core.runner.recovery import Recovery
from delegate_core.runner.reloading import Changes, compared, read_masks
from delegate_core.runner.secrets import Secrets
from delegate_core.runner.slots import Slots
from delegate_core.runner.snapshot import Snapshot
from delegate_core.runner.states import States
from delegate_core.runner.upkeep import Upkeep
from delegate_core.runner.users import TaskUsers
from delegate_core.runner.variables import TaskVariables
from delegate_core.runner.winding_down import LAST_WORDS, WindingDown, leave_behind
from delegate_core.settings import RunnerSettings, Settings
from delegate_core.statefolder import StateFolder, default_state_folder

__all__ = ["Runner"]

_log = logging.getLogger(__name__)

_MASK_FILE = "mask file"
"""What an advice about its values is about."""

_DRAINING = "draining"


class Runner:
    """One runner of one backend. Two in one process share nothing.

    Args:
        backend: an object with the session hooks, such as ``HarnessBackend(...)``.
        handlers: functions, or handlers, by task type.
        settings: see `RunnerSettings`; ``settings.handlers`` are loaded too.
        plugins: more plugins, for this runner only: modules or objects with hook implementations.
        state_dir: the state folder; default: under the user's state folder, by backend and name.
        installed: also load the installed plugins. Off in a library, on in the ``delegate`` command.
        engine_settings: of the engines that plugins bring, by the engines' names; missing ones have their defaults.
        middleware: goes around every task, the first one outermost; that of plugins is within.

    Attributes:
        secrecy: what its own log does not show; more values may be added.
        record_filter: for a program's own handler of ``logging``: ``handler.addFilter(runner.record_filter)`` hides
            secrets in its records, and lets `delegate_core.logs.records.concern_of` say whom each concerns.

    Example::

        async def main():
            await Runner(HarnessBackend(settings), {"fib": fib}).run()
    """

    def __init__(
        self,
        backend: object,
        handlers: Mapping[str, Serving] | None = None,
        *,
        settings: RunnerSettings | None = None,
        plugins: Iterable[object] = (),
        state_dir: Path | None = None,
        installed: bool = False,
        engine_settings: Mapping[str, Settings | None] | None = None,
        middleware: Iterable[Middleware] = (),
    ) -> None:
        self.settings = settings or RunnerSettings()
        self.name = self.settings.name or socket.gethostname()
        self.plugins = Plugins(backend, plugins)
        if installed:
            self.plugins.load_installed(disabled=self.settings.disabled_plugins, strict=self.settings.strict)
        self.plugins.load_named(self.settings.plugins)
        offers = collect_engines(self.plugins)
        self._functions = handlers or {}
        self._engine_names = frozenset(offers)
        self.handlers = collect_handlers(self.plugins, self.settings, self._functions, self._engine_names)
        self.state_dir = state_dir or self.settings.state_dir or default_state_folder(backend, self.name)
        self.middleware = collect_middleware(self.plugins, middleware)
        limits = {**self.handlers.limits(), **self.settings.limits}
        self.slots = Slots(self._capacity(backend), limits, self._counted_as)
        self.engines = Engines(offers, engine_settings or {}, self.handlers.engines(), self.slots)
        self._upkeep = Upkeep(self.slots, self._heed_operator)
        self.slots.quota = self.settings.max_tasks
        self._observers = Observers(self.plugins)
        self._masks = read_masks(self.settings.mask_file)
        self.secrecy = Secrecy(*self._masks, self.settings.status_password.get_secret_value())
        self.advice = Advices()
        self._advise_of_masks()
        self.record_filter = RecordFilter(self.secrecy, Concern(self.name, self.backend_name))
        self._users = TaskUsers.of(self.settings, self.slots.capacity)
        self._default_capacity: int = getattr(backend, "default_capacity", 10)
        self._generations: Generations | None = None
        self._reloading = anyio.Lock()
        self._ending = Ending()
        self._states = States(self.secrecy, self._observers)
        self._lookout = Lookout(
            self.name, self._states, self.slots, self.engines, self._upkeep, self.plugins, self.secrecy, self.advice
        )
        self._core: Core | None = None
        self._intake: Intake | None = None
        self._connection: Connection | None = None
        self._host: HostWatch | None = None
        self._outbox: Outbox | None = None

    def _advise_of_masks(self) -> None:
        """Of values that are to be hidden and cannot be."""
        short = Mask().add(*self._masks)
        self.advice.withdraw(_MASK_FILE)
        if short:
            self.advice.give(_MASK_FILE, "; ".join(dict.fromkeys(short)), "remove it from there, or make it longer")

    def _counted_as(self, task_type: str) -> str:
        """The type itself where the settings limit it, else its pattern: all types of that count together."""
        return task_type if task_type in self.settings.limits else self.handlers.find(task_type) or task_type

    def _capacity(self, backend: object) -> int:
        default: int = getattr(backend, "default_capacity", 10)
        return self.settings.capacity or default

    @property
    def backend_name(self) -> str:
        """Name of the control plane's plugin, for people and for labels."""
        named = self.settings.backend or getattr(self.plugins.backend, "name", "")
        return str(named or type(self.plugins.backend).__name__.removesuffix("Backend").lower())

    @property
    def state(self) -> str:
        """``new``, ``registering``, ``running``, ``paused``, ``draining``, ``stopping`` or ``stopped``."""
        return self._states.current

    @property
    def reason(self) -> str:
        """Why it is in this state, without secrets; empty where there is nothing to say."""
        return self._states.reason

    # ------------------------------------------------------------------ steering

    def drain(self, reason: str = "asked to drain") -> None:
        """Take no new task, finish what runs within ``drain_timeout``, deliver everything, deregister, leave."""
        self._hold_for_end(reason)
        self._ending.ask(reason, cancel=False)

    def _hold_for_end(self, reason: str) -> None:
        """From the moment on in which the end is asked for, nothing is taken."""
        if not self._ending.asked.is_set():
            self.slots.hold(_DRAINING, reason)

    def stop(self, reason: str = "asked to stop") -> None:
        """Drain without waiting: cancel what runs, with its grace."""
        self._hold_for_end(reason)
        self._ending.ask(reason, cancel=True)

    async def reload(self, wanted: RunnerSettings) -> Changes:
        """Have other settings take effect as far as that goes without a restart.

        What runs goes on as it began. New handlers are loaded and opened before anything changes; a module that is
        imported by its name stays what it is until a restart. Of several at once, the last one asked for stands.

        Raises:
            DelegateError: they cannot be used. Nothing has changed.
        """
        async with self._reloading:
            return await self._reload(wanted)

    async def _reload(self, wanted: RunnerSettings) -> Changes:
        changes = compared(self.settings, wanted)
        settings, registry, masks = changes.settings, self.handlers, read_masks(wanted.mask_file)
        if masks != self._masks:
            changes = changes.of_content("mask_file")
        self._users.check(settings.capacity or self._default_capacity)
        if settings.handlers or {"handler", "handlers"} & set(changes.made):
            registry = collect_handlers(self.plugins, settings, self._functions, self._engine_names)
            if self._generations is not None:
                await self._generations.replace(registry, settings)
        announced = self.handlers.types(), self.slots.capacity, self.settings.tags
        self.settings, self.handlers, self._masks = settings, registry, masks
        self.secrecy.add(*masks)
        self._advise_of_masks()
        capacity = settings.capacity or self._default_capacity
        self.slots.resize(capacity, {**registry.limits(), **settings.limits})
        if self._core is not None:
            self._core.settings, self._core.handlers, self._core.masks = settings, registry, masks
            if self._connection is not None and announced != (registry.types(), capacity, settings.tags):
                self._connection.announce(self._registration(self._core))
        if self._host is not None:
            self._host.look_soon()
        return changes

    def pause(self, reason: str = "paused by the operator") -> None:
        """Take no new task until `resume`. Heartbeats and cancellations go on."""
        self._upkeep.pause(reason)

    def resume(self) -> None:
        """Take tasks again, unless it is in maintenance."""
        self._upkeep.resume()

    def maintain(self, message: str = "", *, by: str = "the operator", seconds: float | None = None) -> None:
        """As a pause, but for longer than this process: until `end_maintenance`, or for so many seconds.

        Raises:
            StateError: it does not run yet, or that cannot be recorded in its state folder. Nothing has changed.
            SettingsError: so many seconds are no time, or over ten years.
        """
        self._upkeep.maintain(message, by, seconds)

    def end_maintenance(self) -> None:
        """Take tasks again, unless it is paused.

        Raises:
            StateError: as `maintain`.
        """
        self._upkeep.end()

    def _heed_operator(self) -> None:
        """A pause or maintenance has begun or ended."""
        if self.state in {"running", "paused"}:
            reason = self._upkeep.reason
            self._states.enter("running" if reason is None else "paused", "resumed" if reason is None else reason)

    def cancel(self, task_id: str) -> bool:
        """Cancel a running task on the operator's behalf; False if there is none of this id."""
        if self._core is None or self._intake is None or task_id not in self._core.executions:
            return False
        self._intake.cancel(task_id, CancelCause.OPERATOR, "by the operator")
        return True

    @property
    def outbox(self) -> Outbox:
        """Its undelivered results, and what can be done about them.

        Raises:
            StateError: it does not run, or has not begun.
        """
        if self._outbox is None:
            raise StateError("the runner is not at work yet, or has left; try again in a moment")
        return self._outbox

    # ------------------------------------------------------------------ its life

    async def run(self) -> None:
        """Run until drained or stopped. Cancelling it leaves at once; the journal keeps what was going on.

        Raises:
            DelegateError: why it could not start, or had to end; see ``delegate_core.errors`` for the kinds.
            RuntimeError: it was run before.
        """
        if self._core is not None:
            raise RuntimeError("this runner was run already; make another")
        self._states.begin()
        work = self.settings.work_dir or (workfolder.DEFAULT if self._users.users else None)
        with (
            concerning(runner=self.name, backend=self.backend_name),
            observing(self._observers.server_called),
            StateFolder(self.state_dir, work) as folder,
            Journal(folder, durable=self.settings.durable) as journal,
        ):
            folder.make_work(shared=bool(self._users.users))
            self._users.prepare(folder.work, folder.path)
            await self._users.claim(folder.path, self.settings.grace)
            self._upkeep.open(folder.path)
            async with self.engines.opened(journal.instance()), self._lives() as spawn:
                try:
                    async with Generations.opened(self.handlers, self.settings) as handlers:
                        self._generations = handlers
                        self._tell_handlers()
                        await self._serve_safely(self._make_core(folder, journal, spawn, handlers))
                except DelegateError as error:  # out of here, it would be wrapped in an exception group
                    self._ending.ask(str(error), cancel=True, error=error)
                finally:
                    self._states.enter("stopped", self.reason)
        self._ending.raise_error()

    def _tell_handlers(self) -> None:
        """Say what serves the tasks of handlers that are no functions: those come from the settings file mostly."""
        for task_type, origin in self.handlers:
            handler = self.handlers.get(task_type)
            if handler is not None and not isinstance(handler, Handler):
                _log.info("task type %s: %s %s, from %s", task_type, handler.kind, handler.origin, origin)

    async def _serve_safely(self, core: Core) -> None:
        """Serve; an error ends it in good order, without passing through what handlers hold open."""
        try:
            await self._serve(core)
        except DelegateError as error:
            self._ending.ask(str(error), cancel=True, error=error)

    async def _serve(self, core: Core) -> None:
        """Work until the end is asked for, and see to that end."""
        self._core = self._lookout.core = core
        core.journal.watch(lambda: self._heed_journal(core.journal))
        self._intake = Intake(core)
        self._connection = self._lookout.connection = Connection(core, self._intake, self._registration(core))
        try:
            await self._connected(core, self._intake, self._connection)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(LAST_WORDS):
                await self._connection.close()

    @asynccontextmanager
    async def _lives(self) -> AsyncIterator[Callable[..., object]]:
        """The task group that owns every task's life. What is still there at the end is in the journal too."""
        async with anyio.create_task_group() as group:
            yield group.start_soon
            group.cancel_scope.cancel()

    def _make_core(
        self, folder: StateFolder, journal: Journal, spawn: Callable[..., object], handlers: Generations
    ) -> Core:
        secrets = Secrets(self.plugins.each("resolve_secret"), self.settings.secrets)
        return Core(
            settings=self.settings,
            plugins=self.plugins,
            backend=Backend(self.plugins),
            handlers=self.handlers,
            observers=self._observers,
            slots=self.slots,
            folder=folder,
            journal=journal,
            instance=journal.instance(),
            engines=self.engines,
            commands=TaskCommands(self.settings),
            secrets=secrets,
            users=self._users,
            variables=TaskVariables(self.plugins),
            dispatch=dispatcher(self.plugins, handlers, secrets, SuppliedExecutables(self.settings), self.middleware),
            spawn=spawn,
            interrupted=self._interrupted,
            secrecy=self.secrecy,
            advice=self.advice,
            masks=self._masks,
        )

    def _registration(self, core: Core) -> Registration:
        return Registration(
            name=self.name,
            instance=core.instance,
            task_types=self.handlers.types(),
            tags=tuple(self.settings.tags),
            capacity=self.slots.capacity,
        )

    async def _connected(self, core: Core, intake: Intake, connection: Connection) -> None:
        """Register, take over what an earlier life left, and work until the end is asked for."""
        recovery = Recovery(core, intake)
        self._outbox = RunningOutbox(core, recovery, lambda: connection.session)
        self._states.enter("registering", "")
        session = await self._first_session(connection)
        if session is None:
            self._leave_unregistered(core)
            return
        host = self._host = HostWatch(core)
        await host.look()
        async with anyio.create_task_group() as loops:
            loops.start_soon(watch_lifespan, core, self.drain)
            loops.start_soon(host.keep)
            loops.start_soon(keep_examining, core.journal)
            loops.start_soon(self._upkeep.keep)
            loops.start_soon(self._work, recovery, connection, session)
            await self._ending.asked.wait()
            self.slots.hold(_DRAINING, self._ending.reason)
            end = WindingDown(core, intake, connection, self._ending, self._states)
            await end.run()
            loops.cancel_scope.cancel()
        await end.say_goodbye()

    async def _work(self, recovery: Recovery, connection: Connection, session: Session) -> None:
        """Take over what an earlier life left, then keep polling. Ends by cancellation."""
        try:
            await recovery.start(session)
        except DelegateError as error:
            self._ending.ask(str(error), cancel=True, error=error)
        if not self._ending.asked.is_set():
            paused = self._upkeep.reason
            self._states.enter("running" if paused is None else "paused", paused or "")
        await connection.keep()

    async def _first_session(self, connection: Connection) -> Session | None:
        """None: the end was asked for before the server answered."""
        session: Session | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._give_up, group.cancel_scope)
            try:
                session = await connection.open(self.settings.register_timeout or None)
            except Interrupt as interrupt:
                self._ending.ask(interrupt.reason, cancel=True, error=getattr(interrupt, "error", None))
            except DelegateError as error:
                self._ending.ask(str(error), cancel=True, error=error)
            group.cancel_scope.cancel()
        return session

    def _leave_unregistered(self, core: Core) -> None:
        """Name what an earlier life left: this one has never come so far as to see to it."""
        core.unsettled |= {entry.task_id for entry in core.journal.unfinished()}
        leave_behind(core, self._ending)

    async def _give_up(self, scope: anyio.CancelScope) -> None:
        await self._ending.asked.wait()
        scope.cancel()

    def _heed_journal(self, journal: Journal) -> None:
        """Claim nothing while the journal takes nothing; leave, with all results delivered, if it never will."""
        if journal.failure is not None:
            self.slots.hold(JOURNAL_HOLD, str(journal.failure))
            self._ending.ask("the journal failed", cancel=False, error=journal.failure)
        elif journal.trouble:
            self.slots.hold(JOURNAL_HOLD, journal.trouble)
        else:
            self.slots.unhold(JOURNAL_HOLD)

    def _interrupted(self, interrupt: Interrupt, session: Session) -> None:
        """A hook of a session asked for a change."""
        if isinstance(interrupt, Moved | Lapsed):
            if self._connection is not None:
                self._connection.interrupt(interrupt, session)
            return
        error: DelegateError | None = getattr(interrupt, "error", None)
        self._ending.ask(interrupt.reason, cancel=isinstance(interrupt, Stop), error=error)

    def snapshot(self) -> Snapshot:
        """What it is doing now."""
        return self._lookout.snapshot()
