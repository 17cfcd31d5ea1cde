"""Cancelling, at every wrong moment."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from delegate_core.model import (
    CancelCause,
    Delivery,
    Offer,
    Outcome,
    Settled,
    Task,
    TaskResult,
)
from delegate_core.testing.bench import Bench
from tests.core.scripted_backend import Scripted, echo, once


async def test_a_cancellation_that_comes_while_the_claim_is_asked_ends_the_task_unrun(
    backend: Scripted, bench: Bench
) -> None:
    asked, answer = anyio.Event(), anyio.Event()

    async def claim(offer: Offer) -> Task:
        asked.set()
        await answer.wait()
        return Task(id=offer.task_id, type=offer.type)

    backend.on_claim = lambda offer, again: claim(offer)
    started = await bench.start({"echo": echo})
    async with anyio.create_task_group() as group:
        group.start_soon(backend.offer, "echo")
        await asked.wait()
        backend.cancel()
        answer.set()
        result = await backend.result()
    assert result == TaskResult.cancelled(CancelCause.SERVER)
    assert not started.seen.started


async def test_a_cancellation_before_the_offer_counts_and_is_forgotten_with_its_task(
    backend: Scripted, bench: Bench
) -> None:
    await bench.start({"echo": echo})
    await backend.until(lambda: backend.inbox)
    backend.cancel("t")
    await backend.offer("echo")
    assert (await backend.result()).outcome is Outcome.CANCELLED
    backend.reported.clear()
    await backend.until(lambda: True)
    while await backend.offer("echo") is Settled.DUPLICATE:  # its life is over a moment after its report
        await anyio.lowlevel.checkpoint()
    assert (await backend.result()).outcome is Outcome.SUCCEEDED


async def test_a_cancellation_while_the_result_is_reported_does_not_reach_a_later_task_of_that_id(
    backend: Scripted, bench: Bench
) -> None:
    reporting, go_on = anyio.Event(), anyio.Event()

    async def report() -> Delivery:
        reporting.set()
        await go_on.wait()
        return Delivery()

    backend.on_report = lambda task, result: report()
    await bench.start({"echo": echo})
    await backend.offer("echo")
    await reporting.wait()
    backend.cancel()
    go_on.set()
    assert (await backend.result()).outcome is Outcome.SUCCEEDED
    backend.reported.clear()
    while await backend.offer("echo") is Settled.DUPLICATE:
        await anyio.lowlevel.checkpoint()
    assert (await backend.result()).outcome is Outcome.SUCCEEDED


async def test_a_second_cancellation_changes_nothing_and_the_first_cause_counts(
    backend: Scripted, bench: Bench
) -> None:
    running = anyio.Event()

    async def hold() -> None:
        running.set()
        await anyio.sleep_forever()

    started = await bench.start({"hold": hold})
    await backend.offer("hold")
    await running.wait()
    assert started.runner.cancel("t")
    backend.cancel()
    assert (await backend.result()).cause is CancelCause.OPERATOR
    assert not started.runner.cancel("t")


async def test_a_cancellation_after_the_deadline_does_not_hide_the_timeout(backend: Scripted, bench: Bench) -> None:
    late = anyio.Event()

    async def slow() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                late.set()
                await backend.until(lambda: backend.polls == -1)

    backend.on_claim = lambda offer, again: Task(id=offer.task_id, type=offer.type, timeout=0.1)
    await bench.start({"slow": slow})
    await backend.offer("slow")
    await late.wait()
    backend.cancel()
    backend.polls = -1
    backend.note()
    assert (await backend.result()).outcome is Outcome.TIMED_OUT


async def test_what_a_handler_raises_over_its_cancellation_is_still_a_cancellation(
    backend: Scripted, bench: Bench
) -> None:
    running = anyio.Event()

    async def stubborn() -> None:
        running.set()
        try:
            await anyio.sleep_forever()
        except asyncio.CancelledError:
            raise RuntimeError("cleaning up failed") from None

    await bench.start({"stubborn": stubborn})
    await backend.offer("stubborn")
    await running.wait()
    backend.cancel()
    assert (await backend.result()).outcome is Outcome.CANCELLED


async def test_a_cancelled_error_that_nobody_sent_is_a_failure_and_not_the_end_of_the_task(
    backend: Scripted, bench: Bench
) -> None:
    async def confused() -> None:
        inner = asyncio.ensure_future(asyncio.sleep(60))
        inner.cancel()
        await inner

    await bench.start({"confused": confused})
    await backend.offer("confused")
    result = await backend.result()
    assert result.outcome is Outcome.FAILED
    assert "CancelledError" in result.error


@pytest.mark.parametrize("hook", ["on_claim", "on_report"])
async def test_a_cancelled_error_that_a_hook_lets_escape_is_a_passing_fault(
    backend: Scripted, bench: Bench, hook: str
) -> None:
    setattr(backend, hook, once(asyncio.CancelledError(), getattr(backend, hook)))
    await bench.start({"echo": echo})
    await backend.offer("echo")
    assert (await backend.result()).outcome is Outcome.SUCCEEDED
