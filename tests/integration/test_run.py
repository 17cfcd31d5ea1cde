"""``delegate run`` as a daemon: signals, drains, crashes and restarts, against the embedded manager."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from delegate_harness.manager import EmbeddedManager, Fault, FaultKind, Submission, TaskStatus, Verdict
from tests.integration.command import PATIENCE, Command, Running, manager_settings

pytestmark = pytest.mark.anyio

RUN = ("run", "--backend", "harness", "--console", "plain", "--task-logs", "--grace", "1s")


@pytest.fixture
async def manager() -> AsyncIterator[EmbeddedManager]:
    async with EmbeddedManager() as embedded:
        yield embedded


def script(*commands: str) -> Submission:
    return Submission("script", {"commands": list(commands)}, abstractions={"name": "log"})


def until(file: Path) -> str:
    """A shell command that waits for a file, so that a test decides when it ends."""
    return f"while [ ! -e {file} ]; do sleep 0.02; done"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def too_late(runner: Running) -> None:
    """Send signals for as long as there is a process: the end of a runner takes a while after its last word."""
    late = iter([signal.SIGHUP, signal.SIGINT])
    with anyio.move_on_after(PATIENCE), suppress(ProcessLookupError):
        while runner.process.returncode is None:
            os.kill(runner.process.pid, next(late, signal.SIGHUP))
            await anyio.sleep(0.003)


async def test_sigterm_drains(delegate: Command, manager: EmbeddedManager) -> None:
    """The running task finishes, nothing new is taken, and the delegate unregisters. Late signals change nothing."""
    go = delegate.folder / "go"
    async with delegate.started(*RUN, **manager_settings(manager)) as runner:
        running = manager.submit(script("echo working", until(go), "echo done"))
        await runner.said("working")
        runner.signal(signal.SIGTERM)
        await runner.said("draining: received SIGTERM")
        late = manager.submit(script("echo late"))
        polls = manager.state.calls["task-events"]
        await manager.wait_for(lambda state: state.calls["task-events"] > polls + 1)
        go.touch()
        await runner.said("runner    stopped")
        await too_late(runner)
        assert await runner.ended() == 0, runner.text
        assert "Traceback" not in runner.text
    assert manager.task(running).outcome.verdict is Verdict.SUCCEEDED  # type: ignore[union-attr]  # it has ended
    assert manager.task(late).status is TaskStatus.QUEUED
    assert manager.state.calls["unregister"] == 1


async def test_a_second_signal_cancels(delegate: Command, manager: EmbeddedManager) -> None:
    async with delegate.started(*RUN, **manager_settings(manager)) as runner:
        task_id = manager.submit(script("echo pid=$$", "sleep 100"))
        await runner.said("+ sleep 100")
        runner.signal(signal.SIGINT)
        await runner.said("draining")
        runner.signal(signal.SIGINT)
        assert await runner.ended() == 0, runner.text
    outcome = manager.task(task_id).outcome
    assert outcome is not None
    assert (outcome.verdict, outcome.message) == (Verdict.FAILED, "runner stopped")
    assert manager.state.calls["unregister"] == 1


async def test_a_third_signal_leaves_at_once_and_the_next_start_reports(
    delegate: Command, manager: EmbeddedManager
) -> None:
    stubborn = script("trap '' TERM", "echo stubborn", "while true; do sleep 0.1; done")
    async with delegate.started(*RUN, "--grace", "60s", **manager_settings(manager)) as runner:
        task_id = manager.submit(stubborn)
        await runner.said("| stubborn")
        for words in ("draining", "stopping", "leaving now"):
            runner.signal(signal.SIGTERM)
            await runner.said(words)
        assert await runner.ended() == 8
    assert not manager.task(task_id).finished
    assert manager.state.calls["unregister"] == 0
    async with delegate.started(*RUN, **manager_settings(manager)):
        ended = await manager.wait_finished(task_id)
    assert ended.outcome is not None
    assert (ended.outcome.verdict, ended.outcome.message) == (Verdict.FAILED, "runner restarted")


async def test_after_kill_9_a_started_task_is_reported_once_and_its_processes_are_gone(
    delegate: Command, manager: EmbeddedManager
) -> None:
    settings = manager_settings(manager)
    pids = delegate.folder / "pids"
    async with delegate.started(*RUN, **settings) as runner:
        task_id = manager.submit(
            script(f"setsid sleep 1000 & echo $! >> {pids}", f"echo $$ >> {pids}", "echo begun", "sleep 1000")
        )
        await runner.said("| begun")
        runner.kill()
    left = [int(line) for line in pids.read_text().split()]
    assert any(alive(pid) for pid in left)
    async with delegate.started(*RUN, **settings) as runner:
        task = await manager.wait_finished(task_id)
        await runner.said("registered")
    assert task.outcome is not None
    assert (task.outcome.verdict, task.outcome.message) == (Verdict.FAILED, "runner restarted")
    assert len(task.events("acquired")) == 1
    assert not task.events("duplicate")
    assert not [pid for pid in left if alive(pid)]


async def test_after_kill_9_a_result_that_was_not_delivered_is_delivered(
    delegate: Command, manager: EmbeddedManager
) -> None:
    settings = manager_settings(manager)
    manager.faults.add(Fault("result", FaultKind.STATUS, times=1000, status=503))
    async with delegate.started(*RUN, **settings) as runner:
        task_id = manager.submit(script('echo answer=42 >> "$DELEGATE_OUTPUT"'))
        await runner.said("report of task")
        runner.kill()
    manager.faults.clear()
    assert not manager.task(task_id).finished
    async with delegate.started(*RUN, **settings):
        task = await manager.wait_finished(task_id)
    assert task.outcome is not None
    assert task.outcome.result is not None
    assert task.outcome.result.data == {"exit_code": 0, "outputs": {"answer": "42"}}
    assert len(task.events("acquired")) == 1


async def test_a_restarted_runner_is_the_same_delegate(delegate: Command, manager: EmbeddedManager) -> None:
    settings = manager_settings(manager)
    for _ in range(2):
        async with delegate.started(*RUN, **settings) as runner:
            await runner.said("registered")
            runner.kill()
    assert len(manager.state.delegates(manager.account_id)) == 1


async def test_json_lines_can_be_read_by_a_program(delegate: Command, manager: EmbeddedManager) -> None:
    run = ("run", "--backend", "harness", "--console", "json")
    async with delegate.started(*run, **manager_settings(manager)) as runner:
        task_id = manager.submit(script("echo hello"))
        await manager.wait_finished(task_id)
        runner.signal(signal.SIGTERM)
        assert await runner.ended() == 0
    events = [json.loads(line) for line in runner.text.splitlines()]
    finished = [event for event in events if event["event"] == "task_finished"]
    assert [(event["task_id"], event["outcome"]) for event in finished] == [(task_id, "succeeded")]


async def test_the_runners_secrets_reach_no_task_and_no_output(delegate: Command, manager: EmbeddedManager) -> None:
    """With a positive control: the environment is printed, and a masked value is."""
    settings = manager_settings(manager)
    async with delegate.started(*RUN, "--log-level", "debug", CANARY="canary-in-environment", **settings) as runner:
        task = Submission(
            "script",
            {"commands": ["env | sort", "echo token=hunter2-hunter2"]},
            secrets=("hunter2-hunter2",),
            abstractions={"name": "log"},
        )
        await manager.wait_finished(manager.submit(task))
        await runner.said("token=******")
        runner.signal(signal.SIGTERM)
        await runner.ended()
    stored = manager.logs.blob(manager.account_id, "name:log").decode()
    journal = b"".join(file.read_bytes() for file in delegate.folder.rglob("*") if file.is_file())
    assert "TMPDIR=" in stored
    for text in (runner.text, stored, journal.decode(errors="replace")):
        for secret in (manager.account_secret, "canary-in-environment", "hunter2"):
            assert secret not in text


async def test_the_state_folder_is_private(delegate: Command, manager: EmbeddedManager) -> None:
    async with delegate.started(*RUN, **manager_settings(manager)) as runner:
        await manager.wait_finished(manager.submit(script("echo hello")))
        runner.kill()
    state = delegate.folder / "state" / "delegate" / "harness"
    (folder,) = state.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o077 for file in folder.rglob("*") if file.is_file()} == {0}


async def test_two_runners_of_different_names_are_two_delegates(delegate: Command, manager: EmbeddedManager) -> None:
    settings = manager_settings(manager)
    async with (
        delegate.started(*RUN, "--name", "one", "--tag", "first", **settings) as one,
        delegate.started(*RUN, "--name", "two", "--tag", "second", **settings) as two,
    ):
        await one.said("registered")
        await two.said("registered")
        ids = [
            manager.submit(Submission("script", {"commands": ["echo here", "sleep 100"]}, selectors=(tag,)))
            for tag in ("first", "second")
        ]
        await one.said("| here")
        await two.said("| here")
        manager.abort(ids[0])
        await manager.wait_finished(ids[0])
        one.signal(signal.SIGTERM)
        assert await one.ended() == 0
        assert not manager.task(ids[1]).finished
        manager.abort(ids[1])
        outcome = (await manager.wait_finished(ids[1])).outcome
        assert outcome is not None
        assert outcome.verdict is Verdict.ABORTED


async def test_a_runner_without_work_leaves_no_descriptor_behind(delegate: Command, manager: EmbeddedManager) -> None:
    async with delegate.started(*RUN, **manager_settings(manager)) as runner:
        for _ in range(3):
            await manager.wait_finished(manager.submit(script("true")))
        fds = anyio.Path(f"/proc/{runner.process.pid}/fd")
        before = len([fd async for fd in fds.iterdir()])
        for _ in range(20):
            await manager.wait_finished(manager.submit(script("echo hello")))
        with anyio.fail_after(40):
            while len([fd async for fd in fds.iterdir()]) > before + 2:  # noqa: ASYNC110 - nothing tells of a closed descriptor
                await anyio.sleep(0.05)


async def test_a_stubborn_process_is_timed_out_before_the_server_does_it(
    delegate: Command, manager: EmbeddedManager
) -> None:
    """It ignores SIGTERM, and the grace is longer than the time between our deadline and the server's."""
    async with delegate.started(*RUN, "--grace", "60s", **manager_settings(manager)) as runner:
        await runner.said("registered")
        stubborn = {"commands": ["trap '' TERM", "while true; do sleep 0.05; done"]}
        task_id = manager.submit(Submission("script", stubborn, timeout_ms=4000))
        outcome = (await manager.wait_finished(task_id)).outcome
    assert outcome is not None
    assert outcome.verdict is Verdict.FAILED
    assert outcome.message == "timed out after 3.6s"


_DEAF = """
import asyncio
from delegate_core import TaskContext, handler

@handler("deaf")
async def deaf(context: TaskContext):
    context.log("deaf")
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
"""


async def test_a_handler_that_ignores_its_cancellation_keeps_no_runner_from_leaving(
    delegate: Command, manager: EmbeddedManager
) -> None:
    (delegate.folder / "deaf.py").write_text(_DEAF)
    settings = manager_settings(manager)
    async with delegate.started(*RUN, "--handlers", "deaf.py", "--drain-timeout", "1s", **settings) as runner:
        task_id = manager.submit(Submission("deaf", {}))
        await runner.said("| deaf")
        runner.signal(signal.SIGTERM)
        assert await runner.ended() == 8
    assert "a handler does not heed its cancellation and was left" in runner.text
    async with delegate.started(*RUN, "--handlers", "deaf.py", **settings):
        outcome = (await manager.wait_finished(task_id)).outcome
    assert outcome is not None
    assert outcome.message == "runner restarted"
