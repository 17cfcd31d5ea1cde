"""Runners with the Harness backend, started and ended within a test."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from delegate_core import Runner
from delegate_core.errors import DelegateError
from delegate_core.http import TlsOptions, open_transport
from delegate_core.journal import Journal
from delegate_core.model import Entry
from delegate_core.settings import RunnerSettings
from delegate_core.statefolder import StateFolder
from delegate_harness import HarnessBackend
from delegate_harness.auth import MadeTokens
from delegate_harness.client import ManagerClient
from delegate_harness.manager import EmbeddedManager
from delegate_harness.session import HarnessSession, Identity
from tests.harness.scripted import ACCOUNT, SECRET, ScriptedManager

Handlers = Mapping[str, Callable[..., Any]]


def proof(server: EmbeddedManager | ScriptedManager) -> dict[str, Any]:
    """Where and as whom to connect."""
    if isinstance(server, ScriptedManager):
        return {"endpoint": server.url, "account_id": ACCOUNT, "account_secret": SECRET}
    return {
        "endpoint": server.url,
        "account_id": server.account_id,
        "account_secret": server.account_secret,
        "log_url": server.log_service_url,
    }


class Started:
    """A runner under way."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.error: DelegateError | None = None
        self._done = anyio.Event()
        self._scope = anyio.CancelScope()

    async def live(self) -> None:
        try:
            with self._scope:
                await self.runner.run()
        except DelegateError as error:
            self.error = error
        finally:
            self._done.set()

    async def ended(self, within: float = 40.0) -> DelegateError | None:
        """Wait for its end; the error it ended with."""
        with anyio.fail_after(within):
            await self._done.wait()
        return self.error

    async def kill(self) -> None:
        """End it without a last word, as a crash would."""
        self._scope.cancel()
        await self.ended()


def make_runner(
    server: EmbeddedManager | ScriptedManager,
    folder: Path,
    handlers: Handlers,
    *,
    name: str = "builder",
    backend: Mapping[str, Any] | None = None,
    plugins: Iterable[object] = (),
    **settings: Any,
) -> Runner:
    fields = {**proof(server), **(backend or {})}
    quick = {"poll_interval": 0.05, "drain_timeout": 5.0, "grace": 0.2, "register_timeout": 5.0}
    return Runner(
        HarnessBackend(**{name: value for name, value in fields.items() if value is not None}),
        handlers,
        settings=RunnerSettings(name=name, **{**quick, **settings}),
        plugins=plugins,
        state_dir=folder / name,
    )


@asynccontextmanager
async def running(
    server: EmbeddedManager | ScriptedManager, folder: Path, handlers: Handlers, **options: Any
) -> AsyncIterator[Started]:
    """A runner, stopped at the end of the block."""
    started = Started(make_runner(server, folder, handlers, **options))
    async with anyio.create_task_group() as group:
        group.start_soon(started.live)
        try:
            yield started
        finally:
            started.runner.stop()
            with anyio.CancelScope(shield=True):
                await started.ended()


@asynccontextmanager
async def session_at(scripted: ScriptedManager, *, instance: str = "mine") -> AsyncIterator[HarnessSession]:
    """A session without a runner around it."""
    transport = open_transport(TlsOptions())
    client = ManagerClient(transport, scripted.url, ACCOUNT, MadeTokens(ACCOUNT, SECRET))
    try:
        yield HarnessSession(client, "dlg1", Identity("n", "h", "127.0.0.1", instance), {}, 10.0)
    finally:
        await transport.aclose()


def entries(folder: Path, name: str = "builder") -> list[Entry]:
    """What the journal of an ended runner holds."""
    with StateFolder(folder / name) as state, Journal(state) as journal:
        return journal.recent()


async def eventually(condition: Callable[[], Any], within: float = 40.0) -> None:
    """Look again and again until a condition holds that tells no event of its own."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        await anyio.sleep(0.005)
