"""Every call of both protocols goes wrong in every way, between a real runner and a real server.

One runner meets one kind of mishap, at one call of each of its tasks, and at the calls of its session.
"""

from __future__ import annotations

import json
import re
import signal
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from delegate_core.testing.proxy import Exchange, Fault, FaultProxy, Mishap, Request, Which
from tests.reliability.runners import no_processes_of, started
from tests.reliability.sides import PATIENCE, SIDES, End, Side, opened, with_log
from tests.reliability.verdicts import CANARY, MASK, commands, faults_of, runs

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]

EXPIRED = json.dumps({"metaData": {}, "resource": None, "responseMessages": [{"code": "EXPIRED_TOKEN"}]}).encode()

TOO_LATE = "reply after the timeout"
"""Takes as long as the client's own timeouts, one after the other."""

MISHAPS: dict[str, dict[str, Any]] = {
    "lost request": {"mishap": Mishap.LOSE_REQUEST},
    "lost reply": {"mishap": Mishap.LOSE_REPLY},
    "request reset in its midst": {"mishap": Mishap.CUT_REQUEST},
    "reply reset in its midst": {"mishap": Mishap.CUT_REPLY},
    "late reply": {"mishap": Mishap.DELAY, "seconds": 0.7},
    "500 with HTML": {"mishap": Mishap.STATUS, "status": 500},
    "502 with HTML": {"mishap": Mishap.STATUS, "status": 502},
    "503 with HTML": {"mishap": Mishap.STATUS, "status": 503},
    "no JSON": {"mishap": Mishap.GARBAGE},
    "half the JSON": {"mishap": Mishap.TRUNCATED},
    "twice": {"mishap": Mishap.DUPLICATE},
    "wrong content type": {"mishap": Mishap.CONTENT_TYPE},
    "401 of a proxy": {"mishap": Mishap.STATUS, "status": 401},
    "401 for the token": {
        "mishap": Mishap.STATUS,
        "status": 401,
        "body": EXPIRED,
        "content_type": "application/json",
    },
    TOO_LATE: {"mishap": Mishap.DELAY, "seconds": 170.0},
}
SELDOM = {
    *("request reset in its midst", "500 with HTML", "503 with HTML", "half the JSON", "401 for the token", TOO_LATE)
}
"""Only with ``--exhaustive``: each has a sibling that is always tested."""

LOSES_REPLY = {"lost reply", "reply reset in its midst", "no JSON", "half the JSON", TOO_LATE}
LOST = "the server's reply was lost"


def marks_of(what: str) -> tuple[pytest.MarkDecorator, ...]:
    if what == TOO_LATE:
        return (pytest.mark.exhaustive, pytest.mark.timeout(900))
    return (pytest.mark.exhaustive,) if what in SELDOM else ()


def cases() -> list[Any]:
    """Every mishap on both sides."""
    return [
        pytest.param(name, what, marks=marks_of(what))
        for name in SIDES
        for what in MISHAPS
        if (name, what) != ("drone", "401 for the token")  # that server's 401 has no body
    ]


def calls_of(side: Side, call: str, task_id: str = "") -> Which:
    """A call, of one task where that is given."""

    def which(request: Request) -> bool:
        return side.call(request) == call and (not task_id or side.task_of(request) == task_id)

    return which


@pytest.mark.parametrize(("name", "what"), cases())
async def test_no_call_that_goes_wrong_loses_or_doubles_a_task(tmp_path: Path, name: str, what: str) -> None:
    fault = MISHAPS[what]
    patience = 600.0 if what == TOO_LATE else 300.0  # a task's own time begins when the server offers it first
    async with opened(name) as side, FaultProxy(side.url) as proxy:
        tasks = {call: side.submit(commands(tmp_path, call), masks=(CANARY,), timeout=patience) for call in side.calls}
        proxy.plan.add(*(Fault(which=calls_of(side, call, task_id), **fault) for call, task_id in tasks.items()))
        proxy.plan.add(*(Fault(which=calls_of(side, call), **fault) for call in session_calls(side, what)))
        async with started(tmp_path, side, proxy.url, "--register-timeout", "180s") as runner:
            with anyio.move_on_after(patience):
                ends = {call: await side.ended(task_id, float("inf")) for call, task_id in tasks.items()}
            endless = [f"{call}: {task_id}" for call, task_id in tasks.items() if not side.is_ended(task_id)]
            assert not endless, f"not ended after {patience:g}s: {', '.join(endless)}\n{runner.text}"
            for call, task_id in tasks.items():
                ends[call] = await with_log(side, task_id, partial(runs, tmp_path, call))
            found = {call: wrong(side, what, call, end, runs(tmp_path, call)) for call, end in ends.items()}
            assert not any(found.values()), f"{found}\n{runner.text}"
            with anyio.fail_after(PATIENCE):
                await proxy.wait_for(lambda: not proxy.plan.waiting)
            await no_processes_of(tmp_path, besides=[runner.pid])
            proxy.plan.clear()
            proxy.plan.add(Fault(which=calls_of(side, "unregister"), **fault))
            runner.signal(signal.SIGTERM)
            assert await runner.ended(60) == 0, runner.text
        no_secret_is_anywhere(side, list(proxy.exchanges), tmp_path, list(ends.values()))


async def test_a_cancellation_that_the_server_knows_nothing_of_leaves_no_stage_running(tmp_path: Path) -> None:
    """A gateway may answer a watch with an empty 200, which is what the server says of a cancelled build."""
    async with opened("drone") as side, FaultProxy(side.url) as proxy:
        proxy.plan.add(Fault(which=calls_of(side, "watch"), mishap=Mishap.STATUS, status=200, body=b""))
        task_id = side.submit(["echo begun", "sleep 600"])
        async with started(tmp_path, side, proxy.url) as runner:
            end = await side.ended(task_id)
            assert (end.finals, end.error, end.complaints) == (1, "the build was cancelled", ()), runner.text
            await no_processes_of(tmp_path, besides=[runner.pid])


def session_calls(side: Side, what: str) -> list[str]:
    """Those that meet the mishap while the runner runs.

    The one that says goodbye comes last. A secret that is refused at the start is a mistake of the settings, and said
    at once.
    """
    at_start = {"register", "capacity", "ping"} if "401" in what else set()
    return [call for call in side.session_calls if call not in {"unregister", *at_start}]


def wrong(side: Side, what: str, call: str, end: End, times_run: int) -> list[str]:
    """What is wrong with the end of the task that met the mishap at this call."""
    if (side.name, call) == ("drone", "stage-start") and what in LOSES_REPLY:
        # Its steps' ids are lost with the reply, so it cannot run where anybody sees it.
        ended_so = LOST in end.error and end.finals == 1 and times_run == 0
        return [] if ended_so else [f"it should have ended without having run: {end}"]
    return faults_of(end, times_run, "done")


_AUTH = re.compile(rb"^(authorization|x-drone-token|x-harness-token):.*?\r\n", re.IGNORECASE | re.MULTILINE)


def no_secret_is_anywhere(side: Side, exchanges: list[Exchange], folder: Path, ends: list[End]) -> None:
    """With a positive control: the runner was given the secrets, and masks where it printed one."""
    replies = b"".join(each.reply.raw for each in exchanges if each.reply)
    assert CANARY.encode() in replies, "the task's secret came over the wire"
    assert any(MASK in log for end in ends for log in end.logs.values()), "and was printed"
    sent = b"".join(_AUTH.sub(b"", each.request.head) + each.request.body for each in exchanges)
    kept = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    for secret in (CANARY, side.secret):
        assert secret.encode() not in sent, "a secret was sent outside its header"
        assert secret.encode() not in kept, "a secret is in the state folder, or was printed"
    if side.name == "drone":
        assert all(each.request.headers.get("x-drone-token") == side.secret for each in exchanges)
