# ruff: noqa: S101, D102 - these are tests: they assert, and each one's name is its sentence
"""Contract: lost calls, lost replies and failing servers change nothing but the time it takes."""

from __future__ import annotations

import pytest

from delegate_core.testing.bench import Bench
from delegate_core.testing.contract_base import ContractFixtures, delivered_once, until
from delegate_core.testing.under_test import BackendUnderTest, Breakage, Call
from delegate_core.testing.work import Work

__all__ = ["FaultContract"]


class FaultContract(ContractFixtures):
    """Faults of the two calls that matter most."""

    @pytest.mark.parametrize("how", list(Breakage))
    @pytest.mark.parametrize("call", list(Call))
    async def test_a_broken_call_neither_loses_nor_doubles_a_task(
        self, under_test: BackendUnderTest, bench: Bench, work: Work, call: Call, how: Breakage
    ) -> None:
        await bench.start(work.handlers())
        under_test.break_calls(call, how)
        verdict = await delivered_once(under_test, under_test.submit("echo", {"n": 1}))
        assert verdict.succeeded
        assert work.runs == {"echo": 1}

    async def test_a_result_outlives_a_burst_of_errors(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        await bench.start(work.handlers())
        under_test.break_calls(Call.REPORT, Breakage.STATUS, times=3)
        assert (await delivered_once(under_test, under_test.submit("echo", {}))).succeeded
        assert under_test.calls(Call.REPORT) == 4

    async def test_a_result_that_cannot_be_delivered_does_not_hold_its_slot(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        await bench.start(work.handlers(), capacity=1)
        under_test.break_calls(Call.REPORT, Breakage.STATUS, times=3)
        first = under_test.submit("echo", {"n": 1})
        await until(under_test, lambda: under_test.calls(Call.REPORT) >= 1)
        second = under_test.submit("sync", {"n": 2})
        await until(under_test, lambda: not under_test.waiting())
        for task_id in (first, second):
            assert (await delivered_once(under_test, task_id)).succeeded
