"""The manager on a socket of this process, for tests and for ``delegate dev``."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import anyio

from delegate_core.development.bounded import BoundedConnection, Bounds, configured
from delegate_core.development.dating import dated
from delegate_core.development.serving import GuestServer, listen

from .app import Parts, build_app
from .endpoint import HANGUP_KEY
from .faults import Faults
from .logstore import LogStore
from .records import Submission, TaskRecord
from .rules import Rules
from .state import ManagerState

__all__ = ["EmbeddedManager"]

_SILENT = logging.getLogger(f"{__name__}.connection")
_SILENT.disabled = True

_BOUNDS = Bounds(connections=1024, body=64 * 1024 * 1024, idle_time=75.0)
"""A runner sends whole logs and results, and keeps its connections as it does with a real server."""


class EmbeddedManager:
    """A Harness-style manager on loopback, in the event loop that enters it.

    ::

        async with EmbeddedManager() as manager:
            task_id = manager.submit(Submission("fib", {"n": 10}))
            task = await manager.wait_finished(task_id)

    Args:
        account_id: The account that exists from the start.
        account_secret: Its key, 32 hexadecimal digits; None: a random one.
        rules: How tasks are treated.
        clock: Seconds since the epoch.
        port: TCP port on 127.0.0.1; 0: a free one.
    """

    def __init__(
        self,
        account_id: str = "embedded",
        account_secret: str | None = None,
        *,
        rules: Rules | None = None,
        clock: Callable[[], float] = time.time,
        port: int = 0,
    ) -> None:
        self.state = ManagerState(rules, clock=clock)
        account = self.state.accounts.add(account_id, account_secret)
        self.account_id = account.account_id
        self.account_secret = account.secret
        self.url = ""
        """``http://127.0.0.1:<port>`` once entered."""
        self._parts = Parts.around(self.state)
        self._port = port
        self._news = anyio.Event()
        self._stack = AsyncExitStack()
        self.state.subscribe(self._notify)
        self.logs.subscribe(self._notify)
        self.faults.subscribe(self._notify)

    @property
    def faults(self) -> Faults:
        """The faults in force."""
        return self._parts.faults

    @property
    def logs(self) -> LogStore:
        """What the log service holds."""
        return self._parts.logs

    @property
    def log_service_url(self) -> str:
        """Base address of the log service."""
        return f"{self.url}/log-service"

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            listener = stack.enter_context(listen(self._port))
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            group = await stack.enter_async_context(anyio.create_task_group())
            server = GuestServer(
                configured(
                    dated(build_app(self._parts), self.state.clock), _BOUNDS, connection=_Connection, date_header=False
                )
            )
            group.start_soon(server.serve, [listener])
            group.start_soon(self._tick)
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

    def submit(self, spec: Submission) -> str:
        """Create a task and return its id; errors as ``ManagerState.submit``."""
        return self.state.submit(spec, self.account_id)

    def abort(self, task_id: str) -> bool:
        """Abort a task; errors as ``ManagerState.abort``."""
        return self.state.abort(task_id)

    def task(self, task_id: str) -> TaskRecord:
        """The task; KeyError where it is unknown."""
        return self.state.task(task_id)

    async def wait_for(self, predicate: Callable[[ManagerState], bool], timeout: float = 30.0) -> None:  # noqa: ASYNC109 - a test reads best with its deadline as an argument
        """Return once ``predicate`` holds; it is asked again after every change.

        Raises:
            TimeoutError: It did not within ``timeout`` seconds.
        """
        with anyio.fail_after(timeout):
            while not predicate(self.state):
                await self._news.wait()

    async def wait_finished(self, task_id: str, timeout: float = 30.0) -> TaskRecord:  # noqa: ASYNC109 - as wait_for
        """Return the task once it has its outcome.

        Raises:
            TimeoutError: It has none within ``timeout`` seconds; the text says what it waits for.
        """
        try:
            await self.wait_for(lambda state: state.task(task_id).finished, timeout)
        except TimeoutError:
            raise TimeoutError(self._unfinished(task_id, timeout)) from None
        return self.task(task_id)

    def _unfinished(self, task_id: str, seconds: float) -> str:
        status, waiting = self.task(task_id).status, self.state.waiting(task_id)
        return f"task {task_id} is {status} after {seconds:g} s" + (f": {waiting}" if waiting else "")

    def _notify(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def _tick(self) -> None:
        """Apply the rules of time again and again; ends with the server, by cancellation."""
        while True:
            await anyio.sleep(self.state.rules.tick_seconds)
            self.state.tick()


class _Connection(BoundedConnection):
    """uvicorn's connection, which also lets a call break it: ASGI has no word for that.

    It is silenced here, since uvicorn's own settings for that change the loggers of the whole process.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base
        super().connection_made(transport)
        self.app_state = {HANGUP_KEY: transport.abort}
        self.logger = _SILENT
        self.access_log = False
