"""ASGI apps as handlers: Starlette, FastAPI or any other, mounted on a task type and called without a network."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar
from urllib.parse import unquote

import anyio
from pydantic import ConfigDict

from delegate_core.cancellation import raise_if_cancelled
from delegate_core.errors import PluginError
from delegate_core.handlers.base import Execute, TaskHandler
from delegate_core.handlers.context import TaskContext
from delegate_core.handlers.exchange import (
    Answer,
    TooMuch,
    request_body,
    result_of,
    task_headers,
    within_time,
)
from delegate_core.handlers.options import ExchangeOptions, checked, values
from delegate_core.handlers.options import Path as RequestPath
from delegate_core.model import Task, TaskResult
from delegate_core.settings import RunnerSettings
from delegate_core.settings.secretfrom import SecretUnavailable, secret_names

__all__ = ["AsgiApp", "AsgiHandler", "AsgiOptions", "asgi"]

Message = MutableMapping[str, Any]
AsgiApp = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

_STARTING = 30.0
"""Seconds that an app has to start, and as many to shut down."""


class AsgiOptions(ExchangeOptions):
    """What may be declared of an ASGI app, besides what all kinds share.

    Attributes:
        path: of the request, with its query.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: RequestPath = "/"


class AsgiHandler(TaskHandler):
    """Calls an ASGI app for each task. The app's lifespan is the runner's.

    Within the app, ``scope["state"]`` (Starlette's ``request.state``) has ``task`` and ``context``: the `Task`, and the
    `TaskContext` with its log, folder, mask and processes.
    """

    kind: ClassVar[str] = "asgi"

    def __init__(self, task_type: str, app: AsgiApp, options: AsgiOptions, name: str = "") -> None:
        super().__init__(task_type, limit=options.limit, announce=options.announce)
        self.app = app
        self.options = options
        self._name = name

    @property
    def origin(self) -> str:
        """The app's name or class."""
        return self._name or f"{type(self.app).__module__}.{type(self.app).__qualname__}"

    def renamed(self, task_type: str) -> AsgiHandler:
        """The same app for another task type."""
        return AsgiHandler(task_type, self.app, self.options, self._name)

    def check(self) -> None:
        """Whether it can be called at all."""
        if not callable(self.app):
            raise PluginError(f"handler {self.task_type!r}: {self.app!r} is no ASGI app")

    def secrets(self) -> frozenset[str]:
        """Those of its options."""
        return frozenset(secret_names(self.options))

    @asynccontextmanager
    async def opened(self, settings: RunnerSettings) -> AsyncIterator[Execute]:  # noqa: ARG002 - it needs none
        """With the app started, and shut down in the end."""
        lifespan = _Lifespan(self.app, f"the app of handler {self.task_type!r}")

        async def execute(task: Task, context: TaskContext) -> TaskResult:
            return await within_time(self.options, lambda: self._execute(task, context, lifespan.state))

        async with lifespan.running():
            yield execute

    async def execute(self, task: Task, context: TaskContext) -> TaskResult:
        """Call it for one task, started for that."""
        async with self.opened(RunnerSettings()) as execute:
            return await execute(task, context)

    async def _execute(self, task: Task, context: TaskContext, state: dict[str, Any]) -> TaskResult:
        try:
            headers = {**task_headers(task, context), **await values(self.options.headers, context)}
        except SecretUnavailable as error:
            return TaskResult.failed(str(error))
        call = _Call(self.app, self.options, request_body(self.options, task) or b"")
        scope = _scope(self.options, headers, {**state, "task": task, "context": context})
        try:
            await call.made(scope, context)
            answer = call.answer()
        except TooMuch as error:
            return TaskResult.failed(f"{self.origin} {error}")
        except (GeneratorExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever an app raises is the task's failure
            raise_if_cancelled()
            context.log("".join(traceback.format_exception(error)).rstrip(), level="error")
            return TaskResult.failed(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
        if answer is None:
            return TaskResult.failed(f"{self.origin} ended without a whole response")
        return result_of(answer, self.options, context)


def asgi(task_type: str, app: AsgiApp, **options: Any) -> AsgiHandler:
    """A handler that calls an ASGI app: Starlette, FastAPI or any other.

    ::

        asgi("thumbnail", app, path="/thumbnail")

    Args:
        task_type: the type, or a pattern.
        app: the app; not a factory of one.
        options: the fields of `AsgiOptions`.

    Raises:
        PluginError: an option cannot be used.
    """
    return AsgiHandler(task_type, app, checked(AsgiOptions, task_type, options))


def _scope(options: AsgiOptions, headers: dict[str, str], state: dict[str, Any]) -> Message:
    route, _, query = options.path.partition("?")
    lines = {"host": "localhost", "content-type": "application/json"}
    lines |= {name.lower(): value for name, value in headers.items()}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": options.method,
        "scheme": "http",
        "path": unquote(route),
        "raw_path": route.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines.items()],
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 80),
        "state": state,
    }


class _Call:
    """One request to an app, from the server's side."""

    def __init__(self, app: AsgiApp, options: AsgiOptions, body: bytes) -> None:
        self._app = app
        self._limit = options.output_limit
        self._request: list[bytes] = [body]
        self._start: Message | None = None
        self._body = bytearray()
        self._whole = False
        self._over = anyio.Event()

    async def made(self, scope: Message, context: TaskContext) -> None:
        """Call the app and wait for its end, its background work included. The app has an asyncio task of its own.

        When cancelled, it is told that the client is gone, and cancelled where it awaits; one that goes on, such as
        in a thread that nothing can end, is left after the grace, and its slot stays taken until its end.
        """
        life = anyio.CancelScope()  # the asyncio task's own cancellation would not wait for threads
        running = asyncio.ensure_future(_within(life, self._app(scope, self._receive, self._send)))
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError:
            context.cancelled.set(context.cancelled.cause)
            self._over.set()
            life.cancel()
            with anyio.CancelScope(shield=True), anyio.move_on_after(context.grace):
                await asyncio.wait([running])
            if not running.done():
                context.outlived_by = _end_of(running)
            elif not running.cancelled():
                running.exception()  # looked at, so that nobody complains of it
            raise
        running.result()

    def answer(self) -> Answer | None:
        """The response, if it is whole."""
        if self._start is None or not self._whole:
            return None
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._start.get("headers", ())]
        return Answer(int(self._start.get("status", 0)), headers, bytes(self._body))

    async def _receive(self) -> Message:
        if self._request:
            return {"type": "http.request", "body": self._request.pop(), "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = self._start or message
        elif message["type"] == "http.response.body" and not self._whole:
            self._body += message.get("body", b"")
            if len(self._body) > self._limit:
                raise TooMuch(self._limit)
            if not message.get("more_body", False):
                self._whole = True
                self._over.set()


async def _within(life: anyio.CancelScope, work: Awaitable[None]) -> None:
    with life:
        await work


def _end_of(running: asyncio.Future[None]) -> anyio.Event:
    ended = anyio.Event()

    def note(done: asyncio.Future[None]) -> None:
        if not done.cancelled():
            done.exception()
        ended.set()

    running.add_done_callback(note)
    return ended


class _Lifespan:
    """An app's start-up and shut-down. An app that knows no lifespan has none."""

    def __init__(self, app: AsgiApp, who: str) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._who = who
        self._started, self._leave, self._ended = anyio.Event(), anyio.Event(), anyio.Event()
        self._asked = False
        self._failure = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start it, and shut it down in the end.

        Raises:
            PluginError: it says that it cannot start, or does not say anything in time.
        """
        life = asyncio.ensure_future(self._live())
        try:
            with anyio.move_on_after(_STARTING):
                await self._started.wait()
            if self._failure or not self._started.is_set():
                reason = self._failure or f"said nothing for {_STARTING:g}s"
                raise PluginError(f"{self._who} cannot start: {reason}")
            yield
        finally:
            self._leave.set()
            with anyio.CancelScope(shield=True):
                with anyio.move_on_after(_STARTING):
                    await self._ended.wait()
                life.cancel()
                await asyncio.wait([life])

    async def _live(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - raised before it asked for anything, it says that there is none
            if self._asked and not self._started.is_set():
                self._failure = f"{type(error).__name__}: {error}"
        finally:
            self._started.set()
            self._ended.set()

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "lifespan.startup"}
        await self._leave.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        match message["type"]:
            case "lifespan.startup.complete":
                self._started.set()
            case "lifespan.startup.failed":
                self._failure = message.get("message") or "it gave no reason"
                self._started.set()
            case _:
                self._ended.set()
