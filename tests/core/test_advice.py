"""Secrets that cannot be hidden: the operator is told, by the snapshot that every view is drawn from."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from delegate_core.handlers import TaskContext
from delegate_core.testing.bench import Bench
from tests.core.memory_backend import MemoryServer

pytestmark = pytest.mark.anyio


async def obtain(context: TaskContext) -> None:
    """Obtain a secret while it runs."""
    context.mask("no")


async def nothing() -> None:
    """Do nothing."""


@pytest.mark.parametrize(("task_type", "masks"), [("nothing", ["ok", "long enough"]), ("obtain", [])])
async def test_a_tasks_secret_that_is_too_short_to_hide_is_told_with_the_task_and_not_the_secret(
    tmp_path: Path, task_type: str, masks: list[str]
) -> None:
    server = MemoryServer()
    async with Bench.opened(tmp_path, server.backend) as bench:
        runner = (await bench.start({"obtain": obtain, "nothing": nothing})).runner
        task_id = server.submit(task_type, masks=masks)
        with anyio.fail_after(40):
            while not runner.snapshot().finished:  # noqa: ASYNC110 - a snapshot tells nobody of changes
                await anyio.sleep(0.01)
        (advice,) = runner.snapshot().advice
    assert (advice.about, advice.cure) == ("not hidden", "give that secret a longer value")
    assert advice.text == f"a secret of 2 characters is too short to mask (task {task_id})"


async def test_a_value_of_the_mask_file_that_is_too_short_is_told_from_the_start(tmp_path: Path) -> None:
    (tmp_path / "masks").write_text("long enough\nab\n")
    async with Bench.opened(tmp_path, MemoryServer().backend) as bench:
        runner = (await bench.start({"nothing": nothing}, mask_file=tmp_path / "masks")).runner
        (advice,) = runner.snapshot().advice
    assert (advice.about, advice.text) == ("mask file", "a secret of 2 characters is too short to mask")
