# ruff: noqa: S101, D102 - these are tests: they assert, and each one's name is its sentence
"""Contract: a step is over when nothing of it is left, whether it ends by itself or is ended.

A process that is to be gone holds a lock in the workspace; another step tries whether it can have it.
"""

from __future__ import annotations

import signal
from functools import partial

import anyio
import pytest

from delegate_core.pipeline.states import Exited, Signalled
from delegate_core.testing.engine_contract_base import EngineFixtures, Open, Printed, Room

__all__ = ["EndingContract"]

_HOLDER = "( flock 9; echo held >&3; exec sleep 600 ) 3>&1 9>lock"


class EndingContract(EngineFixtures):
    """Nothing outlives a step, and no step outlives its cancellation."""

    async def test_a_death_by_signal_is_no_success_and_names_the_signal(self, room: Room) -> None:
        told = room.under_test.tells_signals
        dead = Signalled(signal.SIGKILL) if told else Exited(128 + signal.SIGKILL)
        assert (await room.run("kill -KILL $$")).ending == dead

    async def test_a_signal_that_the_shell_reports_is_an_exit(self, room: Room) -> None:
        assert (await room.run("sh -c 'kill -TERM $$'")).ending == Exited(128 + signal.SIGTERM)

    @pytest.mark.parametrize("output", ["", ">/dev/null 2>&1"])
    async def test_a_background_process_neither_holds_the_step_nor_outlives_it(self, room: Room, output: str) -> None:
        await room.run("mkfifo held")
        holder = f"( flock 9; echo held >held; exec sleep 600 ) {output} 9>lock &"
        ran = await room.run(f"{holder} cat held")
        assert (ran.ending, ran.own) == (Exited(0), b"held\n")
        await _assert_free(room)

    async def test_the_end_of_one_step_does_not_end_its_neighbours(self, room: Room) -> None:
        printed = Printed()
        await room.run("mkfifo gate")
        async with anyio.create_task_group() as tasks:
            command = "sleep 600 & echo ready; cat gate; kill $!"
            tasks.start_soon(partial(room.run, command, printed=printed, name="long"))
            await printed.until("ready")
            for name in ("short", "leaving something"):
                assert (await room.run("sleep 600 &", name=name)).ending == Exited(0)
            await room.run("echo still here >gate", name="opening")
        assert printed.text.endswith("\nready\nstill here\n")

    async def test_cancelling_ends_the_whole_tree(self, room: Room) -> None:
        async with room.cancelled_at_the_end(f"sh -c '{_HOLDER}' & wait") as printed:
            await printed.until("held")
        await _assert_free(room)

    async def test_the_last_words_of_a_cancelled_step_are_passed_on(self, room: Room) -> None:
        command = "trap 'echo last words; exit 0' TERM; echo ready; while :; do sleep 0.1; done"
        async with room.cancelled_at_the_end(command) as printed:
            await printed.until("ready")
        assert printed.text.endswith("last words\n")

    async def test_a_step_that_ignores_the_stop_signal_is_killed_after_the_grace(self, opened: Open) -> None:
        async with opened(grace=0.2) as room:
            async with room.cancelled_at_the_end(f"trap '' TERM; {_HOLDER}") as printed:
                await printed.until("held")
            await _assert_free(room)

    async def test_a_step_that_prints_without_end_can_be_cancelled(self, room: Room) -> None:
        async with room.cancelled_at_the_end("while :; do echo more; done") as printed:
            await printed.until("more")

    async def test_cancelling_one_step_leaves_the_others(self, room: Room) -> None:
        printed = Printed()
        await room.run("mkfifo gate")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(room.run, "echo ready; cat gate", printed=printed, name="staying"))
            await printed.until("ready")
            async with room.cancelled_at_the_end("echo ready; sleep 600") as other:
                await other.until("ready")
            await room.run("echo still here >gate", name="opening")
        assert printed.text.endswith("\nstill here\n")


async def _assert_free(room: Room) -> None:
    ran = await room.run("flock -n lock true", name="is it free")
    assert ran.ending == Exited(0), "something of the step is still alive"
