"""The requests recorded from the Go client get the replies it was given."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from delegate_harness.manager import EmbeddedManager, Submission, Verdict

from .delegate import NO_TLS, token

WIRE: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "harness-wire.json").read_text())
REPLIES = WIRE["replies_it_was_given"]
ACCOUNT = "acct"
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
async def manager() -> Any:
    async with EmbeddedManager(ACCOUNT, SECRET) as manager:
        yield manager


class Replay:
    """Sends recorded requests, with the ids of this manager in place of the recorded ones."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.ids: dict[str, str] = {}

    async def send(self, part: str, *, case: str = "legacy form") -> httpx.Response:
        request = next(each for each in WIRE["requests"] if each["case"] == case and part in each["target"])
        headers = {**request["headers"], "Authorization": f"Delegate {token(SECRET, exp=4_000_000_000)}"}
        body = json.dumps(request["json"]) if request["json"] is not None else ""
        return await self._http.request(
            request["method"],
            self._translated(request["target"]),
            content=self._translated(body),
            headers=headers,
        )

    def _translated(self, text: str) -> str:
        for recorded, ours in self.ids.items():
            text = text.replace(recorded, ours)
        return text


def fits(recorded: Any, reply: Any) -> bool:
    """Whether the reply has every field of the recorded one, each of the same kind."""
    if isinstance(recorded, dict):
        return isinstance(reply, dict) and all(
            key in reply and fits(value, reply[key]) for key, value in recorded.items()
        )
    if isinstance(recorded, list):
        return isinstance(reply, list) and all(map(fits, recorded, reply)) and len(reply) == len(recorded)
    return type(recorded) is type(reply)


@pytest.fixture
async def replay(manager: EmbeddedManager) -> Any:
    async with httpx.AsyncClient(base_url=manager.url, trust_env=False, verify=NO_TLS) as http:
        replay = Replay(http)
        reply = await replay.send("/register")
        assert fits(REPLIES["register"]["json"], reply.json())
        replay.ids["dlg1"] = reply.json()["resource"]["delegateId"]
        yield replay


async def claimed(manager: EmbeddedManager, replay: Replay, *, runner_response: bool) -> str:
    task_id = manager.submit(Submission("BENCH", {"n": 1}, runner_response=runner_response))
    replay.ids["t000000"] = task_id
    events = await replay.send("/task-events")
    assert fits(REPLIES["task-events"]["json"], events.json())
    package = await replay.send("/acquire")
    assert package.status_code == 200
    assert fits(REPLIES["acquire"]["json"], package.json())
    assert package.json()["delegate"]["instance_id"] == replay.ids["dlg1"]
    return task_id


async def test_a_task_of_the_legacy_form_goes_through(manager: EmbeddedManager, replay: Replay) -> None:
    task_id = await claimed(manager, replay, runner_response=False)
    reply = await replay.send("/api/agent/v2/tasks/")
    task = await manager.wait_finished(task_id)
    assert reply.status_code == REPLIES["result"]["status"]
    assert task.outcome is not None
    assert (task.outcome.verdict, task.events("unclaimed")) == (Verdict.SUCCEEDED, [])


async def test_a_task_of_the_runner_form_goes_through(manager: EmbeddedManager, replay: Replay) -> None:
    task_id = await claimed(manager, replay, runner_response=True)
    runner_form = "runner form (the task says runnerResponse: true)"
    reply = await replay.send("/response", case=runner_form)
    task = await manager.wait_finished(task_id)
    assert reply.status_code == REPLIES["result"]["status"]
    assert task.outcome is not None
    assert task.outcome.result is not None
    assert (task.outcome.result.form, task.outcome.result.data) == ("runner", {"ok": True})


async def test_an_acquire_that_comes_too_late_is_answered_as_recorded(manager: EmbeddedManager, replay: Replay) -> None:
    replay.ids["t000000"] = "gone"
    reply = await replay.send("/acquire")
    recorded = REPLIES["acquire of a task that is not available"]
    assert (reply.status_code, reply.json()) == (recorded["status"], recorded["json"])


async def test_the_heartbeat_is_answered_with_the_delegates_status(replay: Replay) -> None:
    reply = await replay.send("/heartbeat-with-polling")
    assert reply.json()["resource"]["status"] == "ENABLED"
