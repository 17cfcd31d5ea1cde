"""Limits of what a task's processes may take, as the settings give them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from delegate_core.engines.host import HostEngine
from delegate_core.handlers import TaskContext
from delegate_core.handlers.executable import executable
from delegate_core.model import JsonValue
from delegate_core.pipeline.spec import Stage, Step
from delegate_core.pipeline.states import judged
from delegate_core.settings import RunnerSettings
from delegate_core.testing.bench import Bench
from tests.core.memory_backend import MemoryBackend, MemoryServer
from tests.processes.recorder import needs_prlimit

pytestmark = pytest.mark.anyio

WRITE = "head -c 100000 /dev/zero >big"
BIG: JsonValue = {"commands": [WRITE]}


@pytest.fixture
def server() -> MemoryServer:
    return MemoryServer()


@pytest.fixture
async def bench(server: MemoryServer, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench.opened(tmp_path, lambda: MemoryBackend(server)) as bench:
        yield bench


async def error(bench: Bench, server: MemoryServer, task_type: str, data: JsonValue = None) -> str:
    return (await bench.within(server.verdict(server.submit(task_type, data)))).error


@needs_prlimit
async def test_a_script_that_meets_a_limit_is_told_which(bench: Bench, server: MemoryServer) -> None:
    started = await bench.start({}, task_file_size="10KiB")
    assert await error(bench, server, "script", BIG) == (
        "exit status 153: a process of it wrote a file larger than it may: task_file_size 10,240 bytes"
    )
    await started.runner.reload(started.runner.settings.model_copy(update={"task_file_size": None}))
    assert await error(bench, server, "script", {"commands": [WRITE]}) == ""


@needs_prlimit
async def test_a_step_on_the_host_that_meets_a_limit_is_told_which(bench: Bench, server: MemoryServer) -> None:
    async def stage(context: TaskContext) -> str:
        async with HostEngine().open(Stage(name="s"), context) as place:
            environment = {"PATH": os.defpath}
            step = Step(name="big", commands=(WRITE,), environment=environment)
            return judged(await place.run(step, context.write))[2]

    await bench.start({"stage": stage}, task_file_size="10KiB")
    data = (await bench.within(server.verdict(server.submit("stage")))).data
    assert data == "exit code 153: a process of it wrote a file larger than it may: task_file_size 10,240 bytes"


@needs_prlimit
async def test_an_executable_may_have_limits_of_its_own(bench: Bench, server: MemoryServer, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(
        "#!/bin/sh\nhead -c 100000 /dev/zero >big || exit $?\nprintf 'Content-Type: text/plain\\n\\nwell'\n"
    )
    program.chmod(0o755)
    narrow = executable("narrow", program, task_file_size="1KiB")
    wide = executable("wide", program, task_file_size="1MiB")
    await bench.start({"narrow": narrow, "wide": wide}, task_file_size="10KiB")
    assert await error(bench, server, "wide") == ""
    assert await error(bench, server, "narrow") == (
        "program exited with status 153: a process of it wrote a file larger than it may: task_file_size 1,024 bytes"
    )


async def test_the_operators_own_commands_are_not_limited(bench: Bench, server: MemoryServer) -> None:
    await bench.start({}, task_file_size="10KiB", before_task="head -c 100000 /dev/zero >big")
    assert await error(bench, server, "script", {"commands": ["test $(stat -c %s ../big) = 100000"]}) == ""


@pytest.mark.parametrize(
    "wrong", [{"task_cpu_time": 0}, {"task_memory": 0}, {"task_processes": 0}, {"task_file_size": -1}]
)
def test_a_limit_of_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RunnerSettings(**wrong)  # type: ignore[arg-type]
