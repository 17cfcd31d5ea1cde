"""Reloading settings, leaving by itself, and a second process with the same name."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from delegate_core.control import Order, ask
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


def waits(go: Path, word: str) -> Submission:
    return script(f"echo is-{word}", f"while [ ! -e {go} ]; do sleep 0.02; done")


async def test_each_group_of_settings_takes_effect_by_a_reload_and_what_does_not_is_named_with_its_reason(
    delegate: Command,
) -> None:
    settings, go, hidden = delegate.folder / "delegate.toml", delegate.folder / "go", delegate.folder / "hidden"
    given = {"mask_file": '"hidden"', "capacity": "1", "tags": "[]"}
    hidden.write_text("first-value\n")

    def write(**changed: str) -> None:
        given.update(changed)
        settings.write_text("".join(f"{name} = {value}\n" for name, value in given.items()))

    async def reloaded(*words: str, **changed: str) -> None:
        write(**changed)
        runner.signal(signal.SIGHUP)
        for each in words:
            await runner.said(each)

    write()
    async with EmbeddedManager() as manager, delegate.started(*RUN, **manager_settings(manager)) as runner:
        await runner.said("running")
        first, second = manager.submit(waits(go, "first")), manager.submit(waits(go, "second"))
        await runner.said("| is-")
        await reloaded("changed: capacity, limits\n", capacity="5", limits="{ script = 1 }")
        assert len(queued(manager, first, second)) == 1, "there are slots, but not of this type"
        await reloaded("changed: limits\n", limits="{ script = 3 }")
        await runner.said("| is-first")
        await runner.said("| is-second")
        go.touch()
        for task in (first, second):
            await manager.wait_finished(task)

        chosen = manager.submit(replace(script("echo a second-value"), selectors=("gpu",)))
        assert manager.task(chosen).status is TaskStatus.QUEUED
        hidden.write_text("second-value\n")
        await reloaded("changed: mask_file, tags\n", tags='["gpu"]')
        await manager.wait_finished(chosen)

        await reloaded(
            "changed: grace, drain_timeout, default_timeout, ready_within\n",
            "needs a restart: max_tasks (claims are counted from the start); durable (the state folder and its journal "
            "were opened with it); log_format, log_file_count (the console and the log's file are opened at the start)",
            default_timeout='"9m"', drain_timeout='"2s"', grace='"100ms"', ready_within='"3m"',
            max_tasks="1", durable="true", log_format='"json"', log_file_count="2",
        )  # fmt: skip
        await reloaded("changed: log_level\n", log_level='"warning"')
        write(result_limit='"1MiB"')
        folder = delegate.folder / "state" / "delegate" / "harness" / "mine"
        assert "changed: result_limit" in ask(folder, Order(do="reload")).said
        deaf = manager.submit(script("trap '' TERM; echo is-deaf; while :; do sleep 0.1; done"))
        await runner.said("| is-deaf")
        runner.signal(signal.SIGTERM)
        assert await runner.ended() == 8
        outcome = manager.task(deaf).outcome
        assert outcome is not None
        assert outcome.verdict is not Verdict.SUCCEEDED
    assert "tasks still ran near the end of the drain's 2s" in runner.text
    assert "| a ******\n" in runner.text
    assert "result_limit" not in runner.text, "of a level that is not shown any more"


def queued(manager: EmbeddedManager, *tasks: str) -> list[str]:
    return [task for task in tasks if manager.task(task).status is TaskStatus.QUEUED]


async def test_a_runner_leaves_after_so_many_tasks_and_never_claims_one_more(delegate: Command) -> None:
    async with EmbeddedManager() as manager:
        tasks = [manager.submit(script("echo hello")) for _ in range(5)]
        async with delegate.started(*RUN, "--max-tasks", "2", **manager_settings(manager)) as runner:
            assert await runner.ended() == 0
            assert "it has claimed 2 tasks" in runner.text
    left = [task for task in tasks if manager.task(task).status is TaskStatus.QUEUED]
    assert len(left) == 3


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
