"""The runner is killed with ``kill -9`` at every call, before the server has seen it and once it has taken effect.

A proxy between the two lets one call hang, which is where the runner is killed. For the calls of a task's life, many
tasks are taken to one call each, and die together.
"""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import anyio
import pytest

from delegate_core.testing.proxy import FaultProxy, Hold, Request
from tests.reliability.runners import no_processes_of, started
from tests.reliability.sides import PATIENCE, SIDES, Side, opened, with_log
from tests.reliability.verdicts import CANARY, commands, faults_of, runs

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]

MOMENTS = ("before", "after")

DONE = {
    "harness": {"acquire", "result"},
    "drone": {"accept", "details", "stage-end"},
}
"""Calls at which nothing has started yet, or the result is known: the task succeeds all the same."""

BESIDE = {"harness": {"stream-open", "stream-write", "stream-close", "blob"}, "drone": set[str]()}
"""Calls that are made beside the task, which may be over by then or not."""


def expected(side: Side, call: str) -> str:
    """See `faults_of`."""
    if call in BESIDE[side.name]:
        return "either"
    return "done" if call in DONE[side.name] else "restarted"


def hold(side: Side, call: str, task_id: str, moment: str) -> Hold:
    """One call of one task."""

    def which(request: Request) -> bool:
        return side.call(request) == call and (not task_id or side.task_of(request) == task_id)

    return Hold(which=which, answered=moment == "after")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", SIDES)
async def test_a_runner_killed_at_every_call_of_a_tasks_life_owes_one_final_report_each(
    tmp_path: Path, name: str, moment: str
) -> None:
    async with opened(name) as side, FaultProxy(side.url) as proxy:
        # The Drone server's next stage is asked for once the last one is accepted, so that call has to come last.
        tasks = {call: side.submit(commands(tmp_path, call), masks=(CANARY,)) for call in reversed(side.calls)}
        holds = {call: hold(side, call, task_id, moment) for call, task_id in tasks.items()}
        proxy.plan.add(*holds.values())
        async with started(tmp_path, side, proxy.url) as runner:
            for call, held in holds.items():
                with anyio.move_on_after(PATIENCE):
                    await held.reached()
                    continue
                raise AssertionError(f"nobody calls {call}\n{runner.text}")
            runner.kill()
            await runner.ended()
        async with started(tmp_path, side, proxy.url) as runner:
            found = {}
            for call, task_id in tasks.items():
                end = await with_log(side, task_id, partial(runs, tmp_path, call))
                unseen = (name, call, moment) == ("drone", "stage-start", "after")
                found[call] = faults_of(end, runs(tmp_path, call), expected(side, call), unseen_steps=unseen)
            assert not any(found.values()), f"{found}\n{runner.text}"
            await no_processes_of(tmp_path, besides=[runner.pid])


SESSION_CALLS = [
    *(("harness", call) for call in ("register", "capacity", "heartbeat", "task-events", "unregister")),
    *(("drone", call) for call in ("ping", "request", "watch")),
]


@pytest.mark.parametrize("moment", [pytest.param("before", marks=pytest.mark.exhaustive), "after"])
@pytest.mark.parametrize(("name", "call"), SESSION_CALLS)
async def test_a_runner_killed_at_a_call_of_its_session_loses_no_task(
    tmp_path: Path, name: str, call: str, moment: str
) -> None:
    async with opened(name) as side, FaultProxy(side.url) as proxy:
        held = hold(side, call, "", moment)
        cancels = (call, moment) == ("watch", "after")  # only then is it answered
        task_id = side.submit([*commands(tmp_path, "it"), *(["sleep 60"] if cancels else [])], masks=(CANARY,))
        if call != "unregister":
            proxy.plan.add(held)
        async with started(tmp_path, side, proxy.url) as runner:
            if call == "unregister":
                await side.ended(task_id)
                proxy.plan.add(held)
                runner.signal(signal.SIGTERM)
            if cancels:
                await proxy.wait_for(lambda: any(side.call(each.request) == "batch" for each in proxy.exchanges))
                side.cancel(task_id)
            with anyio.fail_after(PATIENCE):
                await held.reached()
            runner.kill()
            await runner.ended()
        async with started(tmp_path, side, proxy.url) as runner:
            end = await with_log(side, task_id, partial(runs, tmp_path, "it"))
            # These two are called beside the task, wherever that is: a watch even while the stage is begun.
            fate = "either" if call in {"heartbeat", "watch"} else "done"
            found = faults_of(end, runs(tmp_path, "it"), fate, unseen_steps=call == "watch")
            assert not found, f"{found}\n{runner.text}"
            again = side.submit(commands(tmp_path, "again"), masks=(CANARY,))
            assert (await side.ended(again)).succeeded, runner.text
            await no_processes_of(tmp_path, besides=[runner.pid])
