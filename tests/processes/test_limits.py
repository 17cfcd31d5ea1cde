"""Limits of CPU time, memory, processes and file sizes, kept by the kernel."""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path

import anyio
import pytest

from delegate_core.processes import Limits, ProcessIdentity, ProcessSpec, ProcessStartError
from delegate_core.processes.rules import set_on
from tests.processes.recorder import Recorder, cancelled_at_the_end, command, finished, needs_prlimit, python, shell

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
ON_ONE_LOOP = pytest.mark.parametrize("anyio_backend", ["asyncio"])
"""A second of computing each; it is the kernel that ends it."""


@ON_ONE_LOOP
async def test_a_process_that_computes_too_long_is_ended_and_the_reason_names_the_setting(tmp_path: Path) -> None:
    ended = (await finished(python("while True: pass", tmp_path, limits=Limits(cpu_time=1.0)))).exit
    assert ended.signal == signal.SIGXCPU
    assert "more CPU time than it may: task_cpu_time 1 seconds" in ended.limited


@ON_ONE_LOOP
async def test_a_command_of_a_script_that_computes_too_long_is_named_as_the_reason_too(tmp_path: Path) -> None:
    ended = (await finished(shell("sh -c 'while :; do :; done'; exit $?", tmp_path, limits=Limits(cpu_time=1.0)))).exit
    assert (ended.code, ended.signal) == (128 + signal.SIGXCPU, None)
    assert "task_cpu_time" in ended.limited


async def test_memory_beyond_the_limit_is_refused_to_the_program(tmp_path: Path) -> None:
    wants = f"bytearray({150 * MIB})"
    refused = await finished(python(wants, tmp_path, limits=Limits(memory=100 * MIB)))
    assert "MemoryError" in refused.text
    assert refused.exit.limited == f"its processes are limited, which may be why: task_memory {100 * MIB:,} bytes"
    assert (await finished(python(wants, tmp_path))).exit.code == 0


@needs_prlimit
async def test_a_file_does_not_grow_beyond_the_limit(tmp_path: Path) -> None:
    ended = (await finished(shell(f"head -c {MIB} /dev/zero >big", tmp_path, limits=Limits(file_size=1000)))).exit
    assert ended.exit_code == 128 + signal.SIGXFSZ
    assert "wrote a file larger than it may: task_file_size 1,000 bytes" in ended.limited
    assert (tmp_path / "big").stat().st_size == 1000


FORK = """
import os, time
for _ in range(1000):
    try:
        if not os.fork():
            os._exit(0)
    except BlockingIOError:
        os._exit(7)
    time.sleep(0.01)
"""


@pytest.mark.skipif(os.geteuid() == 0, reason="the kernel does not count the processes of root")
async def test_another_process_beyond_the_limit_is_refused() -> None:
    spec = command([sys.executable, "-S", "-c", FORK], Path("/"), limits=Limits(processes=1))
    ended = (await finished(spec)).exit
    assert ended.code == 7
    assert "task_processes 1" in ended.limited


@needs_prlimit
@pytest.mark.parametrize("by", ["its path", "its name", "a script"])
async def test_all_limits_hold_from_the_first_moment_of_a_program(tmp_path: Path, by: str) -> None:
    (tmp_path / "script").write_text("#!/bin/cat\n")
    (tmp_path / "script").chmod(0o755)
    argv = {"its path": ["/bin/cat"], "its name": ["cat"], "a script": ["./script"]}[by]
    limits = Limits(cpu_time=9.5, memory=100 * MIB, processes=77, file_size=4096)
    shown = (await finished(command([*argv, "/proc/self/limits"], tmp_path, limits=limits))).text
    found = {line[4:25].strip(): line[26:].split()[:2] for line in shown.splitlines() if line.startswith("Max ")}
    assert found["cpu time"] == ["10", "15"]
    assert found["address space"] == [str(100 * MIB)] * 2
    assert found["processes"] == ["77"] * 2
    assert found["file size"] == ["4096"] * 2


@needs_prlimit
async def test_a_program_that_allocates_at_once_is_refused_the_memory_each_time(tmp_path: Path) -> None:
    wants = ["/bin/dd", "if=/dev/zero", "of=/dev/null", f"bs={64 * MIB}", "count=1"]
    for _ in range(10):
        refused = await finished(command(wants, tmp_path, limits=Limits(memory=40 * MIB)))
        assert (refused.exit.code, "task_memory" in refused.exit.limited) == (1, True), refused.text
    assert (await finished(command(wants, tmp_path, limits=Limits(memory=200 * MIB)))).exit.code == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "was not found"),
        ("echo no first line\n", "no format that this machine executes"),
        ("#!/no/such/interpreter\n", "needs the interpreter '/no/such/interpreter'"),
    ],
)
async def test_what_cannot_be_started_is_told_the_same_with_limits(
    tmp_path: Path, content: str | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "program").write_text(content)
        (tmp_path / "program").chmod(0o755)
    with pytest.raises(ProcessStartError, match=words):
        await finished(command(["./program"], tmp_path, limits=Limits(file_size=4096)))


async def test_a_process_without_limits_has_those_of_the_runner(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    async def look(identity: ProcessIdentity) -> None:
        seen.append(resource.prlimit(identity.pid, resource.RLIMIT_CPU))

    await Recorder(shell("sleep 0.1", tmp_path)).run(look)
    assert seen == [resource.getrlimit(resource.RLIMIT_CPU)]


async def test_what_a_process_had_started_before_it_was_limited_is_limited_too(tmp_path: Path) -> None:
    script = "sleep 600 & echo child $!; echo self $$; wait"
    async with cancelled_at_the_end(Recorder(shell(script, tmp_path, grace=0.1))) as recorder:
        child, parent = await recorder.announced("child", "self")
        set_on(parent.pid, Limits(file_size=4096).rules())
        assert resource.prlimit(child.pid, resource.RLIMIT_FSIZE) == (4096, 4096)


async def test_what_was_ended_from_outside_is_not_put_down_to_a_limit(tmp_path: Path) -> None:
    limits = Limits(cpu_time=100.0, memory=10_000 * MIB)
    async with cancelled_at_the_end(Recorder(shell("echo here; sleep 600", tmp_path, limits=limits))) as recorder:
        await recorder.line("here")
    assert recorder.exit.limited == ""


def test_limits_of_its_own_go_before_those_of_the_runner() -> None:
    both = Limits(cpu_time=1.0).over(Limits(cpu_time=2.0, memory=3))
    assert both == Limits(cpu_time=1.0, memory=3)


async def test_a_success_is_never_put_down_to_a_limit(tmp_path: Path) -> None:
    spec = ProcessSpec(argv=["/bin/true"], cwd=tmp_path, env={}, limits=Limits(cpu_time=5.0))
    with anyio.fail_after(40):
        assert (await finished(spec)).exit.limited == ""
