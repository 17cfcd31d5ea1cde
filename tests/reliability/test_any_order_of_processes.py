"""As `test_any_order`, with real servers of both kinds, a faulty network, and processes that are killed."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from delegate_core.testing.proxy import Fault, FaultProxy, Mishap
from tests.reliability.runners import Running, no_processes_of, started
from tests.reliability.sides import PATIENCE, SIDES, Side, opened, with_log
from tests.reliability.verdicts import CANARY, commands, faults_of, runs

MISHAPS = (Mishap.LOSE_REQUEST, Mishap.LOSE_REPLY, Mishap.CUT_REPLY, Mishap.STATUS, Mishap.TRUNCATED, Mishap.DUPLICATE)


class World:
    """A server, a proxy and the runner, in an event loop of their own, which the portal leads to."""

    def __init__(self, folder: Path, portal: BlockingPortal) -> None:
        self.folder = folder
        self.portal = portal
        self.stack = ExitStack()
        self.lives = ExitStack()
        self.side: Side
        self.proxy: FaultProxy
        self.runner: Running | None = None

    def open(self, name: str) -> None:
        self.side = self.stack.enter_context(self.portal.wrap_async_context_manager(opened(name)))
        self.proxy = self.stack.enter_context(self.portal.wrap_async_context_manager(FaultProxy(self.side.url)))

    def start(self) -> None:
        life = started(self.folder, self.side, self.proxy.url)
        self.runner = self.lives.enter_context(self.portal.wrap_async_context_manager(life))

    def kill(self) -> None:
        assert self.runner is not None
        self.runner.kill()
        self.portal.call(self.runner.ended)
        self.lives.close()
        self.runner = None

    async def settle(self, tasks: dict[str, str], cancelled: set[str]) -> None:
        """Judge every task; the network is healed and a runner is there."""
        self.proxy.plan.clear()
        self.proxy.heal()
        assert self.runner is not None
        for label, task_id in tasks.items():
            with anyio.fail_after(PATIENCE):
                await self.side.ended(task_id, float("inf"))
            end = await with_log(self.side, task_id, partial(runs, self.folder, label))
            # What a user has cancelled may have a log or none, and steps whose ids were lost stay as they are.
            found = [] if label in cancelled else faults_of(end, runs(self.folder, label), "either", unseen_steps=True)
            assert end.finals == 1, f"{label}: {end}\n{self.runner.text}"
            assert not found, f"{label}: {found}\n{self.runner.text}"
        await no_processes_of(self.folder, besides=[self.runner.pid])

    def close(self) -> None:
        self.lives.close()
        self.stack.close()


class AnyOrderOfProcesses(RuleBasedStateMachine):
    """What may happen to a runner's process and its tasks."""

    def __init__(self) -> None:
        super().__init__()
        self.portals = start_blocking_portal()
        self.portal: BlockingPortal = self.portals.__enter__()
        self.world = World(Path(tempfile.mkdtemp(prefix="any-order-")), self.portal)
        self.tasks: dict[str, str] = {}
        self.cancelled: set[str] = set()

    @initialize(name=st.sampled_from(SIDES))
    def a_control_plane_is_there(self, name: str) -> None:
        self.world.open(name)

    @rule(lasting=st.booleans())
    def a_task_is_offered(self, lasting: bool) -> None:  # noqa: FBT001 - hypothesis gives it by name
        label = str(len(self.tasks))

        async def submit() -> None:
            work = [*commands(self.world.folder, label), "sleep 1" if lasting else "true"]
            self.tasks[label] = self.world.side.submit(work, masks=(CANARY,))

        self.portal.call(submit)

    @precondition(lambda self: self.tasks)
    @rule(which=st.integers(0, 20))
    def a_user_cancels(self, which: int) -> None:
        label = str(which % len(self.tasks))

        async def cancel() -> None:
            if not self.world.side.is_ended(self.tasks[label]) and self.world.side.is_claimed(self.tasks[label]):
                self.cancelled.add(label)
                self.world.side.cancel(self.tasks[label])

        self.portal.call(cancel)

    @rule(mishap=st.sampled_from(MISHAPS), after=st.integers(0, 6), times=st.integers(1, 3))
    def calls_go_wrong(self, mishap: Mishap, after: int, times: int) -> None:
        self.world.proxy.plan.add(Fault(mishap=mishap, after=after, times=times))

    @rule(seconds=st.floats(0.05, 0.7))
    def time_passes(self, seconds: float) -> None:
        self.portal.call(anyio.sleep, seconds)

    @rule()
    def the_network_is_cut_or_healed(self) -> None:
        async def toggle() -> None:
            (self.world.proxy.heal if self.world.proxy.is_cut else self.world.proxy.cut)()

        self.portal.call(toggle)

    @precondition(lambda self: self.world.runner is None)
    @rule()
    def it_is_started(self) -> None:
        self.world.start()

    @precondition(lambda self: self.world.runner is not None)
    @rule()
    def it_is_killed(self) -> None:
        self.world.kill()

    def teardown(self) -> None:
        try:
            if hasattr(self.world, "side"):
                if self.world.runner is None:
                    self.world.start()
                self.portal.call(self.world.settle, self.tasks, self.cancelled)
        finally:
            self.world.close()
            self.portals.__exit__(None, None, None)
            shutil.rmtree(self.world.folder, ignore_errors=True)


# Shrinking would start hundreds of processes: the steps are few, and read well as they are.
AnyOrderOfProcesses.TestCase.settings = settings(
    max_examples=4,
    stateful_step_count=15,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
TestAnyOrderOfProcesses = pytest.mark.timeout(300)(AnyOrderOfProcesses.TestCase)


class AnyLongOrderOfProcesses(AnyOrderOfProcesses):
    """The same, for longer."""


AnyLongOrderOfProcesses.TestCase.settings = settings(
    AnyOrderOfProcesses.TestCase.settings, max_examples=40, stateful_step_count=40
)
TestAnyLongOrderOfProcesses = pytest.mark.exhaustive(pytest.mark.timeout(900)(AnyLongOrderOfProcesses.TestCase))
