"""The clock of the tests in virtual time."""

from __future__ import annotations

import asyncio
import sys

import anyio
import anyio.to_thread

from tests.reliability.virtualtime import VirtualTimeLoop


def test_no_time_passes_while_a_thread_has_work_that_it_may_not_have_picked_up() -> None:
    """On a busy machine a thread begins late, and hours would be over by then."""

    async def work() -> None:
        for _ in range(3000):
            with anyio.fail_after(36000):
                await anyio.to_thread.run_sync(int, limiter=anyio.CapacityLimiter(1), abandon_on_cancel=True)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    try:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(work())
    finally:
        sys.setswitchinterval(interval)
