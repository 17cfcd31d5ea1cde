"""``delegate outbox``: results that the server has not got, beside the running runner and after its end."""

from __future__ import annotations

import json
import signal
from typing import Any

import anyio
import pytest

from delegate_core.testing.proxy import Fault as Flaw
from delegate_core.testing.proxy import FaultProxy, Mishap
from delegate_harness.manager import EmbeddedManager, Fault, FaultKind, Submission, Verdict
from tests.integration.command import Command, manager_settings
from tests.reliability.sides import opened

pytestmark = pytest.mark.anyio

RUN = ("run", "--backend", "harness", "--console", "plain", "--name", "mine", "--drain-timeout", "500ms")
WHOSE = ("--backend", "harness", "--name", "mine")
REPORT = "result"


def script(*commands: str) -> Submission:
    return Submission("script", {"commands": list(commands)}, abstractions={"name": "log"})


async def facts(delegate: Command, *whose: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads((await delegate("outbox", "list", "--json", *(whose or WHOSE))).out)
    return listed


async def tried(delegate: Command, times: int, *whose: str) -> dict[str, Any]:
    """The only result that waits, once it was tried in vain so often."""
    with anyio.fail_after(60):
        while not (listed := await facts(delegate, *whose)) or listed[0]["tries"] < times:  # noqa: ASYNC110 - as below
            await anyio.sleep(0.1)
    return listed[0]


async def test_a_result_that_waits_is_listed_shown_and_tried_at_once_on_request(delegate: Command) -> None:
    async with EmbeddedManager() as manager, delegate.started(*RUN, **manager_settings(manager)) as runner:
        manager.faults.add(Fault(REPORT, FaultKind.STATUS, times=None, status=503, retry_after=600))
        task_id = manager.submit(script("echo hello"))
        await runner.said("report of task")

        (entry,) = await facts(delegate)
        assert (entry["id"], entry["outcome"], entry["state"], entry["tries"]) == (task_id, "succeeded", "waiting", 1)
        assert "503" in str(entry["reason"])
        listed = await delegate("outbox", "list", *WHOSE)
        assert task_id[:8] in listed.out
        assert "waiting" in listed.out
        assert "succeeded" in (await delegate("outbox", "show", task_id[:6], *WHOSE)).out

        manager.faults.clear()
        done = await delegate("outbox", "retry", task_id[:6], *WHOSE)
        assert (done.code, done.out) == (0, f"{task_id}  is tried now\n")
        await manager.wait_finished(task_id)
        assert (await delegate("outbox", "retry", "--all", *WHOSE)).out == "nothing is undelivered\n"


async def test_what_the_drone_backend_itself_tries_again_is_listed_with_its_tries_and_the_reason(
    delegate: Command,
) -> None:
    line = ("run", "--backend", "drone", "--console", "plain", "--name", "mine")
    async with opened("drone") as side, FaultProxy(side.url) as proxy:
        proxy.plan.add(
            Flaw(which=lambda request: side.call(request) == "stage-end", mishap=Mishap.STATUS, times=None, status=404)
        )
        async with delegate.started(*line, **side.settings(proxy.url)) as runner:
            await runner.said("running")
            task_id = side.submit(["echo hello"])
            whose = ("--backend", "drone", "--name", "mine")
            entry = await tried(delegate, 2, *whose)
            assert (entry["id"], entry["state"]) == (task_id, "waiting")
            assert "404" in str(entry["reason"])
            assert (await delegate("outbox", "retry", task_id, *whose)).out == f"{task_id}  is tried now\n"
            proxy.plan.clear()
            assert (await side.ended(task_id)).succeeded
            runner.signal(signal.SIGTERM)
            assert await runner.ended() == 0


async def test_after_the_end_of_a_runner_its_results_are_left_to_the_next_start(delegate: Command) -> None:
    async with EmbeddedManager() as manager:
        manager.faults.add(Fault(REPORT, FaultKind.STATUS, times=None, status=503))
        async with delegate.started(*RUN, **manager_settings(manager)) as runner:
            task_id = manager.submit(script("echo hello"))
            await runner.said("report of task")
            runner.kill()
        manager.faults.clear()
        done = await delegate("outbox", "retry", task_id, *WHOSE)
        assert done.out == f"{task_id}  is tried at the runner's next start\n"
        async with delegate.started(*RUN, **manager_settings(manager)):
            await manager.wait_finished(task_id)
            outcome = manager.task(task_id).outcome
            assert outcome is not None
            assert outcome.verdict is Verdict.SUCCEEDED


async def test_a_result_is_dropped_only_when_that_is_confirmed(delegate: Command) -> None:
    async with EmbeddedManager() as manager:
        manager.faults.add(Fault(REPORT, FaultKind.STATUS, times=None, status=503))
        async with delegate.started(*RUN, **manager_settings(manager)) as runner:
            await runner.said("registered")
            running, left = (manager.submit(script(f"echo {name}")) for name in ("one", "two"))
            with anyio.fail_after(40):
                while len(await facts(delegate)) < 2:  # noqa: ASYNC110 - another process has to come so far
                    await anyio.sleep(0.1)
            refused = await delegate("outbox", "drop", running, *WHOSE)
            assert (refused.code, len(await facts(delegate))) == (2, 2)
            assert "add --yes" in refused.err

            dropped = await delegate("outbox", "drop", running, "--yes", *WHOSE)
            assert dropped.out == f"{running}  given up by the operator\n"
            await runner.said(f"task {running}: its result was given up")
            assert [entry["id"] for entry in await facts(delegate)] == [left]
            runner.kill()
        assert (await delegate("outbox", "drop", "--all", "--yes", *WHOSE)).code == 0
        assert await facts(delegate) == []
        shown = json.loads((await delegate("tasks", "show", left, "--json", *WHOSE)).out)
        assert (shown["phase"], shown["delivery"]) == ("dropped", "never: given up by the operator")


async def test_wrong_questions_are_explained(delegate: Command) -> None:
    async with EmbeddedManager() as manager, delegate.started(*RUN, **manager_settings(manager)) as runner:
        await runner.said("registered")
        for arguments, code, words in (
            (("retry",), 2, "name their ids, or give --all"),
            (("drop", "x", "--all", "--yes"), 2, "name their ids, or give --all"),
            (("retry", "nothing"), 6, "no undelivered result of a task nothing"),
            (("show", "nothing"), 6, "no undelivered result of a task nothing"),
        ):
            ended = await delegate("outbox", *arguments, *WHOSE)
            assert (ended.code, "Traceback" in ended.err) == (code, False), arguments
            assert words in ended.err
