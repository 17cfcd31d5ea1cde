"""The contract that every backend must pass, kept with the Drone backend and the embedded server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import count
from typing import Any

import pytest

from delegate_core.model import JsonValue
from delegate_core.testing.contract import (
    BackendContract,
    BackendUnderTest,
    Breakage,
    Call,
    KilledContract,
    Recipe,
    Verdict,
)
from delegate_drone.plugin import DroneBackend
from delegate_drone.server import EmbeddedDrone, Fault, FaultKind, Order, Rules
from delegate_drone.server.stagelog import stored_lines
from delegate_drone.server.tasktext import write_task

_CALLS = {Call.CLAIM: "accept", Call.REPORT: "stage-end"}
_KINDS = {
    Breakage.LOSE_REQUEST: FaultKind.LOSE_REQUEST,
    Breakage.LOSE_REPLY: FaultKind.LOSE_REPLY,
    Breakage.STATUS: FaultKind.STATUS,
}


def make_backend(**fields: Any) -> DroneBackend:
    """For the recipe."""
    return DroneBackend(**fields)


class DroneUnderTest:
    """The adapter: an embedded server, asked the contract's questions. Each task is a build of its own."""

    def __init__(self, drone: EmbeddedDrone) -> None:
        self._drone = drone
        self._secrets = count(1)

    async def changed(self) -> None:
        seen = False

        def second_look() -> bool:
            nonlocal seen
            seen, before = True, seen
            return before

        await self._drone.parts.news.wait_for(second_look)

    # ------------------------------------------------------------------ backends

    def _fields(self) -> Mapping[str, Any]:
        return {"server": self._drone.url, "secret": self._drone.keys.rpc}

    def backend(self) -> object:
        return make_backend(**self._fields())

    def recipe(self) -> Recipe:
        return Recipe(f"{__name__}:make_backend", dict(self._fields()))

    # ------------------------------------------------------------------ tasks

    def submit(
        self, task_type: str, data: JsonValue = None, *, timeout: float = 60.0, masks: Sequence[str] = ()
    ) -> str:
        secrets = {f"secret{next(self._secrets)}": mask for mask in masks}
        build = self._drone.create(Order(text=write_task(task_type, data, timeout), secrets=secrets))
        (stage,) = self._drone.stages_of(build.id)
        return str(stage.id)

    def cancel(self, task_id: str) -> None:
        self._drone.cancel(self._drone.stage(int(task_id)).build_id)

    async def verdict(self, task_id: str) -> Verdict:
        stage = await self._drone.wait_finished(int(task_id), timeout=float("inf"))
        lines = stored_lines(self._drone.parts.store.logs.find(stage.steps[-1].id)) if stage.steps else []
        finals = self._drone.parts.finals[stage.id]
        # A build that a user cancels is ended by the server: nobody reports it any more.
        cancelled = self._drone.build(stage.build_id).status == "killed" and finals == 0
        return Verdict(
            succeeded=stage.status == "success",
            data=_result(lines[-1].out) if lines and stage.status == "success" else None,
            error=stage.error or next((step.error for step in stage.steps if step.error), ""),
            finals=1 if cancelled else finals,
        )

    async def log(self, task_id: str) -> str:
        while True:
            stage = self._drone.stage(int(task_id))
            stored = self._drone.parts.store.logs.find(stage.steps[-1].id) if stage.steps else None
            if stored is not None:
                return "".join(line.out for line in stored_lines(stored))
            await self.changed()

    # ------------------------------------------------------------------ the server

    def break_calls(self, call: Call, how: Breakage, times: int = 1) -> None:
        self._drone.parts.faults.add(Fault(_CALLS[call], _KINDS[how], times))

    def calls(self, call: Call) -> int:
        return self._drone.parts.calls[_CALLS[call]]

    def runners(self) -> None:
        """A Drone server keeps no list of runners."""

    def waiting(self) -> int:
        return sum(stage.status == "pending" and not stage.machine for stage in self._drone.parts.store.stages.select())


def _result(line: str) -> JsonValue:
    value: JsonValue = json.loads(line)
    return value


class _WithServer:
    @pytest.fixture
    async def under_test(self) -> AsyncIterator[BackendUnderTest]:
        async with EmbeddedDrone(rules=Rules(long_poll=1.0, match_every=0.2)) as drone:
            yield DroneUnderTest(drone)


class TestDroneBackend(_WithServer, BackendContract):
    pass


class TestKilledDroneRunner(_WithServer, KilledContract):
    pass
