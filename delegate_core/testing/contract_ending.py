# ruff: noqa: S101, D102 - these are tests: they assert, and each one's name is its sentence
"""Contract: how tasks are ended before they are done, and how a runner leaves."""

from __future__ import annotations

from pathlib import Path

import anyio

from delegate_core.testing.bench import PATIENCE, Bench
from delegate_core.testing.contract_base import ContractFixtures, delivered_once, until
from delegate_core.testing.under_test import BackendUnderTest, Breakage, Call
from delegate_core.testing.work import Work

__all__ = ["EndingContract", "LeavingContract", "gone"]


def gone(pid: int) -> bool:
    """Whether no such process runs; one that was not reaped yet does not."""
    try:
        return ") Z" in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


class EndingContract(ContractFixtures):
    """Cancellation and deadline."""

    async def test_a_running_task_is_cancelled(self, under_test: BackendUnderTest, bench: Bench, work: Work) -> None:
        await bench.start(work.handlers(), capacity=1)
        task_id = under_test.submit("hold", {})
        await bench.within(work.wait(lambda now: now.runs["hold"] == 1))
        under_test.cancel(task_id)
        assert not (await delivered_once(under_test, task_id)).succeeded
        assert (await delivered_once(under_test, under_test.submit("echo", {}))).succeeded, "its slot is free again"

    async def test_a_task_cancelled_while_it_is_claimed_is_never_run(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        started = await bench.start(work.handlers())
        under_test.break_calls(Call.CLAIM, Breakage.LOSE_REPLY)
        task_id = under_test.submit("hold", {})
        await until(under_test, lambda: under_test.calls(Call.CLAIM) >= 1)
        under_test.cancel(task_id)
        with anyio.fail_after(PATIENCE):
            while started.runner.slots.used:
                await started.runner.slots.wait_for_change()
        assert not work.runs

    async def test_cancelling_ends_the_whole_process_tree(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        started = await bench.start(work.handlers())
        task_id = under_test.submit("tree", {})
        await bench.within(work.wait(lambda now: len(now.pids) == 2))
        assert not any(map(gone, work.pids))
        under_test.cancel(task_id)
        assert not (await delivered_once(under_test, task_id)).succeeded
        await started.seen.wait(lambda now: task_id in now.finished)  # a server may end a task before the runner does
        assert all(map(gone, work.pids)), "cleaning up comes before the result"

    async def test_a_sync_handler_that_does_not_end_is_reported_and_keeps_its_slot(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        started = await bench.start(work.handlers(), capacity=2)
        task_id = under_test.submit("sync-hold", {})
        await bench.within(work.wait(lambda now: now.runs["sync-hold"] == 1))
        under_test.cancel(task_id)
        assert not (await delivered_once(under_test, task_id)).succeeded
        await started.seen.wait(lambda now: task_id in now.finished)  # a server may end a task before the runner does
        assert started.runner.snapshot().abandoned_threads == 1
        assert started.runner.slots.used == 1
        work.let_go()
        with anyio.fail_after(PATIENCE):
            while started.runner.slots.used:
                await started.runner.slots.wait_for_change()
        assert started.runner.snapshot().abandoned_threads == 0

    async def test_our_answer_to_a_passed_deadline_comes_before_the_servers(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        started = await bench.start(work.handlers())
        task_id = under_test.submit("hold", {}, timeout=2.0)
        verdict = await delivered_once(under_test, task_id)
        assert not verdict.succeeded
        assert "timed out after 1.8s" in verdict.error
        assert "timed out" in started.seen.finished[task_id].error


class LeavingContract(ContractFixtures):
    """Pause, drain, stop."""

    async def test_a_paused_runner_takes_nothing_until_it_is_resumed(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        started = await bench.start(work.handlers())
        running = under_test.submit("hold", {})
        await bench.within(work.wait(lambda now: now.runs["hold"] == 1))
        started.runner.pause()
        waiting = under_test.submit("echo", {})
        under_test.cancel(running)
        assert not (await delivered_once(under_test, running)).succeeded, "cancellations go on"
        assert under_test.waiting() == 1
        started.runner.resume()
        assert (await delivered_once(under_test, waiting)).succeeded

    async def test_a_drain_finishes_what_runs_takes_nothing_new_and_deregisters(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        started = await bench.start(work.handlers())
        running = under_test.submit("hold", {})
        await bench.within(work.wait(lambda now: now.runs["hold"] == 1))
        started.runner.drain("an update")
        await started.seen.wait(lambda now: ("draining", "an update") in now.states)
        under_test.submit("echo", {})
        work.let_go()
        assert await started.ended() is None
        verdict = await delivered_once(under_test, running)
        assert verdict.succeeded
        assert under_test.waiting() == 1
        assert under_test.runners() in {0, None}

    async def test_a_runner_that_owes_a_result_does_not_deregister(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        started = await bench.start(work.handlers(), drain_timeout=1.0)
        under_test.break_calls(Call.REPORT, Breakage.STATUS, times=1000)
        task_id = under_test.submit("echo", {"n": 1})
        await until(under_test, lambda: under_test.calls(Call.REPORT) >= 1)
        started.runner.drain()
        error = await started.ended()
        assert error is not None
        assert error.exit_code == 8
        assert task_id in str(error)
        assert under_test.runners() in {1, None}

    async def test_a_stop_cancels_what_runs_and_says_so(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        started = await bench.start(work.handlers())
        task_id = under_test.submit("hold", {})
        await bench.within(work.wait(lambda now: now.runs["hold"] == 1))
        started.runner.stop()
        assert await started.ended() is None
        verdict = await delivered_once(under_test, task_id)
        assert not verdict.succeeded
        assert "runner stopped" in verdict.error
        assert under_test.runners() in {0, None}

    async def test_a_task_that_is_being_claimed_at_a_stop_is_ended_too(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        started = await bench.start(work.handlers())
        under_test.break_calls(Call.CLAIM, Breakage.LOSE_REPLY)
        task_id = under_test.submit("hold", {})
        await until(under_test, lambda: under_test.calls(Call.CLAIM) >= 1)
        started.runner.stop()
        assert await started.ended() is None
        assert "runner stopped" in (await delivered_once(under_test, task_id)).error
        assert not work.runs
