"""The poll loop: what it claims, in which order, how often it asks."""

import time
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delegate_core import Offer, hookimpl
from delegate_core.model import Settled
from delegate_harness.manager import EmbeddedManager, Fault, FaultKind, Rules, Submission
from delegate_harness.polling import Shunned
from tests.harness.handlers import Gate, fib
from tests.harness.runners import eventually, running
from tests.harness.scripted import ScriptedManager, event, package

pytestmark = pytest.mark.anyio


async def test_tasks_that_somebody_waits_for_come_first(manager: EmbeddedManager, tmp_path: Path) -> None:
    ran: list[int] = []
    patient = [manager.submit(Submission("note", {"n": number})) for number in range(3)]
    urgent = [manager.submit(Submission("note", {"n": 10 + number}, sync=True)) for number in range(2)]
    async with running(manager, tmp_path, {"note": lambda data: ran.append(data["n"])}, capacity=1):
        for task in [*urgent, *patient]:
            await manager.wait_finished(task)
    assert ran == [10, 11, 0, 1, 2]


async def test_sync_tasks_come_first_even_if_the_manager_lists_them_last(
    scripted: ScriptedManager, tmp_path: Path
) -> None:
    scripted.lists(event("a"), event("b"), event("c", sync=True))
    async with running(scripted, tmp_path, {"fib": fib}, capacity=1):
        await scripted.seen("acquire", 3)
    assert "/c/" in scripted.named("acquire")[0].target


async def test_a_list_longer_than_the_slots_is_kept_and_claimed_as_they_free(
    scripted: ScriptedManager, tmp_path: Path
) -> None:
    """One poll is enough for all of them, however slow the polls are: the second one here is never answered."""
    scripted.on("task-events", (200, {"delegateTaskEvents": [event(f"t{n}") for n in range(20)]}), (-1, ""))
    scripted.on("acquire", lambda call: (200, package(call)))
    async with running(scripted, tmp_path, {"fib": fib}, capacity=2, poll_interval=30.0):
        await scripted.seen("result", 20)
        assert len(scripted.named("task-events")) <= 2


async def test_a_manager_that_lists_few_tasks_at_a_time_is_asked_at_once(tmp_path: Path) -> None:
    async with EmbeddedManager(rules=Rules(event_limit=1)) as manager:
        tasks = [manager.submit(Submission("fib", {"n": 1})) for _ in range(30)]
        async with running(manager, tmp_path, {"fib": fib}, poll_interval=600.0):
            for task in tasks:
                await manager.wait_finished(task)


async def test_offers_that_are_not_settled_are_no_reason_to_poll_at_once(
    scripted: ScriptedManager, tmp_path: Path
) -> None:
    """The manager lists a task until its acquire is answered, here never."""
    scripted.lists(event("t1"))
    scripted.on("acquire", (-1, ""))
    async with running(scripted, tmp_path, {"fib": fib}, poll_interval=0.1, drain_timeout=0.1):
        await scripted.seen("acquire")
        polls = len(scripted.named("task-events"))
        await anyio.sleep(0.5)
        assert len(scripted.named("task-events")) - polls <= 7


async def test_tasks_that_are_not_to_be_had_are_no_hot_loop(scripted: ScriptedManager, tmp_path: Path) -> None:
    scripted.lists(*(event(f"t{number}") for number in range(50)))
    async with running(scripted, tmp_path, {"fib": fib}, poll_interval=0.1):
        await scripted.seen("acquire", 50)
        await scripted.seen("task-events", 8)
    assert len(scripted.named("acquire")) == 50, "each is left for two seconds at least"
    assert len({call.target for call in scripted.named("acquire")}) == 50


async def test_a_full_runner_polls_at_its_idle_pace(manager: EmbeddedManager, tmp_path: Path) -> None:
    """It polls for aborts; tasks that it has no room for are no reason to hurry."""
    gate = Gate()
    async with running(manager, tmp_path, {"gate": gate.handler}, capacity=1, poll_interval=0.25) as started:
        waiting = [manager.submit(Submission("gate")) for _ in range(3)]
        await gate.entered.wait()
        await anyio.sleep(1.5)  # for a second after the last task it is quicker
        polls = manager.state.calls["task-events"]
        begun = time.monotonic()
        for _ in range(8):
            waiting.append(manager.submit(Submission("gate")))
            await anyio.sleep(0.1)
        allowed = (time.monotonic() - begun) / 0.25 + 2
        assert manager.state.calls["task-events"] - polls <= allowed
        assert started.runner.snapshot().used == 1
        gate.open.set()
        for task in waiting:
            await manager.wait_finished(task)


async def test_a_type_without_room_does_not_hold_up_the_others(manager: EmbeddedManager, tmp_path: Path) -> None:
    gate = Gate()
    async with running(manager, tmp_path, {"gate": gate.handler, "fib": fib}, capacity=4, limits={"gate": 1}):
        held = [manager.submit(Submission("gate")) for _ in range(3)]
        await gate.entered.wait()
        await manager.wait_finished(manager.submit(Submission("fib", {"n": 1})))
        gate.open.set()
        for task in held:
            await manager.wait_finished(task)


async def test_a_task_listed_again_while_it_runs_is_claimed_once(manager: EmbeddedManager, tmp_path: Path) -> None:
    gate = Gate()
    async with running(manager, tmp_path, {"gate": gate.handler}):
        task = manager.submit(Submission("gate"))
        await gate.entered.wait()
        manager.faults.add(Fault("task-events", FaultKind.DUPLICATE, times=5))
        await manager.wait_for(lambda _: len(manager.faults.fired) == 5)
        gate.open.set()
        await manager.wait_finished(task)
    assert manager.state.calls["acquire"] == 1


async def test_a_task_listed_again_after_its_end_is_left(scripted: ScriptedManager, tmp_path: Path) -> None:
    """Also by the session after that: the manager may still list what was handed back."""
    scripted.lists(event("t1"))
    scripted.on("acquire", lambda call: (200, package(call)))
    scripted.on("heartbeat", (200, {"resource": {"status": "DELETED"}}), (200, {"resource": {"status": "ENABLED"}}))
    async with running(scripted, tmp_path, {"fib": fib}, backend={"heartbeat_interval": 0.2}):
        await scripted.seen("result")
        await scripted.seen("register", 2)
        polls = len(scripted.named("task-events"))
        await scripted.seen("task-events", polls + 5)
    assert len(scripted.named("acquire")) == 1


async def test_a_vetoed_task_is_left_and_asked_about_rarely(manager: EmbeddedManager, tmp_path: Path) -> None:
    asked: list[str] = []

    class Veto:
        @hookimpl
        def accept_task(self, offer: Offer) -> str | None:
            asked.append(offer.task_id)
            return "not today"

    async with running(manager, tmp_path, {"fib": fib}, plugins=[Veto()]):
        manager.submit(Submission("fib"))
        await manager.wait_for(lambda state: state.calls["task-events"] > 8)
    assert len(asked) == 1


@pytest.mark.parametrize("kind", [FaultKind.STATUS, FaultKind.GARBAGE, FaultKind.LOSE_REQUEST, FaultKind.TRUNCATED])
async def test_a_poll_that_fails_is_made_again(manager: EmbeddedManager, tmp_path: Path, kind: FaultKind) -> None:
    manager.faults.add(Fault("task-events", kind, times=2))
    async with running(manager, tmp_path, {"fib": fib}):
        await manager.wait_finished(manager.submit(Submission("fib", {"n": 1})))


async def test_a_manager_that_refuses_every_poll_is_asked_rarely(manager: EmbeddedManager, tmp_path: Path) -> None:
    manager.faults.add(Fault("task-events", FaultKind.STATUS, times=None, status=500))
    async with running(manager, tmp_path, {"fib": fib}, poll_interval=0.01) as started:
        await manager.wait_for(lambda state: state.calls["task-events"] > 0)
        await anyio.sleep(1.0)
        assert "500" in started.runner.snapshot().trouble
    assert manager.state.calls["task-events"] <= 4


async def test_a_server_that_names_a_delay_gets_it(scripted: ScriptedManager, tmp_path: Path) -> None:
    """`Retry-After` of a poll: the faults of a gateway carry it."""
    async with EmbeddedManager() as manager:
        manager.faults.add(Fault("task-events", FaultKind.STATUS, status=429, retry_after=1))
        async with running(manager, tmp_path, {"fib": fib}):
            await manager.wait_for(lambda state: state.calls["task-events"] == 1)
            begun = time.monotonic()
            await manager.wait_for(lambda state: state.calls["task-events"] == 2)
            assert time.monotonic() - begun >= 0.9


async def test_an_unreadable_event_does_not_hide_the_tasks_beside_it(scripted: ScriptedManager, tmp_path: Path) -> None:
    scripted.lists(None, "?", {"eventType": 3}, event("", taskType="fib"), event("t1"))
    scripted.on("acquire", lambda call: (200, package(call)))
    async with running(scripted, tmp_path, {"fib": fib}):
        await scripted.seen("result")
    assert len(scripted.named("acquire")) == 1


async def test_a_paused_runner_claims_nothing_and_goes_on_when_resumed(
    manager: EmbeddedManager, tmp_path: Path
) -> None:
    async with running(manager, tmp_path, {"fib": fib}) as started:
        await eventually(lambda: started.runner.state == "running")
        started.runner.pause()
        task = manager.submit(Submission("fib", {"n": 1}))
        polls = manager.state.calls["task-events"]
        await manager.wait_for(lambda state: state.calls["task-events"] > polls + 3)
        assert manager.state.calls["acquire"] == 0
        started.runner.resume()
        await manager.wait_finished(task)


# ---------------------------------------------------------------------- the memory of what to leave


def test_what_was_not_to_be_had_is_tried_again_later_each_time() -> None:
    shunned, now, gaps = Shunned(), 100.0, list[float]()
    for _ in range(8):
        shunned.offered("t")
        assert shunned.holds("t", now + 1e9)
        shunned.settled("t", Settled.GONE, now)
        gap = next(seconds for seconds in range(1, 1000) if not shunned.holds("t", now + seconds))
        gaps.append(gap)
        now += gap
    assert gaps == [2, 4, 8, 16, 32, 60, 60, 60]


def test_a_duplicate_is_left_for_a_while() -> None:
    shunned = Shunned()
    shunned.settled("t", Settled.DUPLICATE, 0.0)
    assert shunned.holds("t", 1.9)
    assert not shunned.holds("t", 2.1)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20_000), st.sampled_from(Settled)), max_size=50), st.integers(0, 20_000))
def test_the_memory_is_bounded_and_keeps_the_latest(history: list[tuple[int, Settled]], last: int) -> None:
    shunned = Shunned()
    for number in range(8_300):
        shunned.settled(f"old{number}", Settled.CLAIMED, 0.0)
    for task, what in history:
        shunned.settled(str(task), what, 0.0)
    shunned.settled(str(last), Settled.CLAIMED, 0.0)
    assert shunned.holds(str(last), 1e12)
    assert not shunned.holds("old0", 0.0)
