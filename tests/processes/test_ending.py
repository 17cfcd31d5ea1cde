"""A run ends with everything it started, however it ends."""

import asyncio
import os
import signal
import time
from pathlib import Path

import anyio
import pytest

from delegate_core.processes import Stream
from tests.processes.recorder import DEADLINE, Recorder, cancelled_at_the_end, finished, needs_prlimit, python, shell

pytestmark = pytest.mark.anyio

_DAEMON = "(setsid sh -c 'echo $$ >pid; exec sleep 600' {redirect} &); read pid <pid; echo daemon $pid; "
"""Forks twice, leaves the session, and says its pid by way of a fifo."""


_STRANGER = (
    "(env -i setsid prlimit --locks=9 sh -c 'echo $$ >pid; read word <pid; exec {command}' &); "
    "read pid <pid; echo stranger $pid; echo on >pid; "
)
"""It shed its brand, cleared its environment, left the session and lost its parent: the one thing that escapes."""

_WAITING = "sh -c 'echo ready; exec sleep 600' & wait"
"""The child says when it is ready: one that has not begun may swallow a signal in its parent's trap."""


def _fifo(folder: Path) -> None:
    os.mkfifo(folder / "pid")


async def test_cancelling_ends_grandchildren_too(tmp_path: Path) -> None:
    script = "sh -c 'sh -c \"echo third \\$\\$; exec sleep 600\" & echo second $$; wait' & echo first $$; wait"
    async with cancelled_at_the_end(Recorder(shell(script, tmp_path))) as recorder:
        identities = await recorder.announced("first", "second", "third")
        assert [each.alive() for each in identities] == [True, True, True]
    assert [each.alive() for each in identities] == [False, False, False]
    assert (recorder.exit.signal, recorder.exit.cancelled, recorder.exit.killed) == (15, True, False)
    assert recorder.exit.leftovers == 0, "none outlived it by itself"


async def test_the_cancellation_goes_on_when_all_is_over(tmp_path: Path) -> None:
    recorder, went_on = Recorder(shell("echo ready; exec sleep 600", tmp_path)), []

    async def handler() -> None:
        try:
            await recorder.run()
        except asyncio.CancelledError:
            went_on.append(recorder.exit.exit_code)
            raise

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(handler)
        await recorder.line("ready")
        tasks.cancel_scope.cancel()
    assert went_on == [143]


async def test_a_timeout_leaves_the_exit_with_the_process(tmp_path: Path) -> None:
    recorder = Recorder(shell("exec sleep 600", tmp_path))
    with anyio.move_on_after(0.01) as scope:
        await recorder.run()
    assert scope.cancelled_caught
    assert (recorder.exit.signal, recorder.exit.cancelled) == (15, True)


async def test_a_process_may_clean_up_and_its_last_words_are_heard(tmp_path: Path) -> None:
    script = f"trap 'echo cleaning; sleep 0.1; echo cleaned; exit 7' TERM; {_WAITING}"
    async with cancelled_at_the_end(Recorder(shell(script, tmp_path))) as recorder:
        await recorder.line("ready")
    assert recorder.text == "ready\ncleaning\ncleaned\n"
    assert (recorder.exit.code, recorder.exit.cancelled, recorder.exit.killed) == (7, True, False)


async def test_sigterm_comes_once(tmp_path: Path) -> None:
    """The child that the handler starts shows up later, and does not cause a second round for its parent."""
    script = f"trap 'echo term; sleep 0.2' TERM; {_WAITING}; wait"
    async with cancelled_at_the_end(Recorder(shell(script, tmp_path))) as recorder:
        await recorder.line("ready")
    assert recorder.text == "ready\nterm\n"


async def test_who_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    script = "trap '' TERM; echo ready $$; while :; do sleep 600; done"
    async with cancelled_at_the_end(Recorder(shell(script, tmp_path, grace=0.2))) as recorder:
        (identity,) = await recorder.announced("ready")
        started = anyio.current_time()
    assert anyio.current_time() - started >= 0.2
    assert not identity.alive()
    assert (recorder.exit.signal, recorder.exit.killed, recorder.exit.survivors) == (9, True, 0)


async def test_without_a_grace_it_is_killed_at_once(tmp_path: Path) -> None:
    script = f"trap 'echo term' TERM; {_WAITING}"
    async with cancelled_at_the_end(Recorder(shell(script, tmp_path, grace=0))) as recorder:
        await recorder.line("ready")
    assert (recorder.exit.signal, recorder.text) == (9, "ready\n")


async def test_a_stopped_process_ends_within_the_grace(tmp_path: Path) -> None:
    script = "sh -c 'echo stopped $$; kill -STOP $$; echo awake' & wait"
    async with cancelled_at_the_end(Recorder(shell(script, tmp_path))) as recorder:
        (identity,) = await recorder.announced("stopped")
        os.kill(identity.pid, signal.SIGSTOP)  # at the latest now; it does so itself too
    assert not identity.alive()
    assert not recorder.exit.killed


@pytest.mark.parametrize("redirect", ["", ">/dev/null 2>&1"], ids=["holding the output", "silent"])
async def test_a_daemon_is_found_when_the_run_is_cancelled(redirect: str, tmp_path: Path) -> None:
    _fifo(tmp_path)
    spec = shell(_DAEMON.format(redirect=redirect) + "sleep 600", tmp_path)
    async with cancelled_at_the_end(Recorder(spec)) as recorder:
        (daemon,) = await recorder.announced("daemon")
        assert os.getsid(daemon.pid) == daemon.pid
        assert daemon.alive()
    assert not daemon.alive()


@pytest.mark.parametrize("redirect", ["", ">/dev/null 2>&1"], ids=["holding the output", "silent"])
async def test_a_daemon_ends_after_the_main_process(redirect: str, tmp_path: Path) -> None:
    _fifo(tmp_path)
    recorder = await finished(shell(_DAEMON.format(redirect=redirect) + "exit 3", tmp_path, linger=0.05))
    assert (recorder.exit.code, recorder.exit.leftovers) == (3, 1)
    assert (recorder.exit.cancelled, recorder.exit.killed) == (False, False)
    assert not _runs(await recorder.line("daemon "))


def _runs(pid: str) -> bool:
    """Not when it is a zombie: orphans are reaped by the machine's first process, in its own time."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_who_clears_its_environment_is_found_in_the_session(tmp_path: Path) -> None:
    script = "env -i sh -c 'echo cleared $$; exec sleep 600' & read word; wait"
    async with cancelled_at_the_end(Recorder(shell(script, tmp_path))) as recorder:
        (identity,) = await recorder.announced("cleared")
    assert not identity.alive()


async def test_who_clears_its_environment_and_leaves_the_session_is_found_by_its_parent(
    tmp_path: Path,
) -> None:
    script = "env -i setsid sh -c 'echo cleared $$; exec sleep 600' & wait"
    async with cancelled_at_the_end(Recorder(shell(script, tmp_path))) as recorder:
        (identity,) = await recorder.announced("cleared")
        assert os.getsid(identity.pid) == identity.pid
    assert not identity.alive()


async def test_an_orphan_in_a_marked_daemon_s_session_is_found(tmp_path: Path) -> None:
    _fifo(tmp_path)
    daemon = '(env -i sh -c "echo \\$\\$ >pid; exec sleep 600" &); exec sleep 600'
    script = f"(setsid sh -c '{daemon}' &); read pid <pid; echo orphan $pid; sleep 600"
    async with cancelled_at_the_end(Recorder(shell(script, tmp_path))) as recorder:
        (orphan,) = await recorder.announced("orphan")
    assert not orphan.alive()


async def test_a_daemon_is_found_in_the_middle_of_an_exec(tmp_path: Path) -> None:
    """It does nothing but replace itself, and while it does, its environment reads as empty."""
    _fifo(tmp_path)
    program = tmp_path / "again"
    program.write_text('#!/bin/sh\nexec "$0"\n')
    program.chmod(0o755)
    start = f"(setsid sh -c 'echo $$ >pid; exec {program}' >/dev/null 2>&1 &); read pid <pid; echo daemon $pid"
    for _ in range(10):
        recorder = await finished(shell(start, tmp_path, linger=0))
        assert recorder.exit.leftovers == 1
        assert not _runs(await recorder.line("daemon "))


async def test_a_grandchild_that_holds_the_output_does_not_hang_the_run(tmp_path: Path) -> None:
    recorder = await finished(shell("sleep 600 & echo last words", tmp_path, linger=0.05))
    assert recorder.text == "last words\n"
    assert (recorder.exit.code, recorder.exit.leftovers) == (0, 1)


async def test_a_grandchild_that_never_stops_printing_does_not_hang_the_run(tmp_path: Path) -> None:
    recorder = await finished(shell("yes & echo main; exit 6", tmp_path, linger=0.05))
    assert "main\n" in recorder.text
    assert (recorder.exit.code, recorder.exit.leftovers) == (6, 1)


async def test_a_stranger_that_holds_the_output_does_not_hang_the_run(tmp_path: Path) -> None:
    _fifo(tmp_path)
    recorder = await finished(shell(_STRANGER.format(command="sleep 600"), tmp_path, linger=0.05))
    (stranger,) = await recorder.announced("stranger")
    assert stranger.alive()
    _kill_stranger(recorder)
    assert recorder.exit.leftovers == 0


async def test_a_daemon_that_also_cleared_its_environment_is_ended_by_its_brand(tmp_path: Path) -> None:
    _fifo(tmp_path)
    recorder = await finished(shell(_STRANGER.replace("prlimit --locks=9 ", "").format(command="sleep 600"), tmp_path))
    (stranger,) = await recorder.announced("stranger")
    assert not stranger.alive()
    assert recorder.exit.leftovers == 1


@needs_prlimit
async def test_not_even_what_is_forked_first_of_all_is_without_the_brand(tmp_path: Path) -> None:
    """One program that does nothing else: no shell is read before it forks."""
    script = (
        "import os\nif not os.fork():\n os.setsid()\n if not os.fork(): os.execve('/bin/sleep', ['sleep', '600'], {})"
    )
    recorder = await finished(python(script, tmp_path, linger=0.05))
    assert recorder.exit.leftovers >= 1, "and whoever was between the two, where the machine is busy"


async def test_all_that_was_written_arrives_though_a_stranger_holds_the_pipe(tmp_path: Path) -> None:
    _fifo(tmp_path)
    script = (
        "import fcntl, os, subprocess\n"
        "fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 2**20)\n"
        f"subprocess.run(['sh', '-c', {_STRANGER.format(command='sleep 600')!r}])\n"
        "os.write(1, b'x' * (2**20 - 100) + b'the end')"
    )
    recorder = Recorder(python(script, tmp_path, linger=0))

    def write_slowly(piece: bytes, stream: Stream) -> None:
        time.sleep(0.01)  # a busy loop, which falls behind the pipe
        recorder.write(piece, stream)

    with anyio.fail_after(DEADLINE):
        await recorder.process.run(on_output=write_slowly)
    _kill_stranger(recorder)
    assert recorder.text.endswith("the end")
    assert recorder.text.count("x") == 2**20 - 100


async def test_a_stranger_that_never_stops_printing_does_not_hang_the_run(tmp_path: Path) -> None:
    _fifo(tmp_path)
    recorder = await finished(shell(_STRANGER.format(command="yes") + "exit 6", tmp_path, linger=0.05))
    assert recorder.exit.code == 6
    assert recorder.text.startswith("stranger ")


def _kill_stranger(recorder: Recorder) -> None:
    os.kill(int(recorder.text.split()[1].partition("x")[0]), signal.SIGKILL)


async def test_a_grandchild_that_soon_finishes_is_left_to_finish(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    script = "sh -c 'echo ready; read word <gate; sleep 0.2; echo from the grandchild' & exit 0"
    recorder = Recorder(shell(script, tmp_path, linger=20.0))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(recorder.run)
        await recorder.line("ready")
        await _exited(recorder)
        gate.write_text("on\n")
    assert recorder.text == "ready\nfrom the grandchild\n"
    assert recorder.exit.leftovers == 0


async def _exited(recorder: Recorder) -> None:
    """Until the main process has exited; the run may go on."""
    assert recorder.process.identity is not None
    descriptor = os.pidfd_open(recorder.process.identity.pid)
    try:
        await anyio.wait_readable(descriptor)
    finally:
        os.close(descriptor)


async def test_a_stubborn_leftover_is_killed(tmp_path: Path) -> None:
    _fifo(tmp_path)
    script = "sh -c 'trap \"\" TERM; echo $$ >pid; while :; do sleep 600; done' & read pid <pid"
    recorder = await finished(shell(script, tmp_path, linger=0.05, grace=0.2))
    assert (recorder.exit.code, recorder.exit.killed) == (0, True)
    assert recorder.exit.leftovers >= 1


async def test_a_cancellation_while_leftovers_linger_ends_them(tmp_path: Path) -> None:
    script = "sh -c 'echo left $$; exec sleep 600' & exit 0"
    async with cancelled_at_the_end(Recorder(shell(script, tmp_path, linger=600))) as recorder:
        (left,) = await recorder.announced("left")
    assert not left.alive()
    assert (recorder.exit.code, recorder.exit.cancelled) == (0, True)


async def test_a_task_cancelled_again_and_again_still_ends_its_process(tmp_path: Path) -> None:
    """Not by scopes but by asyncio itself, which knows no shield."""
    script = f"trap 'echo cleaning' TERM; {_WAITING}; exec sleep 600"
    recorder = Recorder(shell(script, tmp_path, grace=0.3))
    task = asyncio.get_running_loop().create_task(recorder.run())
    await recorder.line("ready")
    task.cancel()
    await recorder.line("cleaning")
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.01)
    assert task.cancelled()
    assert recorder.process.identity is not None
    assert not recorder.process.identity.alive()
    assert recorder.exit.killed


async def test_waiting_for_the_grace_takes_no_processor_time(tmp_path: Path) -> None:
    script = "import signal; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
    async with cancelled_at_the_end(Recorder(python(script, tmp_path, grace=0.5))) as recorder:
        await recorder.line("ready")
        before = time.process_time()
    assert time.process_time() - before < 0.25


async def test_many_cancelled_at_once_all_end(tmp_path: Path) -> None:
    recorders = [Recorder(shell("sleep 600 & echo ready $$; wait", tmp_path)) for _ in range(20)]
    async with anyio.create_task_group() as tasks:
        for recorder in recorders:
            tasks.start_soon(recorder.run)
        identities = [(await recorder.announced("ready"))[0] for recorder in recorders]
        tasks.cancel_scope.cancel()
    assert not any(identity.alive() for identity in identities)
    assert {recorder.exit.signal for recorder in recorders} == {15}


async def test_a_tree_that_forks_without_end_is_ended(tmp_path: Path) -> None:
    script = "trap '' TERM; echo ready; while :; do sh -c 'sleep 0.01; exec sleep 600' & sleep 0.02; done"
    with anyio.fail_after(DEADLINE):
        async with cancelled_at_the_end(Recorder(shell(script, tmp_path, grace=0.2))) as recorder:
            await recorder.line("ready")
    assert (recorder.exit.signal, recorder.exit.killed, recorder.exit.survivors) == (9, True, 0)
