"""A process runs, prints and exits."""

import os
import sys
import threading
from pathlib import Path

import anyio
import pytest

from delegate_core.processes import MARK_VARIABLE, Process, ProcessIdentity, ProcessSpec, Stream, run
from tests.processes.recorder import DEADLINE, PATH, Recorder, command, finished, open_descriptors, python, shell

pytestmark = pytest.mark.anyio


async def test_output_arrives_while_the_process_still_runs(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    recorder = Recorder(shell("echo ready; read word <gate; echo got $word", tmp_path))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(recorder.run)
        await recorder.line("ready")
        assert recorder.process.exit is None
        gate.write_text("on\n")
    assert recorder.text == "ready\ngot on\n"


@pytest.mark.parametrize("code", [0, 1, 127, 255])
async def test_the_exit_code_is_the_process_s_own(code: int, tmp_path: Path) -> None:
    result = (await finished(shell(f"exit {code}", tmp_path))).exit
    assert (result.code, result.signal, result.exit_code) == (code, None, code)
    assert (result.cancelled, result.killed, result.leftovers, result.survivors) == (False, False, 0, 0)


async def test_a_death_by_signal_is_told_apart_from_an_exit(tmp_path: Path) -> None:
    result = (await finished(shell("kill -SEGV $$", tmp_path))).exit
    assert (result.code, result.signal, result.exit_code) == (None, 11, 139)


async def test_the_input_is_what_was_given(tmp_path: Path) -> None:
    content = bytes(range(256)) * 4096
    recorder = await finished(command(["cat"], tmp_path, stdin=content))
    assert b"".join(piece for piece, _ in recorder.pieces) == content


async def test_without_input_it_reads_nothing(tmp_path: Path) -> None:
    recorder = await finished(shell("cat; readlink /proc/self/fd/0", tmp_path))
    assert recorder.text == "/dev/null\n"


async def test_the_environment_is_what_was_given_and_the_mark(tmp_path: Path) -> None:
    recorder = await finished(command(["env"], tmp_path, env={"PATH": PATH, "A": "b c"}))
    mark = f"{os.environ.get(MARK_VARIABLE, '')}:{recorder.process.spec.mark}".lstrip(":")
    assert sorted(recorder.text.splitlines()) == ["A=b c", f"{MARK_VARIABLE}={mark}", f"PATH={PATH}"]


async def test_the_streams_are_told_apart_when_asked_for(tmp_path: Path) -> None:
    recorder = await finished(shell("echo one; echo two >&2; echo three", tmp_path, merge_stderr=False))
    assert recorder.of("stdout") == b"one\nthree\n"
    assert recorder.of("stderr") == b"two\n"


async def test_merged_streams_keep_the_order_of_writing(tmp_path: Path) -> None:
    script = "for n in $(seq 200); do echo $n; n=$((n + 1000)); echo $n >&2; done"
    recorder = await finished(shell(script, tmp_path))
    expected = "".join(f"{number}\n{number + 1000}\n" for number in range(1, 201))
    assert recorder.of("stdout").decode() == expected


async def test_ten_megabytes_arrive_complete(tmp_path: Path) -> None:
    script = "import sys; [sys.stdout.write(f'{n:09}\\n') for n in range(2**20)]; sys.stdout.write('the end')"
    recorder = await finished(python(script, tmp_path))
    assert recorder.text == "".join(f"{number:09}\n" for number in range(2**20)) + "the end"
    assert max(len(piece) for piece, _ in recorder.pieces) <= 64 * 1024


async def test_a_process_that_closes_its_output_early_is_waited_for(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    recorder = Recorder(shell("echo ready; exec >&- 2>&-; read word <gate; exit 3", tmp_path))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(recorder.run)
        await recorder.line("ready")
        gate.write_text("on\n")
    assert recorder.exit.code == 3


async def test_fifty_at_once_do_not_mix(tmp_path: Path) -> None:
    recorders = [Recorder(shell(f"echo {n}; exit {n}", tmp_path)) for n in range(50)]
    async with anyio.create_task_group() as tasks:
        for recorder in recorders:
            tasks.start_soon(recorder.run)
    assert [recorder.text for recorder in recorders] == [f"{n}\n" for n in range(50)]
    assert [recorder.exit.code for recorder in recorders] == list(range(50))


async def test_it_leads_a_session_and_a_group_of_its_own(tmp_path: Path) -> None:
    recorder = await finished(python("import os; print(os.getpid(), os.getsid(0), os.getpgid(0))", tmp_path))
    assert len(set(recorder.text.split())) == 1


async def test_no_descriptor_is_inherited(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    try:
        recorder = await finished(shell("ls -l /proc/self/fd", tmp_path, stdin=b"x"))
    finally:
        os.close(reading)
        os.close(writing)
    numbers = {line.split()[8] for line in recorder.text.splitlines() if "->" in line}
    assert numbers == {"0", "1", "2", "3"}, "3 is the folder that ls itself reads"


async def test_files_it_makes_are_not_writable_for_others(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        await finished(shell("touch file", tmp_path))
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


async def test_nothing_is_left_to_reap(tmp_path: Path) -> None:
    recorder = await finished(shell("exit 1", tmp_path))
    assert recorder.process.identity is not None
    with pytest.raises(ProcessLookupError):
        ProcessIdentity.of(recorder.process.identity.pid, "any-mark")


async def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    await finished(shell("echo warm", tmp_path))
    before = open_descriptors()
    await finished(shell("echo one; echo two >&2", tmp_path, stdin=b"x", merge_stderr=False))
    assert open_descriptors() == before


async def test_the_identity_is_given_out_while_the_process_lives(tmp_path: Path) -> None:
    gate, alive = tmp_path / "gate", []
    os.mkfifo(gate)

    async def journal(identity: ProcessIdentity) -> None:
        alive.append(identity.alive())
        await anyio.to_thread.run_sync(gate.write_text, "on\n")

    recorder = Recorder(shell("read word <gate", tmp_path))
    await recorder.run(on_start=journal)
    assert alive == [True]


async def test_what_on_start_raises_ends_the_process(tmp_path: Path) -> None:
    async def fail(identity: ProcessIdentity) -> None:
        await recorder.line("ready")
        raise LookupError("journal full")

    recorder = Recorder(shell("echo ready; exec sleep 600", tmp_path))
    with pytest.raises(LookupError, match="journal full"):
        await recorder.run(on_start=fail)
    assert recorder.exit.signal == 15


async def test_what_on_output_raises_ends_the_process(tmp_path: Path) -> None:
    calls = []

    def fail(piece: bytes, stream: Stream) -> None:
        calls.append(stream)
        raise LookupError("spool gone")

    process = Process(shell("trap 'seq 100000; exit 4' TERM; sh -c 'echo ready; exec sleep 600' & wait", tmp_path))
    with anyio.fail_after(40), pytest.raises(LookupError, match="spool gone"):
        await process.run(on_output=fail)
    assert process.exit is not None
    assert (process.exit.code, process.exit.cancelled) == (4, True), "its cleaning up did not block on the pipe"
    assert len(calls) == 1


async def test_a_process_runs_once(tmp_path: Path) -> None:
    recorder = await finished(shell(":", tmp_path))
    with pytest.raises(RuntimeError, match="was run already"):
        await recorder.run()


async def test_nothing_is_started_in_a_cancelled_scope(tmp_path: Path) -> None:
    recorder = Recorder(shell("touch started", tmp_path))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await recorder.run()
    assert scope.cancelled_caught
    assert recorder.process.identity is None
    assert not (tmp_path / "started").exists()


async def test_the_wait_for_a_process_costs_no_time(tmp_path: Path) -> None:
    """An exit is an event: nobody waits for the linger to be over."""
    with anyio.fail_after(DEADLINE):
        await run(shell(":", tmp_path, linger=3600.0), on_output=lambda *_: None)


def test_it_works_in_a_loop_outside_the_main_thread(tmp_path: Path) -> None:
    exits = []

    def work() -> None:
        exits.append(anyio.run(finished, shell("echo hello; exit 5", tmp_path)).exit.code)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(20)
    assert exits == [5]


def test_what_may_be_secret_is_not_shown(tmp_path: Path) -> None:
    spec = ProcessSpec(argv=["curl", "s3cret"], cwd=tmp_path, env={"TOKEN": "s3cret"}, stdin=b"s3cret")
    assert "s3cret" not in repr(spec)


def test_a_command_must_be_a_list(tmp_path: Path) -> None:
    argvs: tuple[str | list[str], ...] = ("ls -l", [])
    for argv in argvs:
        with pytest.raises(ValueError, match="a list with the program first"):
            ProcessSpec(argv=argv, cwd=tmp_path, env={})


def test_a_mark_must_be_unique(tmp_path: Path) -> None:
    for mark in ("", "short", "with:separator", "with blanks in it"):
        with pytest.raises(ValueError, match="process mark"):
            ProcessSpec(argv=[sys.executable], cwd=tmp_path, env={}, mark=mark)
