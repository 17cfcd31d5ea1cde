"""A bare runner for these tests: httpx requests, nothing of the product's client."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx

from delegate_drone.server import EmbeddedDrone, Parts

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For httpx clients that only speak HTTP: each would otherwise load all the system's certificates."""
START = 1_800_000_000
LOCK = "Optimistic Lock Error"
NO_ROWS = "sql: no rows in result set"

ONE = "kind: pipeline\ntype: exec\nname: s1\nclone: {disable: true}\nsteps: [{name: test, commands: [make]}]\n"
"""A manifest of one pipeline."""


def manifest(*documents: str) -> str:
    """Several documents, each given by its name and what else it says: ``build; depends_on: [lint]``."""
    texts = []
    for document in documents:
        name, *more = (part.strip() for part in document.split(";"))
        steps = "clone: {disable: true}\nsteps: [{name: test, commands: [make]}]"
        texts.append("\n".join(["kind: pipeline", "type: exec", f"name: {name}", steps, *more]))
    return "\n---\n".join(texts) + "\n"


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = float(START)

    def __call__(self) -> float:
        return self.now


class BareRunner:
    """The calls of one runner, each returning the plain response."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def request(self, **wanted: Any) -> httpx.Response:
        every = {"kind": "pipeline", "type": "exec", "os": "", "arch": "", "variant": "", "kernel": ""}
        return await self.http.post("/rpc/v2/stage", json={**every, **wanted})

    async def accept(self, stage_id: int, machine: str = "m1") -> httpx.Response:
        return await self.http.post(f"/rpc/v2/stage/{stage_id}", params={"machine": machine})

    async def details(self, stage_id: int) -> httpx.Response:
        return await self.http.get(f"/rpc/v2/stage/{stage_id}")

    async def put_stage(self, stage: Mapping[str, Any], **changes: Any) -> httpx.Response:
        return await self.http.put("/rpc/v2/stage/0", json={**stage, **changes})

    async def put_step(self, step: Mapping[str, Any], **changes: Any) -> httpx.Response:
        return await self.http.put("/rpc/v2/step/0", json={**step, **changes})

    async def watch(self, build_id: int) -> httpx.Response:
        return await self.http.post(f"/rpc/v2/build/{build_id}/watch")

    async def batch(self, step_id: int, *texts: str, first: int = 0) -> httpx.Response:
        lines = [{"pos": first + number, "out": text, "time": 0} for number, text in enumerate(texts)]
        return await self.http.post(f"/rpc/v2/step/{step_id}/logs/batch", json=lines)

    async def upload(self, step_id: int, *texts: str) -> httpx.Response:
        lines = [{"pos": number, "out": text, "time": 0} for number, text in enumerate(texts)]
        return await self.http.post(f"/rpc/v2/step/{step_id}/logs/upload", json=lines)

    # what most tests begin with

    async def accepted(self, stage_id: int) -> dict[str, Any]:
        """A stage that this runner has."""
        reply = await self.accept(stage_id)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    async def started(self, stage_id: int, *names: str) -> dict[str, Any]:
        """A stage that runs, with pending steps of these names."""
        stage = await self.accepted(stage_id)
        steps = [
            {"step_id": stage_id, "number": number, "name": name, "status": "pending"}
            for number, name in enumerate(names or ("test",), start=1)
        ]
        reply = await self.put_stage(stage, status="running", started=START, steps=steps)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    async def ran(self, stage_id: int, *names: str) -> dict[str, Any]:
        """A stage that runs, with its first step running."""
        stage = await self.started(stage_id, *names)
        reply = await self.put_step(stage["steps"][0], status="running", started=START)
        stage["steps"][0] |= reply.json()
        return stage

    async def finish(self, stage_id: int, status: str = "success") -> None:
        """Accept a stage and end it without steps."""
        reply = await self.put_stage(await self.accepted(stage_id), status=status)
        assert reply.status_code == 200, reply.text


class Later:
    """A reply that is on its way."""

    def __init__(self) -> None:
        self._reply: httpx.Response | httpx.HTTPError | None = None

    async def fetch(self, call: Awaitable[httpx.Response]) -> None:
        try:
            self._reply = await call
        except httpx.HTTPError as error:
            self._reply = error

    def get(self) -> httpx.Response:
        """The reply, once it is there; raises what came instead."""
        if isinstance(self._reply, httpx.HTTPError):
            raise self._reply
        assert self._reply is not None
        return self._reply


@asynccontextmanager
async def during(
    call: Awaitable[httpx.Response], drone: EmbeddedDrone, begun: Callable[[Parts], Any]
) -> AsyncIterator[Later]:
    """The block runs while the call waits, and ends with its reply."""
    later = Later()
    with anyio.fail_after(40):
        async with anyio.create_task_group() as group:
            group.start_soon(later.fetch, call)
            await drone.wait_for(begun)
            yield later


def http_client(drone: EmbeddedDrone, *, token: str | None = None) -> httpx.AsyncClient:
    """A client with both secrets; ``token`` replaces the runners'."""
    headers = {
        "X-Drone-Token": drone.keys.rpc if token is None else token,
        "Authorization": f"Bearer {drone.keys.user}",
    }
    return httpx.AsyncClient(base_url=drone.url, headers=headers, trust_env=False, verify=NO_TLS, timeout=40)
