"""Waiting for slots, and for their end."""

from __future__ import annotations

import anyio
import pytest

from delegate_core.runner.slots import Slots

pytestmark = pytest.mark.anyio


async def test_who_waits_for_the_end_of_room_is_woken_by_what_takes_it() -> None:
    slots = Slots(2, {"gpu": 1})
    woken: list[str] = []

    async def wait(task_type: str | None, name: str) -> None:
        await slots.wait_until_full(task_type)
        woken.append(name)

    with anyio.fail_after(40):
        async with anyio.create_task_group() as group:
            group.start_soon(wait, "gpu", "gpu is full")
            group.start_soon(wait, None, "all is full")
            await anyio.wait_all_tasks_blocked()
            slots.take("gpu")
            await anyio.wait_all_tasks_blocked()
            assert woken == ["gpu is full"]
            slots.take("other")
    assert woken == ["gpu is full", "all is full"]


async def test_a_hold_ends_the_room_at_once() -> None:
    slots = Slots(1)
    with anyio.fail_after(40):
        async with anyio.create_task_group() as group:
            group.start_soon(slots.wait_until_full)
            await anyio.wait_all_tasks_blocked()
            assert slots.room() == 1
            slots.hold("paused", "for lunch")
    assert slots.room() == 0


async def test_room_for_one_type_may_come_later_than_room_for_some() -> None:
    slots = Slots(3, {"gpu": 1})
    slots.take("gpu")
    with anyio.fail_after(40):
        await slots.wait_for_room()
        async with anyio.create_task_group() as group:
            group.start_soon(slots.wait_for_room, "gpu")
            await anyio.wait_all_tasks_blocked()
            slots.release("gpu")
