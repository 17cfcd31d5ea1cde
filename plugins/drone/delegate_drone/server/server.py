"""The server on a socket of this process, for tests and for ``delegate dev``."""

from __future__ import annotations

import asyncio
import logging
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

from delegate_core.development.bounded import BoundedConnection, Bounds, configured
from delegate_core.development.dating import dated
from delegate_core.development.serving import GuestServer, listen

from .api import user_interface
from .builds import Order
from .exchange import WIRE_KEY, Connection
from .parts import Keys, Parts
from .pulls import PullRequests
from .records import Build, Stage
from .rpc import PREFIX, RunnerCalls
from .rules import Rules

__all__ = ["EmbeddedDrone"]

_SILENT = logging.getLogger(f"{__name__}.connection")
_SILENT.disabled = True

_BOUNDS = Bounds(connections=1024, body=64 * 1024 * 1024, idle_time=75.0)
"""A runner sends whole logs and results, and keeps its connections as it does with a real server."""

_FILE = "drone.sqlite"
_PULLS = "pulls"


class EmbeddedDrone:
    """A Drone-style server on loopback, in the event loop that enters it.

    ::

        async with EmbeddedDrone() as drone:
            build = drone.create(Order(text="kind: pipeline\\ntype: fib\\nname: numbers\\n"))
            stage = await drone.wait_finished(drone.stages_of(build.id)[0].id)

    Args:
        folder: where the database is kept; None: a temporary one.
        rules: how it behaves.
        keys: who may call; None: random ones.
        clock: seconds since the epoch.
        choice: which of several waiting runners gets a stage.
        port: TCP port on 127.0.0.1; 0: a free one.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        rules: Rules | None = None,
        keys: Keys | None = None,
        clock: Callable[[], float] = time.time,
        choice: random.Random | None = None,
        port: int = 0,
    ) -> None:
        self.rules, self.keys = rules or Rules(), keys or Keys()
        self.url = ""
        """``http://127.0.0.1:<port>`` once entered."""
        self._folder, self._clock, self._choice, self._port = folder, clock, choice, port
        self._parts: Parts | None = None
        self._pulls: PullRequests | None = None
        self._stack = AsyncExitStack()

    @property
    def parts(self) -> Parts:
        """Its parts, while it runs: the store, the queue, the faults, the counts of calls."""
        if self._parts is None:
            raise RuntimeError("the embedded server is not running")
        return self._parts

    @property
    def pulls(self) -> PullRequests:
        """The copies of repositories that have had pull requests."""
        if self._pulls is None:
            raise RuntimeError("the embedded server is not running")
        return self._pulls

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            listener = stack.enter_context(listen(self._port))
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            folder = self._opened_folder(stack)
            self._pulls = PullRequests(folder / _PULLS)
            self._parts = parts = Parts.around(
                folder / _FILE, self.rules, self.keys, clock=self._clock, choice=self._choice
            )
            stack.callback(parts.store.close)
            parts.faults.subscribe(parts.news.tell)
            group = await stack.enter_async_context(anyio.create_task_group())
            server = GuestServer(
                configured(
                    dated(_application(parts, lambda: self.url), self._clock),
                    _BOUNDS,
                    connection=_Connection,
                    date_header=False,
                )
            )
            group.start_soon(server.serve, [listener])
            group.start_soon(self._match_again)
            stack.callback(group.cancel_scope.cancel)
            stack.push_async_callback(server.stop)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The server has no part in an error of the body: the task group would wrap it in an exception group.
        if isinstance(error, anyio.get_cancelled_exc_class()):
            await self._stack.__aexit__(kind, error, trace)
        else:
            await self._stack.aclose()

    def _opened_folder(self, stack: AsyncExitStack) -> Path:
        if self._folder is None:
            return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="delegate-drone-")))
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._folder

    # ------------------------------------------------------------------ builds

    def create(self, order: Order) -> Build:
        """Make a build; errors as ``Builds.create``."""
        build = self.parts.builds.create(order)
        self.parts.news.tell()
        return build

    def cancel(self, build_id: int) -> bool:
        """Cancel a build as a user does; False if it has ended.

        Raises:
            NoRowError: there is no such build.
        """
        build = self.parts.store.builds.find(build_id)
        alive = build.status in {"pending", "running"}
        self.parts.lifecycle.cancel(build)
        self.parts.news.tell()
        return alive

    def build(self, build_id: int) -> Build:
        """A build.

        Raises:
            NoRowError: there is none.
        """
        return self.parts.store.builds.find(build_id)

    def stage(self, stage_id: int) -> Stage:
        """A stage with its steps.

        Raises:
            NoRowError: there is none.
        """
        stage = self.parts.store.stages.find(stage_id)
        return stage.model_copy(update={"steps": self.parts.store.steps_of(stage_id)})

    def stages_of(self, build_id: int) -> list[Stage]:
        """A build's stages with their steps."""
        return self.parts.store.stages_of(build_id, steps=True)

    # ------------------------------------------------------------------ waiting

    async def wait_for(self, condition: Callable[[Parts], Any], timeout: float = 30.0) -> None:  # noqa: ASYNC109 - a test reads best with its deadline as an argument
        """Return once a condition holds; it is asked again after every call and change.

        Raises:
            TimeoutError: it did not within ``timeout`` seconds.
        """
        with anyio.fail_after(timeout):
            await self.parts.news.wait_for(lambda: bool(condition(self.parts)))

    async def wait_finished(self, stage_id: int, timeout: float = 30.0) -> Stage:  # noqa: ASYNC109 - as wait_for
        """Return a stage once it is done.

        Raises:
            TimeoutError: it is not within ``timeout`` seconds.
        """
        await self.wait_for(lambda parts: parts.store.stages.find(stage_id).done, timeout)
        return self.stage(stage_id)

    def restart(self) -> None:
        """Forget what a restart of the real server forgets: live logs, waiting calls, cancel marks."""
        self.parts.restart()
        self.parts.news.tell()

    async def _match_again(self) -> None:
        """Match without an occasion; ends with the server, by cancellation."""
        while True:
            await anyio.sleep(self.rules.match_every)
            self.parts.queue.match()


def _application(parts: Parts, url: Callable[[], str]) -> ASGIApp:
    """Runners' calls and the user's interface on one port."""
    runners, users = RunnerCalls(parts, url), user_interface(parts)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        ours = path == PREFIX or path.startswith(f"{PREFIX}/")
        await (runners if ours else users)(scope, receive, send)

    return application


class _Connection(BoundedConnection):
    """uvicorn's connection, which also lets a call break it or write past HTTP: ASGI has no word for that.

    It is silenced here, since uvicorn's own settings for that change the loggers of the whole process.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base
        super().connection_made(transport)
        self.app_state = {WIRE_KEY: Connection(transport.abort, self._finish)}
        self.logger = _SILENT
        self.access_log = False

    def _finish(self, data: bytes) -> None:
        self.transport.write(data)
        self.transport.close()
