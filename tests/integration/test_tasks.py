"""``delegate tasks``: what a runner's journal says, beside the running runner and after it was killed."""

from __future__ import annotations

import json

import pytest

from delegate_harness.manager import EmbeddedManager, Fault, FaultKind, Submission
from tests.integration.command import Command, manager_settings

pytestmark = pytest.mark.anyio

RUN = ("run", "--backend", "harness", "--console", "plain", "--name", "mine")
WHOSE = ("--backend", "harness", "--name", "mine")


def script(*commands: str) -> Submission:
    return Submission("script", {"commands": list(commands)}, abstractions={"name": "log"})


async def test_tasks_are_listed_shown_and_their_logs_printed_beside_the_runner(delegate: Command) -> None:
    async with EmbeddedManager() as manager, delegate.started(*RUN, **manager_settings(manager)) as runner:
        task_id = manager.submit(script("echo hello", "exit 3"))
        await manager.wait_finished(task_id)
        await runner.said("failed")

        listed = await delegate("tasks", "list", *WHOSE)
        assert task_id[:8] in listed.out
        (task,) = json.loads((await delegate("tasks", "list", "--json", *WHOSE)).out)
        assert (task["id"], task["outcome"], task["error"]) == (task_id, "failed", "exit status 3")
        shown = await delegate("tasks", "show", task_id[:6], *WHOSE)
        assert "exit status 3" in shown.out
        assert "stored by the server" in shown.out
        logged = await delegate("tasks", "logs", task_id, *WHOSE)
        assert "hello\n" in logged.out


async def test_a_log_that_the_service_did_not_take_is_kept_and_said(delegate: Command) -> None:
    async with EmbeddedManager() as manager:
        manager.faults.add(Fault("log-open", FaultKind.STATUS, times=1000, status=500))
        settings = {name: value for name, value in manager_settings(manager).items() if name != "DELEGATE_LOG_URL"}
        async with delegate.started(*RUN, **settings) as runner:
            await runner.said("logs stay here")
            task_id = manager.submit(script("echo kept"))
            await manager.wait_finished(task_id)
            runner.kill()
    (task,) = json.loads((await delegate("tasks", "list", "--json", *WHOSE)).out)
    assert task["log"] == "on this machine only"
    assert "kept\n" in (await delegate("tasks", "logs", task_id, *WHOSE)).out


async def test_wrong_questions_are_explained(delegate: Command) -> None:
    for arguments, words in (
        (("list",), "--state-dir"),
        (("list", *WHOSE), "no journal in"),
        (("list", "--state-dir", "nowhere"), "no journal in nowhere"),
    ):
        ended = await delegate("tasks", *arguments)
        assert ended.code in {2, 6}
        assert words in ended.err
        assert "Traceback" not in ended.err
    async with EmbeddedManager() as manager, delegate.started(*RUN, **manager_settings(manager)) as runner:
        await runner.said("registered")
        ended = await delegate("tasks", "show", "nothing", *WHOSE)
    assert ended.code == 6
    assert "no task nothing" in ended.err
