"""Every hook, in the order of a task's life. This file is the contract between the core and its plugins.

A plugin is a module or an object with functions marked `delegate_core.markers.hookimpl`. An implementation may take
fewer arguments than its spec names; it must be ``async def`` exactly where the spec is.

Three kinds of hook:

* **session hooks** (from ``authenticate`` to ``deregister``) are *addressed*: the core calls them on the chosen
  backend only. ``authenticate``, ``register``, ``fetch_tasks``, ``claim`` and ``report`` are needed; the rest have
  defaults, which each docstring names.
* **questions** (``dispatch``, ``accept_task``, ``resolve_secret``) are asked of each plugin, in pluggy's order
  (``tryfirst``, then the last registered first, then ``trylast``), until one answers something other than None.
* **contributions and observations** are collected from, or told to, every plugin.

Errors of session hooks: `Stop`, `Drain` and `Moved` change the session, a `DelegateError`, which only a person can
mend, stops the runner with it, `Retry` names its own delay, and every other exception is a passing fault, logged and
tried again with a jittered back-off. An answer of the wrong kind is a `PluginError` that names the hook. Errors of the
other hooks are described at each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from delegate_core.markers import hookspec

if TYPE_CHECKING:
    from delegate_core.development import DevelopmentServer
    from delegate_core.diagnosis import Check, Diagnosis
    from delegate_core.engines.contribution import StepEngine
    from delegate_core.handlers import Middleware, TaskContext, TaskHandler
    from delegate_core.http import Request
    from delegate_core.logs import LogLine, LogSink
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
        JsonValue,
        Offer,
        Registration,
        Run,
        Session,
        SessionIdentity,
        Task,
        TaskCancelled,
        TaskResult,
    )
    from delegate_core.runner import Inbox
    from delegate_core.settings import RunnerSettings, Settings

__all__ = ["HookSpecs"]


class HookSpecs:
    """The hooks. Signatures are given without ``self``, as a plugin module writes them."""

    # ------------------------------------------------------------------ before a session: contributions

    @hookspec(firstresult=True)
    def settings_model(self) -> type[Settings] | None:
        """The model of a backend's own settings: what its flags, variables and table in ``delegate.toml`` may say.

        Called once at start, on the chosen backend's module, before anything else. None: it has no settings.

        Example::

            @hookimpl
            def settings_model():
                return HarnessSettings
        """

    @hookspec(firstresult=True)
    def create_backend(self, settings: Settings | None) -> object:
        """A new backend: an object with the session hooks, which shares nothing with another one.

        Called on the chosen backend's module once a runner. ``settings`` is an instance of its ``settings_model``.

        Example::

            @hookimpl
            def create_backend(settings):
                return HarnessBackend(settings)
        """

    @hookspec
    def step_engines(self) -> Iterable[StepEngine] | None:
        """The engines that this plugin brings: where steps of pipelines run, such as containers.

        Called on every plugin once a runner, and once more by a command that shows or loads settings. An engine has
        settings of its own: flags, variables, and a table of its name in ``delegate.toml``. It is opened and closed
        with the runner, which asks it every few seconds whether it is well; while it is not, no task of a type whose
        handler names it as its ``engine`` is taken, the runner is not ready, and the console says why. Two plugins
        that bring an engine of one name are a conflict, which names both.

        Example::

            @hookimpl
            def step_engines():
                return [StepEngine(name="docker", open=open_engine, settings=DockerSettings)]
        """

    @hookspec
    def task_handlers(self, engines: Collection[str]) -> Iterable[TaskHandler] | None:
        """The task handlers that this plugin brings; see ``delegate_core.handler``.

        Called on every plugin once a runner. ``engines`` are the names of the runner's engines: a handler that needs
        one says so, ``Handler(..., engine="docker")``, and gets it by ``context.engine("docker")``. Two plugins that
        serve one task type are a conflict, which names both.

        Example::

            @hookimpl
            def task_handlers():
                return [fib]
        """

    @hookspec
    def task_middleware(self) -> Iterable[Middleware] | None:
        """What this plugin puts around every task: async functions that take ``(task, context, proceed)``.

        Called on every plugin once a runner. The first one is the outermost, and a program's own stand around those
        of plugins. Each sees the task, goes on with ``await proceed(task)`` (not at all, to refuse; again, to retry)
        and answers the result. One that raises fails its task, which names it.

        Example::

            @hookimpl
            def task_middleware():
                return [timed]
        """

    @hookspec(firstresult=True)
    def development_server(self, options: Mapping[str, str]) -> DevelopmentServer | None:
        """An embedded server of the backend's interface, for ``delegate dev`` and ``delegate demo``.

        Called on the chosen backend's module. ``options`` are the ``--option name=value`` of the command line. None:
        this backend has none.

        Example::

            @hookimpl
            def development_server(options):
                return HarnessDevelopmentServer(options)
        """

    @hookspec
    def diagnostics(self, diagnosis: Diagnosis) -> Iterable[Check] | None:
        """What ``delegate doctor`` shall check besides what it knows itself; see ``delegate_core.diagnosis``.

        Asked of every plugin, the backend too, by that command; and every hour by ``delegate run``, for what the checks
        of clock and TLS find. ``diagnosis`` is the runner that is looked at: its
        settings, what it would announce, its folder. A check looks and changes nothing, here or on a server, takes no
        task away from anybody, and may run beside the runner itself. They all run at one time, each within its own. One
        with the name of a check of the core's, such as ``git``, stands in its place.

        Example::

            @hookimpl
            def diagnostics(diagnosis):
                async def licence():
                    days = days_left()
                    return Finding.ok(f"{days} days") if days > 7 else Finding.warning(f"{days} days", "buy another")

                return [Check(name="licence", run=licence)]
        """

    # ------------------------------------------------------------------ the session

    @hookspec(firstresult=True)
    async def authenticate(self, settings: RunnerSettings) -> Credentials:
        """Make the credentials that the session's calls carry. No request is sent.

        Called at start, and again when a session has to be made anew. A secret that cannot work fails here with
        `CredentialsError`, saying what to mend; it never shows in a text or a repr.

        Example::

            @hookimpl
            async def authenticate(self, settings):
                return TokenSource(self.settings.account_id, self.settings.secret())
        """

    @hookspec(firstresult=True)
    async def register(self, registration: Registration, credentials: Credentials) -> Session:
        """Announce the runner and return the session: its identity, its client, what the server decided.

        Called at start, after a `Moved` (then ``registration.address`` is the new address) and when a hook asked for
        it. May raise `Stop`, `Drain` and `Moved`; anything else is tried again, at start for as long as
        ``register_timeout`` allows, later for ever.

        Example::

            @hookimpl
            async def register(self, registration, credentials):
                client = Client(registration.address or self.settings.endpoint, credentials)
                return ExampleSession(await client.register(registration), client)
        """

    @hookspec(firstresult=True)
    async def resume(self, identity: SessionIdentity, session: Session) -> Session | None:
        """Bring back a session of an earlier life, from its journaled identity, for the tasks claimed in it.

        ``session`` is the present one. None: that was another account or server; its entries are kept aside and
        named, never sent. Without an implementation the present session serves where server and account are equal.

        Example::

            @hookimpl
            async def resume(self, identity, session):
                return session.as_delegate(identity.runner_id) if identity.account == session.account else None
        """

    @hookspec(firstresult=True)
    async def fetch_tasks(self, session: Session, inbox: Inbox) -> None:
        """Bring the server's offers and cancellations to the inbox. Runs as long as the session.

        ``inbox.room()`` is the number of free slots now, ``await inbox.wait_for_room()`` waits for one, and
        ``await inbox.offer(Offer(...))`` returns once the offer is settled; ``inbox.submit`` does not wait.
        ``inbox.cancel(task_id)`` cancels. Where cancellations come this way, go on while there is no room: full,
        paused and draining look the same. Returning, or raising a passing fault, means being called again.

        Example::

            @hookimpl
            async def fetch_tasks(self, session, inbox):
                while True:
                    await inbox.wait_for_room()
                    for found in await session.client.poll():
                        await inbox.offer(Offer(found.id, found.type))
        """

    @hookspec
    def accept_task(self, offer: Offer) -> str | None:
        """Veto an offer before it is claimed: the reason, or None to let it pass.

        Asked of every plugin for every offer, so it must be quick. A plugin that raises is logged and passes.

        Example::

            @hookimpl
            def accept_task(offer):
                return "no deploys on Friday" if offer.type == "deploy" and friday() else None
        """

    @hookspec(firstresult=True)
    async def claim(self, session: Session, offer: Offer, again: bool) -> Task | Ended | None:  # noqa: FBT001 - pluggy passes by name
        """Claim an offer. None: it is not ours. `Ended`: it is ours, but must be ended with that result.

        Called only when the intent is in the journal, and idempotent: after a passing fault, whose reply may have
        been lost, and after a restart it is called with ``again=True`` until it answers. A backend whose claim goes on
        after the server has answered calls ``offer.settled()`` then, which frees the poller.

        Example::

            @hookimpl
            async def claim(self, session, offer, again):
                reply = await session.client.acquire(offer.task_id)
                return Task(id=reply.id, type=reply.type, data=reply.data) if reply else None
        """

    # ------------------------------------------------------------------ a task's life

    @hookspec(firstresult=True)
    async def dispatch(
        self, task: Task, context: TaskContext, run_here: Callable[[Task, TaskContext], Awaitable[TaskResult]]
    ) -> TaskResult | None:
        """Execute the task and return its result. None: not mine, ask the next.

        The core's own implementation comes last: it finds the handler and runs it here. ``run_here`` is that one, for a
        plugin that only has something to do before or after it. A plugin may run the task elsewhere while log,
        progress and cancellation pass through ``context``. Being cancelled means that the deadline has
        passed or that the task is cancelled: clean up and let the cancellation through. Anything raised is a failure
        of the task, with its text.

        Example::

            @hookimpl(tryfirst=True)
            async def dispatch(task, context):
                return await cluster.run(task, context) if task.type in cluster.types else None
        """

    @hookspec(firstresult=True)
    async def resolve_secret(self, provider: str, reference: str) -> str | None:
        """The value of a secret that the runner's settings name, such as ``npm = "vault:secret/ci/npm#token"``.

        Called before a task whose data says ``${{secrets.npm}}``, with ``vault`` and ``secret/ci/npm#token``; each
        time, so that a renewed secret needs no restart. None: not my provider, ask the next. The core's own come last:
        ``env``, ``file`` and ``vault``. Raise `SecretError` where it cannot be had: the task fails with its text,
        which must not hold the value. What is answered is masked in all that the task prints.

        Example::

            @hookimpl
            async def resolve_secret(provider, reference):
                return await keyring.read(reference) if provider == "keyring" else None
        """

    @hookspec
    def task_environment(self, task: Task, step: str) -> Mapping[str, str] | None:
        """Variables for the processes of a task, or of one of its steps: ``step`` is its name, empty for its own.

        Asked of every plugin before such a process starts, so it must be quick. What the task or its pipeline sets
        itself wins, then the plugin that was asked first. A plugin that raises is logged, and gives none. They are no
        place for secrets: nothing hides them.

        Example::

            @hookimpl
            def task_environment(task, step):
                return {"PIP_INDEX_URL": "http://cache.example/simple"}
        """

    @hookspec(firstresult=True)
    async def progress(
        self, session: Session, task: Task, event: Event, save: Callable[[JsonValue], Awaitable[None]]
    ) -> JsonValue:
        """Tell the server how far a task has come; return the backend's new state.

        Called for a handler's ``context.progress(...)``. The state is journaled before the task goes on; ``save``
        journals one midway, where a crash between two calls must leave no doubt. A passing fault is tried again until
        the deadline. Without an implementation events are dropped.

        Example::

            @hookimpl
            async def progress(self, session, task, event):
                return {**task.state, "version": await session.client.update(task.id, event)}
        """

    @hookspec(firstresult=True)
    async def open_log(self, session: Session, task: Task, stream: str) -> LogSink | None:
        """Open a stream for a task's log, or for that of a step; see ``delegate_core.logs.LogSink``.

        Called when the first line is printed. ``stream`` is a step's name, or "" for the task's own. None, or no
        implementation: the log stays on this machine. A passing fault is tried again while the task runs on.
        Also called at start for the logs that an earlier life did not send, with what the journal knows of the task:
        its id, type, timeout and state.

        Example::

            @hookimpl
            async def open_log(self, session, task, stream):
                return await LogServiceSink.open(session.logs, task.state["log_key"])
        """

    @hookspec(firstresult=True)
    async def watch(self, session: Session, task: Task) -> TaskCancelled | Gap:
        """Wait until the server cancels this task: a second way for servers that do not say it to ``fetch_tasks``.

        Called for each running task, again after each `Gap` and each passing fault; a `Gap` makes the core ask the
        server by a `Touch`. Ended with the task. Without an implementation nothing is watched.

        Example::

            @hookimpl
            async def watch(self, session, task):
                await session.client.wait_for_cancel(task.id)
                return TaskCancelled("cancelled by a user")
        """

    @hookspec(firstresult=True)
    async def report(
        self,
        session: Session,
        task: Task,
        result: TaskResult,
        save: Callable[[JsonValue], Awaitable[None]],
        attempts: Attempts,
    ) -> Delivery:
        """Deliver a task's result.

        Called when the result is in the journal, and again after a passing fault or a restart, until it answers:
        delivered, gone (ended elsewhere), or never, with the reason. ``save`` journals the backend's state midway.
        One that makes several calls and tries each again by itself says so to ``attempts`` and waits by it.

        Example::

            @hookimpl
            async def report(self, session, task, result):
                await session.client.finish(task.id, result.outcome, result.data)
                return Delivery()
        """

    # ------------------------------------------------------------------ around it

    @hookspec(firstresult=True)
    async def recover(self, session: Session, entry: Entry) -> Run | Finish | Forget:
        """Decide what becomes of a task that an earlier life of this runner had claimed but not finished.

        Called at start for each such entry that has no result; leftovers of it have been ended. `Run` is possible only
        for an entry that had not started. Without an implementation a claimed task is claimed again and run, and a
        started one is finished as failed, "runner restarted".

        Example::

            @hookimpl
            async def recover(self, session, entry):
                return Finish(TaskResult.lost_in_crash())
        """

    @hookspec(firstresult=True)
    async def heartbeat(self, session: Session) -> None:
        """Tell the server that we live. Called every ``session.heartbeat_interval`` seconds.

        Example::

            @hookimpl
            async def heartbeat(self, session):
                await session.client.heartbeat()
        """

    @hookspec(firstresult=True)
    async def deregister(self, session: Session) -> None:
        """Say goodbye. Called once at the end of a drain, never while a result is undelivered.

        Example::

            @hookimpl
            async def deregister(self, session):
                await session.client.unregister()
        """

    # ------------------------------------------------------------------ observations: sync, quick, harmless

    @hookspec
    def task_claimed(self, task: Task) -> None:
        """A task is ours and in the journal. What an observer raises is logged and never hurts the task.

        Example::

            @hookimpl
            def task_claimed(task):
                claimed.labels(task.type).inc()
        """

    @hookspec
    def task_started(self, task: Task) -> None:
        """A task's handler is about to run.

        Example::

            @hookimpl
            def task_started(task):
                running.labels(task.type).inc()
        """

    @hookspec
    def task_logged(self, task: Task, line: LogLine, stream: str) -> None:
        """A task printed a line, masked; ``stream`` is the step that did, empty for the task itself.

        Called in the thread that printed it; must be quick.

        Example::

            @hookimpl
            def task_logged(task, line):
                print(task.id, line.text)
        """

    @hookspec
    def task_progressed(self, task: Task, event: Event) -> None:
        """A task of several steps has come further: its steps are known, or one of them began or ended.

        Told before the server is, so that what is shown here does not wait for the network. A `Touch` is not told.

        Example::

            @hookimpl
            def task_progressed(task, event):
                if isinstance(event, StepEnded):
                    print(task.id, event.step.name, event.step.status)
        """

    @hookspec
    def task_finished(self, task: Task, result: TaskResult, duration: float) -> None:
        """A task's result is in the journal; ``duration`` is in seconds from start to end.

        Example::

            @hookimpl
            def task_finished(task, result, duration):
                seconds.labels(task.type, result.outcome).observe(duration)
        """

    @hookspec
    def server_called(self, operation: str, outcome: str, seconds: float, request: Request | None) -> None:
        """A call to the server has ended, after so many seconds, tries within it included.

        ``operation`` is one of the backend's few names for its calls, such as ``heartbeat``; a long poll is one too,
        with the time that it waited. ``outcome`` is ``ok``, or what stood in the way: ``connect``, ``tls``,
        ``timeout``, ``interrupted``, ``3xx``, ``4xx``, ``5xx``, ``malformed``, ``other``. A call that was cancelled is
        not told. ``request`` is the last one that was sent for it: its method, its address without the query, the
        status of the reply. Told where the call was made, so that `delegate_core.concern.concern` says for which task.
        It is on the way of every task, so be quick.

        Example::

            @hookimpl
            def server_called(operation, outcome, seconds):
                latency.labels(operation).observe(seconds)
        """

    @hookspec
    def runner_state(self, state: str, reason: str) -> None:
        """The runner is now ``registering``, ``running``, ``paused``, ``draining``, ``stopping`` or ``stopped``.

        Example::

            @hookimpl
            def runner_state(state, reason):
                log.info("runner %s: %s", state, reason)
        """
