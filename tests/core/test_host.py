"""A machine that is short of disk or memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_core.runner import Runner
from delegate_core.runner.host import is_short
from delegate_core.runner.readiness import readiness
from delegate_core.settings import RunnerSettings
from delegate_core.testing.bench import Bench
from tests.core.memory_backend import MemoryBackend, MemoryServer

pytestmark = pytest.mark.anyio

SIZES = st.integers(min_value=0, max_value=2**50)


@given(SIZES, st.lists(SIZES))
def test_a_hold_begins_below_the_threshold_and_ends_only_with_some_to_spare(threshold: int, looks: list[int]) -> None:
    held = False
    for free in looks:
        before, held = held, is_short(free, threshold, held=held)
        assert held or free >= threshold
        assert before or held == (free < threshold)
        assert held or not before or free >= threshold + threshold // 10


def test_without_a_threshold_nothing_is_short() -> None:
    assert not is_short(0, 0, held=False)
    assert not is_short(0, 0, held=True)


def work() -> str:
    return "done"


async def until_unheld(runner: Runner) -> None:
    with anyio.fail_after(40):
        while runner.slots.holds:
            await runner.slots.wait_for_change()


@pytest.mark.parametrize(("setting", "words"), [("min_free_disk", "state folder"), ("min_free_memory", "memory")])
async def test_a_runner_short_of_it_takes_nothing_says_why_and_goes_on_when_the_threshold_is_lowered(
    tmp_path: Path, setting: str, words: str
) -> None:
    server = MemoryServer()
    async with Bench.opened(tmp_path, lambda: MemoryBackend(server)) as bench:
        settings: dict[str, Any] = {setting: "1000TiB"}
        started = await bench.start({"work": work}, **settings)
        runner = started.runner
        snapshot = runner.snapshot()
        task = server.submit("work")
        assert runner.slots.room() == 0
        assert len(snapshot.holds) == 1
        assert words in snapshot.holds[0]
        assert setting in snapshot.holds[0]
        assert "1000.0TiB" in snapshot.holds[0]
        assert not snapshot.ready
        assert setting in readiness(snapshot).reason

        changes = await runner.reload(runner.settings.model_copy(update={setting: 0}))
        assert changes.made == (setting,)
        await until_unheld(runner)
        assert (await bench.within(server.verdict(task))).succeeded
        assert runner.snapshot().holds == ()


async def test_what_runs_goes_on_and_ends_well_while_nothing_new_is_taken(tmp_path: Path) -> None:
    server, go, running = MemoryServer(), anyio.Event(), anyio.Event()

    async def wait() -> None:
        running.set()
        await go.wait()

    async with Bench.opened(tmp_path, lambda: MemoryBackend(server)) as bench:
        started = await bench.start({"wait": wait})
        task = server.submit("wait")
        await bench.within(running.wait())
        wanted = RunnerSettings.model_validate({**dict(started.runner.settings), "min_free_disk": "1000TiB"})
        await started.runner.reload(wanted)
        await bench.within(started.runner.slots.wait_until_full())
        go.set()
        assert (await bench.within(server.verdict(task))).succeeded
        assert "min_free_disk" in started.runner.snapshot().holds[0]
