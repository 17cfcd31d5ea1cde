# ruff: noqa: S101, D102 - these are tests: they assert, and each one's name is its sentence
"""Contract: what a runner does with tasks, and how many at once."""

from __future__ import annotations

import pytest

from delegate_core.markers import hookimpl
from delegate_core.model import JsonValue, Offer
from delegate_core.testing.bench import Bench
from delegate_core.testing.contract_base import ContractFixtures, delivered_once, until
from delegate_core.testing.under_test import BackendUnderTest, Call
from delegate_core.testing.work import Work

__all__ = ["TaskContract"]

_SECRET = "correct-horse-battery"  # noqa: S105 - invented


class TaskContract(ContractFixtures):
    """From the offer to the result."""

    @pytest.mark.parametrize("kind", ["echo", "sync"])
    async def test_a_task_is_run_once_and_its_result_delivered(
        self, under_test: BackendUnderTest, bench: Bench, work: Work, kind: str
    ) -> None:
        await bench.start(work.handlers())
        task_id = under_test.submit(kind, {"answer": 42, "text": "ünïcödé"})
        verdict = await delivered_once(under_test, task_id)
        assert verdict.succeeded
        assert verdict.data == {"answer": 42, "text": "ünïcödé"}
        assert work.runs == {kind: 1}

    @pytest.mark.parametrize(
        ("kind", "text"), [("fail", "the machine is on fire"), ("sync-fail", "the machine is under water")]
    )
    async def test_what_a_handler_raises_is_the_failure_of_the_task(
        self, under_test: BackendUnderTest, bench: Bench, work: Work, kind: str, text: str
    ) -> None:
        await bench.start(work.handlers())
        verdict = await delivered_once(under_test, under_test.submit(kind, {}))
        assert not verdict.succeeded
        assert f"RuntimeError: {text}" in verdict.error

    async def test_data_that_does_not_validate_is_rejected_before_the_handler_runs(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        await bench.start(work.handlers())
        verdict = await delivered_once(under_test, under_test.submit("exact", {"number": "eleven"}))
        assert not verdict.succeeded
        assert "number" in verdict.error
        assert "eleven" not in verdict.error, "a value may be a secret"
        assert not work.runs

    async def test_a_type_that_nobody_serves_never_succeeds(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        await bench.start(work.handlers())
        unknown = under_test.submit("unheard-of", {})
        await delivered_once(under_test, under_test.submit("echo", {}))
        if not under_test.waiting():
            verdict = await delivered_once(under_test, unknown)
            assert not verdict.succeeded
            assert "unheard-of" in verdict.error

    async def test_a_vetoed_offer_is_left_to_others(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        await bench.start(work.handlers(), plugins=(_NoSync(),))
        under_test.submit("sync", {})
        await delivered_once(under_test, under_test.submit("echo", {}))
        assert under_test.waiting() == 1
        assert under_test.calls(Call.CLAIM) == 1
        assert work.runs == {"echo": 1}

    async def test_capacity_is_used_and_never_exceeded(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        await bench.start(work.handlers(), capacity=3)
        ids = [under_test.submit("hold", {}) for _ in range(8)]
        await bench.within(work.wait(lambda now: now.runs["hold"] == 3))
        assert under_test.waiting() == 5, "what does not fit is left to others"
        work.let_go()
        for task_id in ids:
            assert (await delivered_once(under_test, task_id)).succeeded
        assert work.most["hold"] == 3
        assert work.runs["hold"] == 8

    async def test_a_limit_of_one_type_leaves_the_other_slots_to_other_types(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        await bench.start(work.handlers(), capacity=4, limits={"hold": 1})
        held = [under_test.submit("hold", {}) for _ in range(3)]
        await bench.within(work.wait(lambda now: now.runs["hold"] == 1))
        assert (await delivered_once(under_test, under_test.submit("echo", {}))).succeeded
        work.let_go()
        for task_id in held:
            await delivered_once(under_test, task_id)
        assert work.most["hold"] == 1

    async def test_many_tasks_are_each_run_once_within_the_capacity(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        await bench.start(work.handlers(), capacity=7, limits={"sync": 2})
        ids = [under_test.submit(("echo", "sync")[number % 2], {"number": number}) for number in range(60)]
        for number, task_id in enumerate(ids):
            assert (await delivered_once(under_test, task_id)).data == {"number": number}
        assert work.runs == {"echo": 30, "sync": 30}
        assert work.most["sync"] <= 2
        assert work.most[""] <= 7

    async def test_a_secret_reaches_neither_the_log_nor_the_result(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        started = await bench.start(work.handlers())
        texts: list[JsonValue] = [f"the password is {_SECRET}", "and that was it"]
        task_id = under_test.submit("say", {"texts": texts}, masks=[_SECRET])
        verdict = await delivered_once(under_test, task_id)
        log = await bench.within(under_test.log(task_id))
        assert "the password is ******" in log
        assert "and that was it" in log
        assert _SECRET not in log + str(verdict) + str(started.seen.finished)

    async def test_two_runners_of_one_process_share_nothing(
        self, under_test: BackendUnderTest, bench: Bench, work: Work
    ) -> None:
        other = Work()
        await bench.start(work.handlers(), name="one", capacity=1)
        second = await bench.start(other.handlers(), name="two", capacity=1)
        await until(under_test, lambda: under_test.runners() in {2, None})
        ids = [under_test.submit("hold", {}) for _ in range(2)]
        await bench.within(work.wait(lambda now: now.runs["hold"] == 1))
        await bench.within(other.wait(lambda now: now.runs["hold"] == 1))
        second.runner.pause()
        work.let_go()
        assert (await delivered_once(under_test, under_test.submit("echo", {}))).succeeded
        assert work.runs["echo"] == 1, "the other one is paused"
        other.let_go()
        for task_id in ids:
            assert (await delivered_once(under_test, task_id)).succeeded


class _NoSync:
    @hookimpl
    def accept_task(self, offer: Offer) -> str | None:
        return "not here" if offer.type == "sync" else None
