# ruff: noqa: S101, D102 - these are tests: they assert, and each one's name is its sentence
"""Contract: what the next start makes of what a dead runner left."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import anyio
import pytest

from delegate_core.logs import CUT_OFF
from delegate_core.testing.bench import PATIENCE, Bench
from delegate_core.testing.contract_base import ContractFixtures, delivered_once, until
from delegate_core.testing.contract_ending import gone
from delegate_core.testing.under_test import BackendUnderTest, Breakage, Call
from delegate_core.testing.work import Work

__all__ = ["KilledContract", "RecoveryContract"]

RESTARTED = "runner restarted"


class RecoveryContract(ContractFixtures):
    """A runner that ends without a last word, within this process: its `run` is cancelled."""

    async def test_a_task_whose_claim_was_lost_in_the_crash_is_run(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        started = await bench.start(work.handlers())
        under_test.break_calls(Call.CLAIM, Breakage.LOSE_REPLY)
        task_id = under_test.submit("echo", {"n": 1})
        await until(under_test, lambda: under_test.calls(Call.CLAIM) >= 1)
        await started.crash()
        assert not work.runs
        await bench.start(work.handlers())
        assert (await delivered_once(under_test, task_id)).succeeded
        assert work.runs == {"echo": 1}

    async def test_a_task_that_had_started_is_ended_and_never_run_again(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        started = await bench.start(work.handlers())
        task_id = under_test.submit("hold", {})
        await bench.within(work.wait(lambda now: now.runs["hold"] == 1))
        await started.crash()
        await bench.start(work.handlers())
        verdict = await delivered_once(under_test, task_id)
        assert not verdict.succeeded
        assert RESTARTED in verdict.error
        assert work.runs == {"hold": 1}

    async def test_the_log_of_a_task_that_died_with_its_runner_says_where_it_ends(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        started = await bench.start(work.handlers())
        task_id = under_test.submit("tree", {})
        await bench.within(work.wait(lambda now: now.pids))
        await started.crash()
        await bench.start(work.handlers())
        await delivered_once(under_test, task_id)
        lines = (await bench.within(under_test.log(task_id))).splitlines()
        assert "both run" in lines[0]
        assert CUT_OFF in lines[-1]

    async def test_a_result_that_was_not_delivered_is_delivered(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        started = await bench.start(work.handlers())
        under_test.break_calls(Call.REPORT, Breakage.LOSE_REQUEST)
        task_id = under_test.submit("echo", {"n": 1})
        await until(under_test, lambda: under_test.calls(Call.REPORT) >= 1)
        await started.crash()
        await bench.start(work.handlers())
        verdict = await delivered_once(under_test, task_id)
        assert verdict.succeeded
        assert verdict.data == {"n": 1}
        assert work.runs == {"echo": 1}

    async def test_a_result_whose_delivery_nobody_confirmed_takes_effect_once(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        started = await bench.start(work.handlers())
        under_test.break_calls(Call.REPORT, Breakage.LOSE_REPLY)
        task_id = under_test.submit("echo", {"n": 1})
        await delivered_once(under_test, task_id)
        await started.crash()
        again = await bench.start(work.handlers())
        again.runner.drain()
        assert await again.ended() is None
        assert (await delivered_once(under_test, task_id)).succeeded


class KilledContract(ContractFixtures):
    """A runner in a process of its own, which ends by SIGKILL. For servers that such a process can reach."""

    @pytest.fixture
    def runner_process(self, under_test: BackendUnderTest, tmp_path: Path) -> RunnerProcess:
        """A runner process to start."""
        return RunnerProcess(under_test, tmp_path / "bench")

    @pytest.mark.parametrize("moment", ["claimed", "started", "finished"])
    async def test_a_runner_killed_at_any_moment_still_owes_one_report(
        self, under_test: BackendUnderTest, bench: Bench, work: Work, runner_process: RunnerProcess, moment: str
    ) -> None:
        task_id = under_test.submit("echo", {"n": 1})
        await runner_process.run_until_killed(moment)
        await bench.start(work.handlers())
        verdict = await delivered_once(under_test, task_id)
        if moment == "started":
            assert RESTARTED in verdict.error
        else:
            assert verdict.succeeded
            assert verdict.data == {"n": 1}
        assert work.runs["echo"] == (1 if moment == "claimed" else 0)

    async def test_processes_that_a_killed_runner_left_are_ended(
        self, under_test: BackendUnderTest, bench: Bench, work: Work, runner_process: RunnerProcess
    ) -> None:
        task_id = under_test.submit("tree", {})
        await runner_process.run_until_killed("tree")
        pids = [int(line) for line in next(runner_process.state.glob("tasks/*/pids")).read_text().split()]
        assert len(pids) == 2
        assert not any(map(gone, pids)), "nobody has ended them yet"
        await bench.start(work.handlers())
        assert RESTARTED in (await delivered_once(under_test, task_id)).error
        assert all(map(gone, pids))


class RunnerProcess:
    """A runner that kills its own process at a chosen moment; see ``delegate_core.testing.victim``."""

    def __init__(self, server: BackendUnderTest, state: Path) -> None:
        self.state = state
        self._server = server

    async def run_until_killed(self, moment: str) -> None:
        """Run it to its end.

        Raises:
            TimeoutError: it did not come to that.
        """
        recipe = self._server.recipe()
        assert recipe is not None, "this server cannot be reached from another process"
        told = json.dumps({"factory": recipe.factory, "arguments": recipe.arguments, "moment": moment})
        command = [sys.executable, "-m", "delegate_core.testing.victim", str(self.state), told]
        with anyio.fail_after(PATIENCE):
            ended = await anyio.run_process(command, check=False)
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
