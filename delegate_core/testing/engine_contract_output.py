# ruff: noqa: S101, D102 - these are tests: they assert, and each one's name is its sentence
"""Contract: what a step prints arrives, all of it, as it was printed, while it runs."""

from __future__ import annotations

from functools import partial

import anyio

from delegate_core.pipeline.states import Exited
from delegate_core.testing.engine_contract_base import EngineFixtures, Printed, Ran, Room

__all__ = ["OutputContract"]

_MEGABYTE = 1024 * 1024


class OutputContract(EngineFixtures):
    """Every byte counts."""

    async def test_both_streams_arrive_in_the_order_of_writing(self, room: Room) -> None:
        ran = await room.run("for n in 1 2 3 4 5; do echo out $n; echo err $n >&2; done")
        assert ran.lines == [f"{stream} {number}" for number in range(1, 6) for stream in ("out", "err")]

    async def test_output_arrives_while_the_step_runs(self, room: Room) -> None:
        printed = Printed()
        await room.run("mkfifo gate")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(room.run, "echo ready; cat gate", printed=printed, name="waiting"))
            await printed.until("ready")
            await room.run("echo opened >gate", name="opening")
        assert printed.text.endswith("\nready\nopened\n")

    async def test_bytes_that_are_no_text_pass_unchanged(self, room: Room) -> None:
        every = "".join(f"\\{number:03o}" for number in range(256))
        ran = await room.run(f"printf '{every}'")
        assert ran.own == bytes(range(256))

    async def test_ten_megabytes_arrive_complete(self, room: Room) -> None:
        ran = await room.run("head -c 10485760 /dev/zero | tr '\\000' '\\377'; printf 'the end'")
        assert ran.ending == Exited(0)
        assert ran.own == b"\xff" * 10 * _MEGABYTE + b"the end"

    async def test_a_line_may_have_any_length_and_no_end(self, room: Room) -> None:
        ran = await room.run("head -c 1048577 /dev/zero | tr '\\000' x")
        assert ran.own == b"x" * (_MEGABYTE + 1)

    async def test_the_outputs_of_many_steps_at_once_are_not_mixed(self, room: Room) -> None:
        ran: dict[int, Ran] = {}

        async def run(number: int) -> None:
            ran[number] = await room.run(f"for n in 1 2 3; do echo {number} $n; done", name=f"step {number}")

        async with anyio.create_task_group() as tasks:
            for number in range(12):
                tasks.start_soon(run, number)
        assert {number: one.lines for number, one in ran.items()} == {
            number: [f"{number} {n}" for n in (1, 2, 3)] for number in range(12)
        }
