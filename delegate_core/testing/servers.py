"""Embedded servers in tests: a backend's development server, with a runner of one's handlers beside it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from delegate_core.development import DevelopmentServer, ServerTask
from delegate_core.development.beside import development_server, runner_beside
from delegate_core.errors import PluginError
from delegate_core.handlers.base import Serving, TaskHandler
from delegate_core.model import JsonValue
from delegate_core.plugins import backend_module, installed
from delegate_core.settings import RunnerSettings

__all__ = ["Embed", "EmbeddedServer", "ServedTask", "backends_with_servers", "embedded"]

_PATIENCE = 30.0
"""Seconds for a task and for the end of the runner."""


@dataclass(frozen=True, slots=True)
class ServedTask:
    """A task as the server saw it end; ``outcome`` is the server's own word. ``log`` is what it was sent."""

    outcome: str
    data: JsonValue
    error: str
    log: str


class EmbeddedServer:
    """A server in a thread of its own, for tests that are plain functions."""

    def __init__(self, portal: BlockingPortal, server: DevelopmentServer) -> None:
        self._portal = portal
        self._server = server

    def run(self, task_type: str, data: JsonValue = None, *, timeout: float = 20.0) -> ServedTask:
        """Submit a task, wait for its end, and return it with its log.

        Raises:
            SubmissionError: the server does not take it.
            TimeoutError: it does not end.
        """
        return self._portal.call(self._run, self._server.task_text(task_type, data, timeout))

    def run_text(self, text: str) -> ServedTask:
        """The same for a file as ``delegate submit`` takes it."""
        return self._portal.call(self._run, text)

    async def _run(self, text: str) -> ServedTask:
        with anyio.fail_after(_PATIENCE):
            (task_id,) = self._server.submit(text, {})
            ended: ServerTask = await self._server.finished(task_id)
            lines = [line async for line in self._server.log(task_id, follow=True)]
        return ServedTask(ended.outcome, ended.data, ended.error, "".join(lines))


def backends_with_servers() -> list[str]:
    """The installed backends that bring an embedded server."""
    names = dict.fromkeys(one.name for one in installed() if one.kind == "backend")
    return [name for name in names if _brings_one(name)]


def _brings_one(name: str) -> bool:
    try:
        development_server(backend_module(name), [])
    except PluginError:
        return False
    return True


@contextmanager
def embedded(backend: str, *handlers: Serving) -> Iterator[EmbeddedServer]:
    """A backend's embedded server with a runner beside it.

    The runner has these handlers (plain functions serve the type that is their name), or without any those of the
    installed plugins, as an operator's runner does.
    """
    with start_blocking_portal("asyncio") as portal:
        server = development_server(backend_module(backend), [])
        with portal.wrap_async_context_manager(_served(backend, server, handlers)):
            yield EmbeddedServer(portal, server)


@asynccontextmanager
async def _served(backend: str, server: DevelopmentServer, handlers: tuple[Serving, ...]) -> AsyncIterator[None]:
    # pyreqwest (0.15) may crash where one process opens it in a second thread, and each server has a thread.
    settings = RunnerSettings(
        backend=backend, name="test", capacity=8, poll_interval=0.05, grace=0.5, transport="httpx"
    )
    own = {one.task_type if isinstance(one, TaskHandler) else one.__name__: one for one in handlers}
    with tempfile.TemporaryDirectory(prefix="delegate-test-") as state:
        async with server.serve(0), anyio.create_task_group() as group:
            runner = runner_beside(
                backend_module(backend), server, settings, Path(state), handlers=own, installed=not own
            )
            group.start_soon(runner.run)
            yield
            runner.stop("the test is over")


Embed = Callable[..., EmbeddedServer]
"""The fixture ``embedded_server``; its arguments are those of `embedded`."""
