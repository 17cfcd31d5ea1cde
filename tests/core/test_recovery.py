"""What the next start makes of the journal, beyond what the contract says of every backend."""

from __future__ import annotations

from pathlib import Path

import anyio

from delegate_core.journal import Journal
from delegate_core.model import (
    CancelCause,
    Delivery,
    Ended,
    Offer,
    Outcome,
    Phase,
    Session,
    SessionIdentity,
    Task,
    TaskResult,
)
from delegate_core.statefolder import StateFolder
from delegate_core.testing.bench import Bench
from tests.core.scripted_backend import Scripted, echo

OURS = SessionIdentity(server="s", account="a", runner_id="1")


def folder_of(bench: Bench) -> StateFolder:
    return StateFolder(bench.folder / "bench")


async def test_a_task_that_is_ended_when_it_is_claimed_again_is_reported_with_its_new_state(
    backend: Scripted, bench: Bench
) -> None:
    with folder_of(bench) as folder, Journal(folder) as journal:
        await journal.intend(Offer("t", "echo"), OURS)
    states: list[object] = []

    def report(task: Task, result: TaskResult) -> Delivery:
        states.append(task.state)
        return Delivery()

    task = Task(id="t", type="echo", state={"form": "runner"})
    backend.on_claim = lambda offer, again: Ended(task, TaskResult.rejected("no"))
    backend.on_report = report
    await bench.start({"echo": echo})
    assert (await backend.result()).outcome is Outcome.REJECTED
    assert states == [{"form": "runner"}]


async def test_an_intent_that_was_left_open_is_nothing_beside_a_later_entry_of_its_task(
    backend: Scripted, bench: Bench
) -> None:
    with folder_of(bench) as folder, Journal(folder) as journal:
        await journal.intend(Offer("t", "echo"), OURS)
        number = await journal.intend(Offer("t", "echo"), OURS)
        await journal.finished(number, TaskResult.succeeded("once"))
    claims: list[str] = []
    backend.on_claim = lambda offer, again: claims.append(offer.task_id)
    started = await bench.start({"echo": echo})
    assert (await backend.result()).data == "once"
    started.runner.drain()
    assert await started.ended() is None
    assert not claims
    with folder_of(bench) as folder, Journal(folder) as journal:
        assert [entry.phase for entry in journal.recent()] == [Phase.DELIVERED]


class OtherAccount(Scripted):
    """A backend that has moved to another account: it does not know the sessions of the earlier one."""

    def __init__(self, *, knows_it: bool) -> None:
        super().__init__()
        self.on_resume = lambda: None
        self.on_register = lambda registration: Session(
            SessionIdentity(server="s", account="a" if knows_it else "other", runner_id="9")
        )

    resume = None  # type: ignore[assignment]  # the core's own rule is what is tested


async def test_entries_of_another_account_are_kept_aside_and_those_of_an_earlier_registration_are_not(
    tmp_path: Path,
) -> None:
    for knows_it in (False, True):
        backend = OtherAccount(knows_it=knows_it)
        async with Bench.opened(tmp_path, lambda backend=backend: backend) as bench:  # type: ignore[misc]  # mypy on defaults
            if not knows_it:
                with folder_of(bench) as folder, Journal(folder) as journal:
                    number = await journal.intend(Offer("t", "echo"), OURS)
                    await journal.finished(number, TaskResult.succeeded("kept"))
            started = await bench.start({"echo": echo})
            if knows_it:
                assert (await backend.result()).data == "kept"
            started.runner.drain()
            assert await started.ended() is None
            assert bool(backend.reported) == knows_it


async def test_recovered_tasks_hold_slots_and_are_stopped_like_all_others(backend: Scripted, bench: Bench) -> None:
    with folder_of(bench) as folder, Journal(folder) as journal:
        for name in ("one", "two", "three"):
            await journal.intend(Offer(name, "hold"), OURS)
    running = anyio.Semaphore(0)

    async def hold() -> None:
        running.release()
        await anyio.sleep_forever()

    started = await bench.start({"hold": hold}, capacity=2)
    with anyio.fail_after(40):
        for _ in range(3):
            await running.acquire()
    assert started.runner.slots.used == 3, "more than the capacity: they are ours"
    assert started.runner.slots.room() == 0
    started.runner.stop()
    assert await started.ended() is None
    for name in ("one", "two", "three"):
        assert (await backend.result(name)).cause is CancelCause.STOPPED
    assert started.runner.slots.used == 0
