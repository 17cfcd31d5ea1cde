"""The contract that every backend must pass, kept with the Harness backend and the embedded manager."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import anyio
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
from delegate_harness import HarnessBackend
from delegate_harness.manager import (
    EmbeddedManager,
    Fault,
    FaultKind,
    Rules,
    Submission,
    TaskEvent,
    TaskStatus,
)
from delegate_harness.manager import Verdict as ManagerVerdict

_ENDPOINTS = {Call.CLAIM: "acquire", Call.REPORT: "result"}
_KINDS = {
    Breakage.LOSE_REQUEST: FaultKind.LOSE_REQUEST,
    Breakage.LOSE_REPLY: FaultKind.LOSE_REPLY,
    Breakage.STATUS: FaultKind.STATUS,
}
_COMPLAINTS = ("unclaimed", "conflict", "late")


def make_backend(**fields: Any) -> HarnessBackend:
    """For the recipe."""
    return HarnessBackend(**fields)


class HarnessUnderTest:
    """The adapter: an embedded manager, asked the contract's questions."""

    def __init__(self, manager: EmbeddedManager) -> None:
        self._manager = manager
        self._news = anyio.Event()
        manager.state.subscribe(self._note)
        manager.faults.subscribe(self._note)
        manager.logs.subscribe(self._note)

    def _note(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def changed(self) -> None:
        await self._news.wait()

    # ------------------------------------------------------------------ backends

    def _fields(self) -> Mapping[str, Any]:
        manager = self._manager
        return {
            "endpoint": manager.url,
            "account_id": manager.account_id,
            "account_secret": manager.account_secret,
            "log_url": manager.log_service_url,
        }

    def backend(self) -> object:
        return make_backend(**self._fields())

    def recipe(self) -> Recipe:
        return Recipe(f"{__name__}:make_backend", dict(self._fields()))

    # ------------------------------------------------------------------ tasks

    def submit(
        self, task_type: str, data: JsonValue = None, *, timeout: float = 60.0, masks: Sequence[str] = ()
    ) -> str:
        assert isinstance(data, dict)
        return self._manager.submit(
            Submission(
                task_type,
                data,
                timeout_ms=int(timeout * 1000),
                secrets=tuple(masks),
                abstractions={"contract": uuid.uuid4().hex},
            )
        )

    def cancel(self, task_id: str) -> None:
        self._manager.abort(task_id)

    async def verdict(self, task_id: str) -> Verdict:
        task = await self._manager.wait_finished(task_id, timeout=float("inf"))
        outcome = task.outcome
        assert outcome is not None
        complaints: list[TaskEvent] = [event for kind in _COMPLAINTS for event in task.events(kind)]
        return Verdict(
            succeeded=outcome.verdict is ManagerVerdict.SUCCEEDED,
            data=outcome.result.data if outcome.result else None,
            error=outcome.message,
            finals=1 if outcome.result else 0,
            complaints=tuple(event.kind for event in complaints),
        )

    async def log(self, task_id: str) -> str:
        key = self._manager.task(task_id).log_key
        while True:
            try:
                return self._manager.logs.blob(self._manager.account_id, key).decode()
            except KeyError:
                await self.changed()

    # ------------------------------------------------------------------ the server

    def break_calls(self, call: Call, how: Breakage, times: int = 1) -> None:
        self._manager.faults.add(Fault(_ENDPOINTS[call], _KINDS[how], times))

    def calls(self, call: Call) -> int:
        return self._manager.state.calls[_ENDPOINTS[call]]

    def runners(self) -> int:
        return len(self._manager.state.delegates(self._manager.account_id))

    def waiting(self) -> int:
        return sum(task.status is TaskStatus.QUEUED for task in self._manager.state.tasks())


class _WithManager:
    @pytest.fixture
    async def under_test(self) -> AsyncIterator[BackendUnderTest]:
        async with EmbeddedManager(rules=Rules(rounds=None, tick_seconds=0.1)) as manager:
            yield HarnessUnderTest(manager)


class TestHarnessBackend(_WithManager, BackendContract):
    pass


class TestKilledHarnessRunner(_WithManager, KilledContract):
    pass
