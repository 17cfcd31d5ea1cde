"""The manager's JSON: requests as the Go client sends them, and replies that are a little off."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from delegate_harness.wire import AcquiredTask, TaskEvents
from tests.harness.runners import running
from tests.harness.scripted import ACCOUNT, SECRET, Call, ScriptedManager, event, package

pytestmark = pytest.mark.anyio
WIRE: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "harness-wire.json").read_text())


def recorded(part: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in WIRE["requests"] if part in each["target"])
    return found


async def one_task(scripted: ScriptedManager, folder: Path, **fields: Any) -> None:
    """Have a runner do all that the recorded client did, with the recorded replies."""
    replies = WIRE["replies_it_was_given"]
    scripted.on("register", (200, replies["register"]["json"]))
    scripted.on("heartbeat", (200, replies["heartbeat-with-polling"]["json"]))
    scripted.on("task-events", (200, replies["task-events"]["json"]))
    scripted.on("acquire", lambda call: (200, package(call, type="BENCH", data={"n": 1}, **fields)))
    handlers, backend = {"BENCH": lambda data: {"ok": data["n"] == 1}}, {"heartbeat_interval": 0.02}
    async with running(scripted, folder, handlers, name="bench", backend=backend):
        await scripted.seen("response" if fields else "result")
        await scripted.seen("heartbeat")


def assert_same_call(call: Call, wanted: dict[str, Any]) -> None:
    ours, theirs = urlsplit(call.target), urlsplit(wanted["target"])
    assert (call.method, ours.path) == (wanted["method"], theirs.path)
    assert call.headers["content-type"] == wanted["headers"]["Content-Type"]
    assert call.headers["authorization"].startswith("Delegate ey")


@pytest.mark.parametrize(
    ("name", "part"),
    [("register", "/register?"), ("task-events", "task-events"), ("result", "/v2/tasks/"), ("heartbeat", "heartbeat")],
)
async def test_a_call_is_the_recorded_one(scripted: ScriptedManager, tmp_path: Path, name: str, part: str) -> None:
    await one_task(scripted, tmp_path)
    call, wanted = scripted.named(name)[0], recorded(part)
    assert_same_call(call, wanted)
    assert urlsplit(call.target).query == urlsplit(wanted["target"]).query
    if name == "result":
        assert call.json() == wanted["json"]


async def test_the_runner_form_is_the_recorded_one(scripted: ScriptedManager, tmp_path: Path) -> None:
    await one_task(scripted, tmp_path, runnerResponse=True)
    call, wanted = scripted.named("response")[0], recorded("/response")
    assert_same_call(call, wanted)
    assert (call.target, call.json()) == (wanted["target"], wanted["json"])
    assert not scripted.named("result")


async def test_an_acquire_differs_from_the_recorded_one_in_the_instance_only(
    scripted: ScriptedManager, tmp_path: Path
) -> None:
    await one_task(scripted, tmp_path)
    call, wanted = scripted.named("acquire")[0], recorded("/acquire")
    assert_same_call(call, wanted)
    assert call.query["accountId"] == ACCOUNT
    assert call.query["delegateInstanceId"] not in {"", "dlg1"}


async def test_a_registration_has_the_recorded_fields_and_no_secret(scripted: ScriptedManager, tmp_path: Path) -> None:
    await one_task(scripted, tmp_path)
    for name, part, more in (("register", "/register?", {"tags"}), ("heartbeat", "heartbeat", {"tags"})):
        ours, theirs = scripted.named(name)[0].json(), recorded(part)["json"]
        assert ours.keys() == theirs.keys() | more
        for field in ("accountId", "delegateName", "delegateType", "ng", "pollingModeEnabled", "sequenceNum"):
            assert ours[field] == theirs[field], field
        assert (ours["supportedTaskTypes"], ours["heartbeatAsObject"]) == (["BENCH", "script"], True)
        assert ours["delegateRandomToken"]
        assert ours["hostName"].endswith("-bench")
    assert all(SECRET not in call.body + call.target for call in scripted.calls)
    assert scripted.named("heartbeat")[0].json()["delegateId"] == "dlg1"


async def test_unknown_and_missing_fields_of_a_reply_do_no_harm(scripted: ScriptedManager, tmp_path: Path) -> None:
    scripted.lists({"delegateTaskId": "t1", "taskType": "fib", "news": [1]})
    odd: dict[str, Any] = {"logging": None, "secrets": None, "capabilities": None, "news": {}, "runnerResponse": None}
    scripted.on("acquire", lambda call: (200, package(call, **odd)))
    async with running(scripted, tmp_path, {"fib": lambda data: data["n"]}):
        assert (await scripted.seen("result")).json()["data"] == {"result": 1}


def test_an_event_that_cannot_be_read_does_not_hide_the_others() -> None:
    text = json.dumps({"delegateTaskEvents": [event("a"), None, 7, {"delegateTaskId": []}, event("b", sync="maybe")]})
    assert [each.task_id for each in TaskEvents.model_validate_json(text).events if each.task_id] == ["a", "b"]


@pytest.mark.parametrize("text", ["{}", '{"delegateTaskEvents": null}', '{"delegateTaskEvents": {}}'])
def test_a_reply_without_events_is_an_empty_one(text: str) -> None:
    assert TaskEvents.model_validate_json(text).events == []


@pytest.mark.parametrize(
    "odd",
    [{"timeout": 1500.5}, {"timeout": "soon"}, {"secrets": {}}, {"logging": []}, {"delegate": ""}, {"type": None}],
)
def test_a_package_that_is_a_little_off_can_be_read(odd: dict[str, Any]) -> None:
    assert AcquiredTask.model_validate({"id": "t1", **odd}).id == "t1"


def test_no_secret_of_a_package_shows() -> None:
    package = {"id": "t", "secrets": ["s3cret"], "logging": {"token": "t0ken"}, "secret_details": {"x": "h1dden"}}
    shown = repr(AcquiredTask.model_validate(package))
    assert not any(secret in shown for secret in ("s3cret", "t0ken", "h1dden"))
