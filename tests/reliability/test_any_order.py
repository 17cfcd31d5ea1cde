"""Offers, cancellations, faults, kills, restarts and drains in any order: no task is lost, doubled or run twice.

The runner is a real one over a real journal; its server is in memory and time is virtual, so minutes of back-off cost
nothing. A kill copies the state folder as it is at that moment, and cuts the dying runner off from the server.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pydantic import ByteSize

from delegate_core import TaskContext
from delegate_core.errors import DelegateError
from delegate_core.journal import Journal
from delegate_core.model import CancelCause, Outcome
from delegate_core.runner import Runner
from delegate_core.settings import RunnerSettings
from delegate_core.statefolder import StateFolder
from delegate_core.testing.under_test import Breakage, Call
from tests.core.memory_backend import MemoryBackend, MemoryServer, Record
from tests.reliability.virtualtime import VirtualTimeLoop

CAPACITY = 3
TYPES = ("echo", "fail", "hold", "talk")


class Life:
    """One life of the runner: from its start to its end, or to its being killed."""

    def __init__(self, server: MemoryServer, folder: Path, work: Work) -> None:
        self.backend = Mortal(server)
        self.folder = folder
        self.runner = Runner(
            self.backend,
            work.handlers(self.backend),
            settings=RunnerSettings(
                name="machine",
                capacity=CAPACITY,
                drain_timeout=30.0,
                register_timeout=0.0,
                min_free_disk=ByteSize(0),  # asked in a thread, which virtual time does not wait for
            ),
            state_dir=folder,
        )
        self.error: DelegateError | None = None
        self._task = asyncio.get_running_loop().create_task(self._live())

    async def _live(self) -> None:
        try:
            await self.runner.run()
        except DelegateError as error:
            self.error = error

    @property
    def over(self) -> bool:
        return self._task.done()

    @property
    def leaves(self) -> bool:
        """Whether it was asked to, be it that it has not begun to."""
        return "draining" in self.runner.slots.holds

    async def ended(self) -> None:
        await self._task

    async def kill(self) -> None:
        self.backend.dead = True
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


class Mortal(MemoryBackend):
    """A backend that reaches nobody any more once its runner is dead."""

    def __init__(self, server: MemoryServer) -> None:
        super().__init__(server, tick=1.0)
        self.dead = False

    @property
    def server(self) -> MemoryServer:
        """The server, for who lives."""
        if self.dead:
            raise ConnectionError("the dead make no calls")
        return self._server

    @server.setter
    def server(self, server: MemoryServer) -> None:
        self._server = server


class Work:
    """What tasks do, and how often each was begun."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.now = 0
        self.free: set[str] = set()
        self.all_free = False
        self.news = asyncio.Event()

    def handlers(self, life: Mortal) -> dict[str, Callable[..., Any]]:
        """For one life; while that is dying, nothing of it counts any more."""

        def of(work: Callable[[Any, TaskContext], Awaitable[Any]]) -> Callable[..., Any]:
            async def handle(data: Any, context: TaskContext) -> Any:
                if life.dead:
                    await anyio.sleep_forever()
                self.begun[context.task.id] += 1
                return await work(data, context)

            return handle

        return {"echo": of(self._echo), "fail": of(self._fail), "hold": of(self._hold), "talk": of(self._talk)}

    def let_go(self, task_id: str) -> None:
        self.free.add(task_id)
        self.tell()

    def tell(self) -> None:
        self.news.set()
        self.news = asyncio.Event()

    async def _echo(self, data: Any, _context: TaskContext) -> Any:
        return data

    async def _talk(self, data: Any, context: TaskContext) -> Any:
        context.log("it talks")
        return data

    async def _fail(self, _data: Any, _context: TaskContext) -> None:
        raise RuntimeError("it fails")

    async def _hold(self, data: Any, context: TaskContext) -> Any:
        self.now += 1
        try:
            while not (self.all_free or context.task.id in self.free):
                await self.news.wait()
        finally:
            self.now -= 1
        return data


class AnyOrder(RuleBasedStateMachine):
    """What may happen to one runner and its tasks.

    No rule's being there depends on where the runner stands, for threads decide about that too: so a failure can be
    played again and shrinks.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self.root = Path(tempfile.mkdtemp(prefix="any-order-"))
        self.lives = 0
        self.kills = 0
        self.stops = 0
        self.cancelled: set[str] = set()
        self.ids: list[str] = []
        self.life: Life | None = None
        self.do(self._open)

    async def _open(self) -> None:
        self.server, self.work = MemoryServer(), Work()
        self.life = Life(self.server, self.root / "0", self.work)

    def do(self, what: Callable[[], Awaitable[None]]) -> None:
        self.loop.run(what())  # type: ignore[arg-type]  # a coroutine function

    @property
    def lives_now(self) -> bool:
        return self.life is not None and not self.life.over

    # ------------------------------------------------------------------ the server and its users

    @rule(kind=st.sampled_from(TYPES))
    def a_task_is_offered(self, kind: str) -> None:
        async def submit() -> None:
            self.ids.append(self.server.submit(kind, {"n": len(self.ids)}, timeout=100_000.0))

        self.do(submit)

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, 50))
    def a_user_cancels(self, which: int) -> None:
        task_id = self.ids[which % len(self.ids)]

        async def cancel() -> None:
            if self.server.tasks[task_id].result is None:
                self.cancelled.add(task_id)
                self.server.cancel(task_id)

        self.do(cancel)

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, 50))
    def a_held_task_may_go_on(self, which: int) -> None:
        async def let_go() -> None:
            self.work.let_go(self.ids[which % len(self.ids)])

        self.do(let_go)

    @rule(call=st.sampled_from(Call), how=st.sampled_from(Breakage), times=st.integers(1, 4))
    def calls_will_break(self, call: Call, how: Breakage, times: int) -> None:
        self.server.break_calls(call, how, times)

    # ------------------------------------------------------------------ time

    @rule(turns=st.integers(1, 40))
    def the_loop_turns(self, turns: int) -> None:
        """So that what comes next comes in the midst of something."""

        async def turn() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self.do(turn)

    @rule(seconds=st.floats(0.01, 40.0))
    def time_passes(self, seconds: float) -> None:
        self.do(lambda: asyncio.sleep(seconds))

    # ------------------------------------------------------------------ the runner

    @rule()
    def it_is_killed(self) -> None:
        if self.lives_now:
            self.do(self._kill)

    async def _kill(self) -> None:
        assert self.life is not None
        self.lives += 1
        self.kills += 1
        # Nothing runs between this copy and the cut: it is what a SIGKILL leaves.
        if self.life.folder.exists():
            shutil.copytree(self.life.folder, self.root / str(self.lives))
        await self.life.kill()
        self.life = None

    @rule()
    def it_is_killed_amid_a_task(self) -> None:
        """Often enough that this is no matter of luck."""
        self.a_task_is_offered("hold")
        self.time_passes(2.0)
        self.it_is_killed()

    @rule()
    def it_is_started(self) -> None:
        if not self.lives_now:
            self.do(self._start)

    async def _start(self) -> None:
        self.life = Life(self.server, self.root / str(self.lives), self.work)

    @rule(cancel=st.booleans())
    def it_is_asked_to_leave(self, cancel: bool) -> None:  # noqa: FBT001 - hypothesis gives it by name
        async def ask() -> None:
            if self.life is not None:
                self.stops += 1
                (self.life.runner.stop if cancel else self.life.runner.drain)()

        self.do(ask)

    @rule(resume=st.booleans())
    def it_is_paused_or_resumed(self, resume: bool) -> None:  # noqa: FBT001 - the same
        async def ask() -> None:
            if self.life is not None:
                (self.life.runner.resume if resume else self.life.runner.pause)()

        self.do(ask)

    # ------------------------------------------------------------------ what holds

    @invariant()
    def nothing_is_doubled(self) -> None:
        for task in self.server.tasks.values():
            assert task.finals <= 1, f"{task.id}: {task.finals} results"
            assert not task.complaints, f"{task.id}: {task.complaints}"
            assert self.work.begun[task.id] <= 1, f"{task.id} was begun {self.work.begun[task.id]} times"

    @invariant()
    def no_more_run_than_there_are_slots(self) -> None:
        assert self.work.now <= CAPACITY

    def teardown(self) -> None:
        try:
            self.do(self._settle)
            self.nothing_is_doubled()
            for task in self.server.tasks.values():
                self._check(task)
            self._check_journal()
        finally:
            self.do(self._end)
            self.loop.close()
            shutil.rmtree(self.root)

    async def _settle(self) -> None:
        """Let everything come to its end: the network heals, the runner is there, nothing is held."""
        self.server.heal()
        self.work.all_free = True
        self.work.tell()
        with anyio.fail_after(36000):
            if self.life is not None and self.life.leaves:
                await self.life.ended()
            if not self.lives_now:
                await self._start()
            assert self.life is not None
            self.life.runner.resume()
            while any(task.result is None for task in self.server.tasks.values()):
                await self.server.changed()
            self.life.runner.drain()
            await self.life.ended()
        assert self.life.error is None, self.life.error

    async def _end(self) -> None:
        if self.life is not None and not self.life.over:
            await self.life.kill()

    def _check(self, task: Record) -> None:
        """One task's end has its reason in what happened."""
        assert task.result is not None
        result, begun = task.result, self.work.begun[task.id]
        match result.outcome:
            case Outcome.SUCCEEDED:
                assert begun == 1
                assert result.data == task.data
            case Outcome.CANCELLED if result.cause is not CancelCause.STOPPED:
                assert task.id in self.cancelled
            case Outcome.CANCELLED:
                assert self.stops
            case Outcome.FAILED if result.cause is CancelCause.RESTARTED:
                assert self.kills or self.stops
            case _:
                assert (task.type, begun) == ("fail", 1), result

    def _check_journal(self) -> None:
        async def read() -> None:
            assert self.life is not None
            with StateFolder(self.life.folder) as folder, Journal(folder) as journal:
                assert not journal.unfinished()
                assert not journal.owed()

        self.do(read)


AnyOrder.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestAnyOrder = AnyOrder.TestCase


class AnyLongOrder(AnyOrder):
    """The same, for longer."""


AnyLongOrder.TestCase.settings = settings(AnyOrder.TestCase.settings, max_examples=400, stateful_step_count=80)
TestAnyLongOrder = pytest.mark.exhaustive(pytest.mark.timeout(600)(AnyLongOrder.TestCase))
