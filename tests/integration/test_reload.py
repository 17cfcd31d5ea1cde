"""Reloading settings, leaving by itself, and a second process with the same name."""

from __future__ import annotations

import signal

import pytest

from delegate_harness.manager import EmbeddedManager, Submission, TaskStatus, Verdict
from tests.integration.command import Command, manager_settings

pytestmark = pytest.mark.anyio

RUN = ("run", "--backend", "harness", "--console", "plain", "--name", "mine", "--task-logs")
WHOSE = ("--backend", "harness", "--name", "mine")
HANDLER = """
from delegate_core import handler

@handler("greet")
def greet() -> str:
    return "{}"
"""


def script(*commands: str) -> Submission:
    return Submission("script", {"commands": list(commands)}, abstractions={"name": "log"})


async def test_a_hangup_reloads_what_can_change_and_a_bad_file_changes_nothing(delegate: Command) -> None:
    settings, handlers = delegate.folder / "delegate.toml", delegate.folder / "mine.py"
    handlers.write_text(HANDLER.format("first"))
    settings.write_text('handlers = ["mine.py"]\ncapacity = 2\n')
    async with EmbeddedManager() as manager, delegate.started(*RUN, **manager_settings(manager)) as runner:
        await runner.said("running")
        handlers.write_text(HANDLER.format("second"))
        (delegate.folder / "hidden").write_text("tulip-bulb\n")
        settings.write_text('handlers = ["mine.py"]\ncapacity = 3\nmask_file = "hidden"\nconsole = "json"\n')
        runner.signal(signal.SIGHUP)
        await runner.said("changed: capacity, mask_file")
        shown = manager.submit(script("echo a tulip-bulb"))
        await manager.wait_finished(shown)
        greeted = manager.submit(Submission("greet", {}))
        await manager.wait_finished(greeted)
        assert "second" in str(manager.task(greeted).outcome)

        settings.write_text("capacity = 0\n")
        runner.signal(signal.SIGHUP)
        await runner.said("nothing was changed")
        handlers.write_text("1 / 0\n")
        settings.write_text('handlers = ["mine.py"]\ncapacity = 9\n')
        refused = await delegate("reload", *WHOSE)
        assert (refused.code, "ZeroDivisionError" in refused.err) == (3, True)
        again = manager.submit(Submission("greet", {}))
        await manager.wait_finished(again)
        assert "second" in str(manager.task(again).outcome)
        runner.signal(signal.SIGTERM)
        assert await runner.ended() == 0
        assert "tulip-bulb" not in runner.text.replace("echo a tulip-bulb", "")


async def test_a_runner_leaves_after_so_many_tasks_and_never_claims_one_more(delegate: Command) -> None:
    async with EmbeddedManager() as manager:
        tasks = [manager.submit(script("echo hello")) for _ in range(5)]
        async with delegate.started(*RUN, "--max-tasks", "2", **manager_settings(manager)) as runner:
            assert await runner.ended() == 0
            assert "it has claimed 2 tasks" in runner.text
    left = [task for task in tasks if manager.task(task).status is TaskStatus.QUEUED]
    assert len(left) == 3


async def test_a_runner_leaves_when_it_has_nothing_to_do(delegate: Command) -> None:
    async with EmbeddedManager() as manager:
        task = manager.submit(script("sleep 0.5"))
        async with delegate.started(*RUN, "--max-idle", "300ms", **manager_settings(manager)) as runner:
            assert await runner.ended() == 0
            assert "nothing to do for 300ms" in runner.text
        outcome = manager.task(task).outcome
        assert outcome is not None
        assert outcome.verdict is Verdict.SUCCEEDED


async def test_a_second_process_takes_over_when_the_first_has_finished_its_task(delegate: Command) -> None:
    go = delegate.folder / "go"
    async with EmbeddedManager() as manager, delegate.started(*RUN, **manager_settings(manager)) as first:
        running = manager.submit(script("echo working", f"while [ ! -e {go} ]; do sleep 0.02; done"))
        await first.said("working")
        refused = await delegate(*RUN, **manager_settings(manager))
        assert (refused.code, "--takeover" in refused.err) == (6, True)
        async with delegate.started(*RUN, "--takeover", **manager_settings(manager)) as second:
            await second.said("waiting up to")
            await first.said("draining")
            go.touch()
            assert await first.ended() == 0
            await second.said("running")
            outcome = manager.task(running).outcome
            assert outcome is not None
            assert outcome.verdict is Verdict.SUCCEEDED
            await manager.wait_finished(manager.submit(script("echo next")))
