"""A runner whose status is served, over a server in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx

from delegate_core.cli.observing import Observation
from delegate_core.handlers import TaskContext
from delegate_core.model import StageStarted, StepEnded, StepReport, StepStarted
from delegate_core.runner import Runner
from delegate_core.settings import RunnerSettings
from delegate_core.status import StatusAddress
from delegate_core.testing.bench import Seen
from tests.core.memory_backend import MemoryServer

__all__ = ["PASSWORD", "Observed", "observed"]

PASSWORD = "invented-password"
SECRET = "canary-of-the-status"


@dataclass
class Observed:
    """What a test holds: the server, the runner, where its status is, and a client that may look."""

    server: MemoryServer
    runner: Runner
    address: StatusAddress
    client: httpx.AsyncClient
    stranger: httpx.AsyncClient
    release: anyio.Event
    seen: Seen

    async def state(self, name: str) -> None:
        """Wait until the runner is in this state."""
        await self.seen.wait(lambda seen: seen.states[-1:] and seen.states[-1][0] == name)

    async def json(self, path: str = "/status.json") -> Any:
        reply = await self.client.get(path)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def until(self, condition: str, found: Any) -> Any:
        """The status, once a part of it (``running.0.steps``) is as wanted."""
        with anyio.fail_after(40):
            while True:
                status = await self.json()
                if _part(status, condition) == found:
                    return status
                await anyio.sleep(0.02)

    async def order(self, path: str, body: Any = None) -> httpx.Response:
        return await self.client.post(path, json=body or {})


def _part(value: Any, path: str) -> Any:
    for key in path.split("."):
        try:
            value = value[int(key)] if key.isdecimal() else value[key]
        except (IndexError, KeyError):
            return None
    return value


@asynccontextmanager
async def observed(
    folder: Path, *, handlers: Mapping[str, Callable[..., Any]] | None = None, **settings: Any
) -> AsyncIterator[Observed]:
    """A running runner with the handlers ``quick``, ``steps`` (until released), ``broken`` and ``printing``."""
    release = anyio.Event()

    async def steps(context: TaskContext) -> str:
        build, test = StepReport(1, "build", "pending"), StepReport(2, "unit tests", "pending")
        await context.progress(StageStarted((build, test)))
        await context.progress(StepStarted(StepReport(1, "build", "running", started=1.0)))
        context.stream("build").line("\x1b[32mcompiled\x1b[0m <b>")
        await context.progress(StepEnded(StepReport(1, "build", "success", started=1.0, stopped=2.0)))
        await release.wait()
        return "done"

    async def quick(context: TaskContext) -> int:
        context.log(f"the secret is {SECRET}")
        return 1

    async def printing(params: int, context: TaskContext) -> None:
        for number in range(params):
            context.log(f"line {number}")

    async def broken() -> None:
        raise ValueError("no such thing")

    server, seen = MemoryServer(), Seen()
    chosen = RunnerSettings(name="build-7", backend="memory", capacity=2, **{"status": "127.0.0.1:0", **settings})
    shown = {
        "runner": {"capacity": {"value": "2", "from": "--capacity"}, "grace": {"value": '"10s"', "from": "default"}}
    }
    observation = Observation(chosen, "memory", lambda _: shown)
    runner = Runner(
        server.backend(),
        {"steps": steps, "quick": quick, "broken": broken, "printing": printing, **(handlers or {})},
        settings=chosen,
        plugins=[*observation.plugins, seen],
        state_dir=folder / "state",
    )
    async with anyio.create_task_group() as group, observation.serving(runner):
        group.start_soon(runner.run)
        await seen.wait(lambda seen: seen.states[-1:] == [("running", "")])
        address = StatusAddress.of(runner.state_dir)
        async with (
            httpx.AsyncClient(base_url=address.url, trust_env=False) as stranger,
            httpx.AsyncClient(
                base_url=address.url, trust_env=False, headers={"Authorization": f"Bearer {address.token}"}
            ) as client,
        ):
            it = Observed(server, runner, address, client, stranger, release, seen)
            try:
                yield it
            finally:
                release.set()
                runner.stop("the test is over")
                await it.state("stopped")
