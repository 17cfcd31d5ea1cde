"""A disk that is full while a task runs: a small one of memory, so that it is really full."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import anyio
import pytest

from delegate_core.history import History
from delegate_core.model import Phase
from delegate_core.testing.proxy import Fault, FaultProxy, Mishap
from delegate_harness.manager import EmbeddedManager, Submission, TaskStatus, Verdict
from tests.integration.command import Command, manager_settings
from tests.reliability.sides import PATIENCE

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

SIZE = 8 * 1024 * 1024
NUMBERS = count()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "none", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def delegate(tmp_path: Path) -> Command:
    return Command(tmp_path)


def script(*commands: str) -> Submission:
    key = f"log{next(NUMBERS)}"
    return Submission("script", {"commands": list(commands), "trace": False}, abstractions={"name": key})


def run(disk: Path) -> tuple[str, ...]:
    return (
        "run", "--backend", "harness", "--name", "mine", "--console", "plain", "--state-dir", str(disk / "state"),
        "--log-limit", "64MiB", "--min-free-disk", "6MiB",
    )  # fmt: skip


async def outcome(manager: EmbeddedManager, submission: Submission) -> tuple[Verdict, str, str]:
    """How a task ended, with the manager's message, and its log as it is stored there."""
    task_id = manager.submit(submission)
    await manager.wait_finished(task_id)
    task = manager.task(task_id)
    assert task.outcome is not None
    log = await stored_log(manager, task.log_key)
    return task.outcome.verdict, task.outcome.message, log


async def stored_log(manager: EmbeddedManager, key: str) -> str:
    def found(_: object) -> bool:
        with suppress(KeyError):
            return bool(manager.logs.blob(manager.account_id, key))
        return False

    with anyio.fail_after(PATIENCE):
        await manager.wait_for(found)
    return manager.logs.blob(manager.account_id, key).decode()


async def test_a_task_that_prints_more_than_the_disk_takes_goes_on_and_its_log_says_what_is_missing(
    delegate: Command, small_disk: Path
) -> None:
    async with EmbeddedManager() as manager, delegate.started(*run(small_disk), **manager_settings(manager)) as runner:
        await runner.said("running")
        loud = script("head -c 20000000 /dev/zero | tr '\\0' x | fold -w 999", "echo the end")
        verdict, _, log = await outcome(manager, loud)
        assert verdict is Verdict.SUCCEEDED
        assert "lines were dropped: the runner's disk did not take them: No space left on device" in log
        assert "x" * 999 in log
        await runner.said("removed the logs of 1 delivered tasks")
        verdict, _, log = await outcome(manager, script("echo well again"))
        assert (verdict, "well again" in log) == (Verdict.SUCCEEDED, True)
        runner.signal(signal.SIGTERM)
        assert await runner.ended() == 0


async def test_a_task_that_fills_the_disk_fails_by_what_its_program_says_and_the_next_one_succeeds(
    delegate: Command, small_disk: Path
) -> None:
    async with EmbeddedManager() as manager, delegate.started(*run(small_disk), **manager_settings(manager)) as runner:
        await runner.said("running")
        verdict, error, log = await outcome(manager, script("head -c 20000000 /dev/zero >big"))
        assert verdict is Verdict.FAILED
        assert "exit status" in error
        assert "No space left on device" in log
        verdict, _, log = await outcome(manager, script("echo well again"))
        assert (verdict, "well again" in log) == (Verdict.SUCCEEDED, True)
        runner.signal(signal.SIGTERM)
        assert await runner.ended() == 0


async def test_a_full_disk_of_the_tasks_folders_holds_the_runner_until_there_is_room(
    delegate: Command, small_disk: Path
) -> None:
    big, elsewhere = small_disk / "big", ("--state-dir", "state", "--work-dir", str(small_disk / "work"))
    big.write_bytes(bytes(SIZE // 2))
    async with EmbeddedManager() as manager:
        task = manager.submit(script("echo well"))
        async with delegate.started(*run(small_disk), *elsewhere, **manager_settings(manager)) as runner:
            await runner.said(f"free on the disk of the tasks' folders {small_disk}/work/")
            held = await delegate("status", "--state-dir", "state")
            assert (held.code, "min_free_disk" in held.out) == (1, True)
            assert manager.task(task).status is TaskStatus.QUEUED
            big.unlink()
            with anyio.fail_after(PATIENCE):
                await manager.wait_finished(task)
            runner.signal(signal.SIGTERM)
            assert await runner.ended() == 0
    assert "state folder" not in runner.text


async def test_a_full_disk_of_the_journal_stops_claiming_loses_nothing_and_goes_on_when_there_is_room(
    delegate: Command, small_disk: Path
) -> None:
    go, big = delegate.folder / "go", small_disk / "big"
    whose = ("--state-dir", str(small_disk / "state"))
    async with EmbeddedManager() as manager, FaultProxy(manager.url) as proxy:
        given = {**manager_settings(manager), "DELEGATE_ENDPOINT": proxy.url}
        async with delegate.started(*run(small_disk), "--min-free-disk", "0", "--task-logs", **given) as runner:
            await runner.said("running")
            refused = Fault(which=lambda call: "/v2/tasks/" in call.path or "/executions/" in call.path, times=None,
                            mishap=Mishap.STATUS, status=503)  # fmt: skip
            proxy.plan.add(refused)
            owed = manager.submit(script("echo owed"))
            await runner.said("503")
            working = manager.submit(script("echo is-working", f"while [ ! -e {go} ]; do sleep 0.02; done"))
            await runner.said("| is-working")
            fill(big)
            go.touch()
            await runner.said("the journal cannot be written: database or disk is full; free some disk space")
            held = await delegate("status", *whose)
            assert (held.code, "the journal cannot be written" in held.out) == (1, True)
            late = manager.submit(script("echo late"))
            proxy.plan.clear()
            for task in (owed, working):
                with anyio.fail_after(PATIENCE):
                    await manager.wait_finished(task)
            assert manager.task(late).status is TaskStatus.QUEUED
            big.unlink()
            await runner.said("the journal is written again")
            with anyio.fail_after(PATIENCE):
                await manager.wait_finished(late)
            runner.signal(signal.SIGTERM)
            assert await runner.ended() == 0, runner.text
    outcomes = [manager.task(task).outcome for task in (owed, working, late)]
    assert [one.verdict for one in outcomes if one] == [Verdict.SUCCEEDED] * 3
    assert History(small_disk / "state").outbox() == []
    assert [entry.phase for entry in History(small_disk / "state").entries(10)] == [Phase.DELIVERED] * 3


def fill(file: Path) -> None:
    """Take all that is left of the disk."""
    with suppress(OSError), file.open("wb", buffering=0) as opened:
        while True:
            opened.write(bytes(4096))
