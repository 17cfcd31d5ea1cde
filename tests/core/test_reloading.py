"""What a reload changes, and why the rest needs a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from starlette.applications import Starlette

from delegate_core import asgi
from delegate_core.runner.reloading import CHANGEABLE, NEEDS_RESTART, explained
from delegate_core.settings import RunnerSettings
from delegate_core.testing.bench import PATIENCE, Bench


def test_each_setting_either_takes_effect_by_a_reload_or_has_a_reason_why_not() -> None:
    assert set(RunnerSettings.model_fields) == {*CHANGEABLE, *NEEDS_RESTART}
    assert len(RunnerSettings.model_fields) == len(CHANGEABLE) + len(NEEDS_RESTART)


def test_settings_of_one_reason_share_it_and_those_of_plugins_have_one_too() -> None:
    assert explained(["console", "name", "log_file", "[harness] endpoint"]) == (
        "console, log_file (the console and the log's file are opened at the start); "
        "name (the state folder and its journal were opened with it); "
        "[harness] endpoint (backends and engines are made at the start)"
    )


@pytest.mark.anyio
async def test_of_two_reloads_at_once_the_later_one_stands(bench: Bench, tmp_path: Path) -> None:
    """As SIGHUP and `delegate reload` while a handler of the first needs long to open."""
    starts, opening, open_now = 0, anyio.Event(), anyio.Event()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        nonlocal starts
        starts += 1
        if starts == 2:
            opening.set()
            await open_now.wait()
        yield

    file = tmp_path / "more.py"
    file.write_text("from delegate_core import handler\n@handler('more')\ndef more(): pass\n")
    runner = (await bench.start({"web": asgi("web", Starlette(lifespan=lifespan))})).runner

    async def reload(capacity: int) -> None:
        await runner.reload(runner.settings.model_copy(update={"handlers": [str(file)], "capacity": capacity}))

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as orders:
            orders.start_soon(reload, 2)
            await opening.wait()
            orders.start_soon(reload, 3)
            with anyio.move_on_after(0.2):
                while starts < 3:  # noqa: ASYNC110 - does the second overtake the first?
                    await anyio.sleep(0.01)
            open_now.set()
    assert (runner.settings.capacity, runner.snapshot().capacity) == (3, 3)
