"""A doorbell wakes whoever waits, whatever other threads do at that moment."""

from __future__ import annotations

import threading

import anyio
import anyio.to_thread
import pytest

from delegate_core.logs.doorbell import Doorbell

pytestmark = pytest.mark.anyio

DEADLINE = 40


async def test_who_begins_to_wait_while_a_ring_for_another_wait_is_under_way_is_woken_by_the_next() -> None:
    """The ringing thread is held up within its look, while the wait that it looks at is given up for another one."""
    bell = Doorbell()
    looking, go_on = threading.Event(), threading.Event()
    done = False

    def slow() -> bool:
        if threading.current_thread() is threading.main_thread():
            return False
        looking.set()
        return go_on.wait(DEADLINE)

    thread = threading.Thread(target=bell.ring, daemon=True)
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as given_up:
            given_up.start_soon(bell.wait, slow)
            await anyio.wait_all_tasks_blocked()
            thread.start()
            await anyio.to_thread.run_sync(looking.wait, DEADLINE)
            given_up.cancel_scope.cancel()
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(bell.wait, lambda: done)
            await anyio.wait_all_tasks_blocked()
            go_on.set()
            await anyio.to_thread.run_sync(thread.join, DEADLINE)
            done = True
            bell.ring()
