"""What a killed runner leaves behind is found and ended by the next."""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import anyio
import anyio.abc
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from delegate_core.processes import MARK_VARIABLE, ProcessIdentity, end_leftovers
from tests.processes.recorder import DEADLINE, PATH, ROOT, Recorder, cancelled_at_the_end, shell

pytestmark = pytest.mark.anyio

_RUNNER = """
import json, sys
from pathlib import Path
from uuid import uuid4
import anyio
from delegate_core.processes import ProcessSpec, run

def say(**what):
    print(json.dumps(what), flush=True)

async def journal(identity):
    say(identity=identity.to_json())

async def main():
    spec = ProcessSpec(argv=["/bin/sh", "-c", sys.argv[1]], cwd=Path(sys.argv[2]), env={"PATH": sys.argv[3]},
                       mark=sys.argv[4])
    await run(spec, on_output=lambda piece, stream: say(output=piece.decode()), on_start=journal)

anyio.run(main)
"""

_TREE = (
    "(setsid sh -c 'echo $$ >pid; exec sleep 600' >/dev/null 2>&1 &); read daemon <pid; "
    "env -i sleep 600 & cleared=$!; sleep 600 & echo $daemon $cleared $! $$; wait"
)


@dataclass
class _Runner:
    """A runner in a process of its own, and what it started."""

    process: anyio.abc.Process
    main: ProcessIdentity
    tree: list[ProcessIdentity]

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    def alive(self) -> list[bool]:
        return [each.alive() for each in self.tree]


@asynccontextmanager
async def _runner(
    folder: Path, script: str = _TREE, environment: dict[str, str] | None = None
) -> AsyncIterator[_Runner]:
    os.mkfifo(folder / "pid")
    mark = uuid4().hex
    argv = [sys.executable, "-c", _RUNNER, script, str(folder), PATH, mark]
    with anyio.fail_after(DEADLINE):
        async with await anyio.open_process(argv, cwd=ROOT, env=environment, stderr=None) as process:
            try:
                main, pids = await _announcement(process)
                yield _Runner(process, main, [ProcessIdentity.of(pid, mark) for pid in pids])
            finally:
                await end_leftovers(mark, 0)
                with suppress(ProcessLookupError):
                    process.kill()


async def _announcement(process: anyio.abc.Process) -> tuple[ProcessIdentity, list[int]]:
    assert process.stdout is not None
    lines = BufferedByteReceiveStream(process.stdout)
    identity = json.loads(await lines.receive_until(b"\n", 4096))["identity"]
    output = json.loads(await lines.receive_until(b"\n", 4096))["output"]
    return ProcessIdentity.from_json(identity), [int(word) for word in output.split()]


async def test_everything_that_a_killed_runner_left_is_ended(tmp_path: Path) -> None:
    async with _runner(tmp_path) as runner:
        await runner.kill()
        assert runner.alive() == [True] * 4
        assert await end_leftovers(runner.main, grace=20) == 4
        assert runner.alive() == [False] * 4
        assert await end_leftovers(runner.main, grace=20) == 0


async def test_a_process_that_was_not_yet_journaled_is_found_by_its_mark(tmp_path: Path) -> None:
    async with _runner(tmp_path) as runner:
        await runner.kill()
        assert await end_leftovers(runner.main.mark, grace=20) == 4
        assert runner.alive() == [False] * 4


_LOST = "(env -i setsid sh -c 'echo $$ >pid; exec sleep 600' >/dev/null 2>&1 &); read pid <pid; echo $pid; wait"
"""It has left its session, its parent and its environment."""


async def test_a_daemon_that_nothing_but_its_brand_tells_of_is_ended(tmp_path: Path) -> None:
    async with _runner(tmp_path, _LOST) as runner:
        await runner.kill()
        os.kill(runner.main.pid, signal.SIGKILL)
        assert runner.alive() == [True]
        assert await end_leftovers(runner.main, grace=20) >= 1
        assert runner.alive() == [False]


async def test_so_is_one_by_the_mark_that_it_shares_with_others(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pid")
    shared = uuid4().hex
    async with cancelled_at_the_end(
        Recorder(shell(_LOST.replace("wait", "exec sleep 600"), tmp_path, within=shared))
    ) as recorder:
        lost = ProcessIdentity.of(int(await recorder.line("")), shared)
        assert await end_leftovers(shared, grace=20) == 2
        assert not lost.alive()


async def test_who_is_left_in_the_session_of_a_dead_leader_is_ended(tmp_path: Path) -> None:
    async with _runner(tmp_path) as runner:
        await runner.kill()
        os.kill(runner.main.pid, signal.SIGKILL)
        await _reaped(runner.main.pid)
        assert await end_leftovers(runner.main, grace=20) >= 3
        assert runner.alive() == [False] * 4


async def _reaped(pid: int) -> None:
    """Until the machine's first process has reaped an orphan: no event tells, and it may not care to."""
    with anyio.move_on_after(2):
        while await anyio.Path(f"/proc/{pid}").exists():  # noqa: ASYNC110 - a reaping makes no event
            await anyio.sleep(0.01)


async def test_a_stubborn_leftover_is_killed_after_the_grace(tmp_path: Path) -> None:
    script = "trap '' TERM; echo $$; while :; do sleep 600; done"
    async with _runner(tmp_path, script) as runner:
        await runner.kill()
        assert await end_leftovers(runner.main, grace=0.2) >= 1
        assert runner.alive() == [False]


async def test_a_process_that_got_the_pid_is_not_touched(tmp_path: Path) -> None:
    async with cancelled_at_the_end(Recorder(shell("echo ready $$; exec sleep 600", tmp_path))) as recorder:
        (identity,) = await recorder.announced("ready")
        earlier = replace(identity, start_time=identity.start_time - 1, mark=uuid4().hex)
        assert await end_leftovers(earlier, grace=0) == 0
        assert identity.alive()


async def test_nothing_is_touched_after_a_reboot(tmp_path: Path) -> None:
    async with cancelled_at_the_end(Recorder(shell("echo ready $$; exec sleep 600", tmp_path))) as recorder:
        (identity,) = await recorder.announced("ready")
        assert await end_leftovers(replace(identity, boot_id="another"), grace=0) == 0
        assert identity.alive()


async def test_a_mark_that_would_match_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match="process mark"):
        await end_leftovers("", grace=0)


async def test_a_runner_within_a_step_of_another_is_ended_with_its_processes(tmp_path: Path) -> None:
    outer = uuid4().hex
    async with _runner(tmp_path, environment={**os.environ, MARK_VARIABLE: outer}) as runner:
        assert await end_leftovers(outer, grace=0) == 5, "the inner runner and its four"
        assert runner.alive() == [False] * 4


async def test_the_first_process_of_a_container_reaps_what_it_adopts(tmp_path: Path) -> None:
    """Orphans come back to a subreaper as its children; none may stay as a zombie."""
    adopt = "import ctypes; ctypes.CDLL(None).prctl(36, 1)\n"
    check = "\nprint('children:', open(f'/proc/self/task/{__import__(\"os\").getpid()}/children').read().split())"
    script = "(setsid sh -c 'echo >pid; exec sleep 600' >/dev/null 2>&1 &); read word <pid"
    os.mkfifo(tmp_path / "pid")
    argv = [sys.executable, "-c", adopt + _RUNNER + check, script, str(tmp_path), PATH, uuid4().hex]
    with anyio.fail_after(DEADLINE):
        result = await anyio.run_process(argv, cwd=ROOT, stderr=None)
    assert result.stdout.decode().splitlines()[-1] == "children: []"
