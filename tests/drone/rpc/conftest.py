"""A server with a stage to accept, a client of it, and a book whose every record is kept as its journal would."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from delegate_core.backoff import Backoff
from delegate_core.http import TlsOptions, open_transport
from delegate_drone.client import DroneClient
from delegate_drone.records import Patience, StageBook, StageRecord, claim
from delegate_drone.wire import Step
from tests.drone.rpc.database import Database
from tests.drone.rpc.flaky import FlakyServer

TOKEN = "invented-rpc-token"
MACHINE = "runner one&two"
QUICK = Patience(
    passing=lambda: Backoff(first=0.001, most=0.002), lasting=lambda: Backoff(first=0.001, most=0.002), tries=3
)


def step(number: int, status: str = "pending", **more: Any) -> Step:
    started = 10 if status not in {"pending", "skipped"} else 0
    return Step(number=number, name=f"step {number}", status=status, started=more.pop("started", started), **more)


def steps(count: int) -> list[Step]:
    return [step(number) for number in range(1, count + 1)]


@dataclass
class Bench:
    """One runner, one server, one stage."""

    client: DroneClient
    server: FlakyServer
    database: Database
    saved: list[Any] = field(default_factory=list)

    async def save(self, record: Any) -> None:
        self.saved.append(record)

    def book(self, record: StageRecord) -> StageBook:
        return StageBook(self.client, record, save=self.save, patience=QUICK)

    def reborn(self) -> StageBook:
        """The book that the next life of the runner reads from its journal."""
        return self.book(StageRecord.model_validate(self.saved[-1]))

    async def claimed(self) -> StageBook:
        taken = await claim(self.client, 1, MACHINE, patience=QUICK)
        assert taken is not None
        self.saved.append(taken.record.plain())
        return self.book(taken.record)

    async def running(self, planned: Sequence[Step]) -> StageBook:
        book = await self.claimed()
        await book.begin(planned, started=10)
        self.server.heard.clear()
        return book


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    database = Database()
    async with FlakyServer(lambda heard: database.answer(heard.method, heard.target, heard.body)) as server:
        transport = open_transport(TlsOptions(), kind="httpx", trust_env=False)
        client = DroneClient(server.address, TOKEN, calls=transport, polls=transport)
        yield Bench(client, server, database)
        await client.aclose()
