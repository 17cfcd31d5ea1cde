"""A page in the middle of the journal's file goes bad, before a start and while a runner runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from delegate_core.history import History
from delegate_core.journal import Journal
from delegate_core.model import Delivery, Offer, TaskResult
from delegate_core.statefolder import StateFolder
from delegate_core.testing.proxy import Fault, FaultProxy, Mishap
from tests.integration.command import Command
from tests.reliability.runners import started
from tests.reliability.sides import Side, opened

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

PAGE = 4096
TASKS = 300


async def delivered_before(state: Path) -> None:
    """Put a long history into the journal of a runner that has ended, so that its file has a middle."""
    (owed,) = History(state).outbox()
    with StateFolder(state) as folder, Journal(folder) as journal:
        for position in range(TASKS):
            number = await journal.intend(Offer(f"earlier{position}", "script", "x" * 500), owed.session)
            await journal.finished(number, TaskResult.succeeded())
            journal.settled(number, Delivery())


def damage(journal: Path) -> None:
    """Write noise over a page in the middle."""
    middle = journal.stat().st_size // PAGE // 2 * PAGE
    with journal.open("r+b") as file:
        file.seek(middle)
        file.write(os.urandom(PAGE))


def refuse_results(side: Side, proxy: FaultProxy) -> None:
    is_result = Fault(which=lambda call: side.call(call) == "result", mishap=Mishap.STATUS, status=503, times=None)
    proxy.plan.add(is_result)


async def test_a_damaged_page_is_found_at_a_start_and_at_work_and_nothing_that_is_held_is_lost(tmp_path: Path) -> None:
    state, go = tmp_path / "state" / "delegate" / "harness" / "matrix", tmp_path / "go"
    journal = state / "journal.sqlite"
    async with opened("harness") as side, FaultProxy(side.url) as proxy:
        refuse_results(side, proxy)
        async with started(tmp_path, side, proxy.url) as runner:
            owed = side.submit(["echo owed"])
            await runner.said("succeeded")
            runner.kill()
            await runner.ended()
        await delivered_before(state)

        damage(journal)
        damaged = journal.read_bytes()
        async with started(tmp_path, side, proxy.url) as runner:
            assert await runner.ended() == 6
            assert f"the journal {journal} cannot be used: " in runner.text
            assert f"`delegate outbox mend --state-dir {state}` saves what can be read" in runner.text
        assert journal.read_bytes() == damaged, "it is left as it is"
        mended = await Command(tmp_path)("outbox", "mend", "--state-dir", str(state))
        assert mended.code == 0, mended.err
        assert "of which 1 are not delivered" in mended.out

        async with started(tmp_path, side, proxy.url) as runner:
            working = side.submit([f"echo is-working; while [ ! -e {go} ]; do sleep 0.02; done"])
            await runner.said("| is-working")
            damage(journal)
            go.touch()
            await runner.said("draining: the journal failed")
            late = side.submit(["echo late"])
            assert not side.is_ended(owed)
            proxy.plan.clear()
            ends = [await side.ended(task) for task in (owed, working)]
            assert await runner.ended() == 6, runner.text
    assert [(end.succeeded, end.finals, end.complaints) for end in ends] == [(True, 1, ())] * 2
    assert not side.is_claimed(late)
