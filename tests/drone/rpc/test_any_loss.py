"""Whatever is lost, whenever a user cancels or the runner dies: nothing is overwritten, nothing is left open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from delegate_core.http import TlsOptions, open_transport
from delegate_drone.client import DroneClient
from delegate_drone.records import EndedElsewhere, Final, Phase, StageBook, StartLost
from delegate_drone.wire import Step
from tests.drone.rpc.conftest import TOKEN, Bench, step, steps
from tests.drone.rpc.database import DONE, Database
from tests.drone.rpc.flaky import FlakyServer, Heard, Mishap

STEPS = 3
mishaps = st.lists(st.one_of(st.none(), st.sampled_from(Mishap)), max_size=5)
cancels = st.one_of(st.none(), st.none(), st.none(), st.integers(1, 5))
numbers = st.integers(1, STEPS)


class AnyLoss(RuleBasedStateMachine):
    """A runner tells of one stage, while its replies get lost, a user cancels, and it dies."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.told = {step.number: step for step in steps(STEPS)}
        self.cancel_in: int | None = None
        self.last_losses: list[Mishap | None] = []
        self.loop.run(self._open())

    async def _open(self) -> None:
        self.database = Database()
        self.server = await FlakyServer(self._answer).__aenter__()
        transport = open_transport(TlsOptions(insecure=True), kind="httpx", trust_env=False)
        client = DroneClient(self.server.address, TOKEN, calls=transport, polls=transport)
        self.bench = Bench(client, self.server, self.database)
        self.book: StageBook = await self.bench.claimed()

    def _answer(self, heard: Heard) -> tuple[int, str]:
        if self.cancel_in is not None:
            self.cancel_in -= 1
            if self.cancel_in <= 0:
                self.cancel_in = None
                self.database.cancel()
        return self.database.answer(heard.method, heard.target, heard.body)

    def _tell(self, call: Callable[[], Awaitable[object]], lost: list[Mishap | None], cancel_in: int | None) -> None:
        self.cancel_in = cancel_in
        self.server.mishaps = [("", mishap) for mishap in lost]
        self.loop.run(self._until_silent(call))
        self.server.mishaps, self.cancel_in = [], None

    async def _until_silent(self, call: Callable[[], Awaitable[object]]) -> None:
        """Make a call; give up where the server falls silent, as a deadline would."""
        self.server.silence = asyncio.Event()
        with anyio.fail_after(40):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._give_up, tasks.cancel_scope)
                try:
                    await call()
                except EndedElsewhere:
                    assert self.database.stage["status"] in DONE
                except StartLost:
                    assert self.book.record.phase is Phase.LOST
                tasks.cancel_scope.cancel()

    async def _give_up(self, scope: anyio.CancelScope) -> None:
        await self.server.silence.wait()
        scope.cancel()

    # ------------------------------------------------------------------ what happens

    @initialize(started=st.sampled_from([True, True, False]))
    def start_quietly(self, *, started: bool) -> None:
        if started:
            self._tell(lambda: self.book.begin(steps(STEPS), started=10), [], None)

    @precondition(lambda self: self.book.record.phase in {Phase.CLAIMED, Phase.STARTING})
    @rule(lost=mishaps, cancel_in=cancels)
    def begin(self, lost: list[Mishap | None], cancel_in: int | None) -> None:
        self._tell(lambda: self.book.begin(steps(STEPS), started=10), lost, cancel_in)

    @precondition(lambda self: self.book.record.phase is Phase.RUNNING)
    @rule(number=numbers, lost=mishaps, cancel_in=cancels)
    def run_step(self, number: int, lost: list[Mishap | None], cancel_in: int | None) -> None:
        if self.told[number].status == "pending":
            self._put(step(number, "running"), lost, cancel_in)

    @precondition(lambda self: self.book.record.phase is Phase.RUNNING)
    @rule(number=numbers, status=st.sampled_from(["success", "failure"]), lost=mishaps, cancel_in=cancels)
    def end_step(self, number: int, status: str, lost: list[Mishap | None], cancel_in: int | None) -> None:
        if self.told[number].status == "running":
            self._put(step(number, status, stopped=20), lost, cancel_in)

    def _put(self, row: Step, lost: list[Mishap | None], cancel_in: int | None) -> None:
        self.told[row.number] = row
        self._tell(lambda: self.book.step_running(row), lost, cancel_in)

    @precondition(lambda self: self.book.record.phase is Phase.RUNNING)
    @rule(lost=mishaps, cancel_in=cancels)
    def touch(self, lost: list[Mishap | None], cancel_in: int | None) -> None:
        self._tell(self.book.touch, lost, cancel_in)

    @precondition(lambda self: all(each.is_done for each in self.told.values()))
    @rule(lost=mishaps, cancel_in=cancels)
    def finish(self, lost: list[Mishap | None], cancel_in: int | None) -> None:
        self._tell(self._finish, lost, cancel_in)

    @rule(lost=mishaps)
    def foresee_a_troubled_end(self, lost: list[Mishap | None]) -> None:
        self.last_losses = lost

    @rule()
    def die(self) -> None:
        self.book = self.bench.reborn()

    @precondition(lambda self: self.book.record.phase is not Phase.CLAIMED)
    @rule(lost=mishaps, cancel_in=cancels)
    def die_and_close(self, lost: list[Mishap | None], cancel_in: int | None) -> None:
        self.book = self.bench.reborn()
        self._tell(lambda: self.book.close_after_crash("runner restarted", stopped=30), lost, cancel_in)

    @precondition(lambda self: any(each.is_done for each in self.told.values()))
    @rule()
    def cancel(self) -> None:
        self.database.cancel()

    async def _finish(self) -> object:
        ends = [each if each.is_done else step(number, "skipped") for number, each in self.told.items()]
        return await self.book.finish(Final("success", 30), ends)

    # ------------------------------------------------------------------ what always holds

    @invariant()
    def nothing_that_a_cancellation_wrote_is_overwritten(self) -> None:
        cancelled = set()
        for write in self.database.writes:
            row = (write.what, write.row_id)
            assert row not in cancelled
            if write.by == "cancel":
                cancelled.add(row)

    @invariant()
    def at_most_one_end_takes_effect(self) -> None:
        ends = [each for each in self.database.writes if each.what == "stage" and each.after in DONE]
        assert len(ends) <= 1

    @invariant()
    def what_is_certain_is_so(self) -> None:
        record = self.book.record
        if self.database.build["status"] in DONE or record.phase in {Phase.FINISHING, Phase.FINISHED, Phase.ENDED}:
            return
        assert record.unsure or record.stage.version == self.database.stage["version"]
        for known in record.steps:
            assert known.tried or known.row.version == self.database.steps[known.row.id]["version"]

    def teardown(self) -> None:
        try:
            self._tell(self._finish, self.last_losses, None)
            self._tell(self._finish, [], None)
            self._check_the_end()
        finally:
            self.loop.run(self._close())
            self.loop.close()

    def _check_the_end(self) -> None:
        assert self.database.stage["status"] in DONE
        assert self.book.record.phase in {Phase.FINISHED, Phase.ENDED}
        if self.book.record.steps:
            assert all(row["status"] in DONE for row in self.database.steps.values())

    async def _close(self) -> None:
        await self.bench.client.aclose()
        await self.server.__aexit__()


TestAnyLoss = pytest.mark.timeout(120)(AnyLoss.TestCase)
TestAnyLoss.settings = settings(
    max_examples=60, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
