"""A task's log in the log service: live, stored, masked; and a service that fails hurts no result."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from delegate_core import TaskContext
from delegate_harness.manager import EmbeddedManager, Fault, FaultKind, Line, Submission, Verdict
from tests.harness.handlers import Talker
from tests.harness.runners import entries, eventually, running
from tests.harness.scripted import ScriptedManager, event, package
from tests.http.server import always, reply, serving

pytestmark = pytest.mark.anyio
KEYED = {"stage": "build", "step": "one"}
KEY = "stage:build/step:one"
SECRET = "p4ssw0rd!"


def talk(data: dict[str, Any], context: TaskContext) -> dict[str, bool]:
    """Prints what it is told to."""
    for line in data.get("lines", ["hello"]):
        context.log(line)
    return {"ok": True}


def said(manager: EmbeddedManager, key: str = KEY) -> list[str]:
    """The live stream's lines; none where there is no stream."""
    try:
        return [line.out for line in manager.logs.lines(manager.account_id, key)]
    except KeyError:
        return []


def stored(manager: EmbeddedManager, key: str = KEY) -> list[Line]:
    """The final log; none where there is none."""
    try:
        blob = manager.logs.blob(manager.account_id, key)
    except KeyError:
        return []
    return [Line.model_validate(json.loads(line)) for line in blob.splitlines()]


def submission(*lines: str, abstractions: Mapping[str, str] = KEYED, **options: Any) -> Submission:
    return Submission("talk", {"lines": lines} if lines else {}, abstractions=abstractions, **options)


async def test_lines_arrive_while_the_task_runs(manager: EmbeddedManager, tmp_path: Path) -> None:
    talker = Talker()
    async with running(manager, tmp_path, {"talk": talker.handler}), talker.send:
        task = manager.submit(submission())
        await talker.send.send("first")
        await manager.wait_for(lambda _: said(manager) == ["first\n"])
        await talker.send.send("second")
        await manager.wait_for(lambda _: said(manager) == ["first\n", "second\n"])
        assert not manager.task(task).finished
        talker.send.close()
        await manager.wait_finished(task)


async def test_the_whole_log_is_stored_and_the_stream_closed_when_the_result_comes(
    manager: EmbeddedManager, tmp_path: Path
) -> None:
    async with running(manager, tmp_path, {"talk": talk}):
        await manager.wait_finished(manager.submit(submission("one", "two")))
        assert [(line.pos, line.out, line.level) for line in stored(manager)] == [
            (0, "one\n", "info"),
            (1, "two\n", "info"),
        ]
        assert manager.logs.open_keys(manager.account_id) == []
    assert manager.state.calls["blob-upload"] == 1
    assert stored(manager)[0].time.endswith("Z")
    assert [entry.log for entry in entries(tmp_path)] == [""]


@pytest.mark.parametrize("broken", ["blob-link", "blob-upload"])
@pytest.mark.parametrize("kind", [FaultKind.STATUS, FaultKind.LOSE_REQUEST])
async def test_where_the_upload_link_fails_the_log_goes_to_the_service_itself(
    manager: EmbeddedManager, tmp_path: Path, broken: str, kind: FaultKind
) -> None:
    manager.faults.add(Fault(broken, kind, times=2))
    async with running(manager, tmp_path, {"talk": talk}):
        await manager.wait_finished(manager.submit(submission()))
        await manager.wait_for(lambda _: bool(stored(manager)))
    assert manager.state.calls["blob-put"] == 1


async def test_secrets_are_masked_live_and_stored(manager: EmbeddedManager, tmp_path: Path) -> None:
    talker = Talker()
    async with running(manager, tmp_path, {"talk": talker.handler}), talker.send:
        task = manager.submit(submission(secrets=(SECRET,)))
        await talker.send.send(f"the password is {SECRET}, yes")
        await manager.wait_for(lambda _: bool(said(manager)))
        assert SECRET not in "".join(said(manager))
        talker.send.close()
        await manager.wait_finished(task)
        await manager.wait_for(lambda _: bool(stored(manager)))
        assert "the password is " in stored(manager)[0].out
        assert SECRET not in stored(manager)[0].out


async def test_a_stream_that_the_service_has_forgotten_is_opened_again(
    manager: EmbeddedManager, tmp_path: Path
) -> None:
    talker = Talker()
    async with running(manager, tmp_path, {"talk": talker.handler}), talker.send:
        task = manager.submit(submission())
        await talker.send.send("before")
        await manager.wait_for(lambda _: bool(said(manager)))
        manager.logs.close(manager.account_id, KEY)
        await talker.send.send("after")
        await manager.wait_for(lambda _: said(manager) == ["after\n"])
        talker.send.close()
        await manager.wait_finished(task)
        await manager.wait_for(lambda _: [line.out for line in stored(manager)] == ["before\n", "after\n"])


async def test_another_complaint_of_the_service_does_not_wipe_the_stream(
    scripted: ScriptedManager, tmp_path: Path
) -> None:
    scripted.on("log-write", (400, {"error_msg": "3 lines are malformed"}), (204, ""))
    async with logging(scripted, tmp_path):
        await scripted.seen("result")
    assert len(scripted.named("log-open")) == 1


HURTS = [
    Fault("log-open", FaultKind.DELAY, times=None, seconds=600),
    Fault("log-open", FaultKind.STATUS, times=None, status=500),
    Fault("log-write", FaultKind.DELAY, times=None, seconds=600),
    Fault("log-write", FaultKind.STATUS, times=None, status=503),
    Fault("log-write", FaultKind.LOSE_REPLY, times=None),
    Fault("blob-link", FaultKind.DELAY, times=None, seconds=600),
    Fault("blob-link", FaultKind.GARBAGE, times=None),
    Fault("blob-upload", FaultKind.DELAY, times=None, seconds=600),
    Fault("log-close", FaultKind.DELAY, times=None, seconds=600),
]


@pytest.mark.parametrize("fault", HURTS, ids=lambda fault: f"{fault.endpoint}-{fault.kind}")
async def test_a_service_that_fails_or_hangs_neither_delays_nor_changes_a_result(
    manager: EmbeddedManager, tmp_path: Path, fault: Fault
) -> None:
    manager.faults.add(fault)
    async with running(manager, tmp_path, {"talk": talk}, drain_timeout=0.2):
        task = await manager.wait_finished(manager.submit(submission()))
    assert task.outcome is not None
    assert task.outcome.verdict is Verdict.SUCCEEDED
    assert task.outcome.result is not None
    assert task.outcome.result.data == {"ok": True}


async def test_a_log_that_was_not_stored_is_said_in_the_journal(manager: EmbeddedManager, tmp_path: Path) -> None:
    manager.faults.add(Fault("blob-link", FaultKind.STATUS, times=None, status=500))
    manager.faults.add(Fault("blob-put", FaultKind.STATUS, times=None, status=507))
    async with running(manager, tmp_path, {"talk": talk}) as started:
        await manager.wait_finished(manager.submit(submission()))
        await eventually(lambda: started.runner.snapshot().logs_open == 0)
    (entry,) = entries(tmp_path)
    assert "507" in str(entry.log)
    assert [line.out for line in stored(manager)] == ["hello\n"], "what the stream had"


async def test_a_stream_that_cannot_be_closed_does_not_make_a_stored_log_unstored(
    manager: EmbeddedManager, tmp_path: Path
) -> None:
    manager.faults.add(Fault("log-close", FaultKind.LOSE_REQUEST, times=None))
    async with running(manager, tmp_path, {"talk": talk}):
        await manager.wait_finished(manager.submit(submission()))
    assert [entry.log for entry in entries(tmp_path)] == [""]
    assert manager.state.calls["blob-upload"] == 1


async def test_a_key_with_odd_characters_arrives_as_it_is(manager: EmbeddedManager, tmp_path: Path) -> None:
    odd = {"name": "a b/c&d=e+f%20#?ä", "x": "ü:y"}
    key = "name:a b/c&d=e+f%20#?ä/x:ü:y"
    async with running(manager, tmp_path, {"talk": talk}):
        await manager.wait_finished(manager.submit(submission(abstractions=odd)))
    assert [line.out for line in stored(manager, key)] == ["hello\n"]


async def test_no_line_of_the_stream_is_longer_than_the_service_takes(manager: EmbeddedManager, tmp_path: Path) -> None:
    """Bytes that are no text become three bytes each: a piece of a line may so pass the service's limit."""
    talker, line = Talker(), "x" * 40_000

    async def raw(data: object, context: TaskContext) -> None:
        context.write(b"\xff" * 16_000 + b"\n")
        await talker.print_all(context)

    async with running(manager, tmp_path, {"talk": raw}), talker.send:
        task = manager.submit(submission())
        await talker.send.send(line)
        await manager.wait_for(lambda _: len(said(manager)) > 1)
        assert all(len(text.encode()) <= 25_600 for text in said(manager))
        assert not any("truncated" in text for text in said(manager))
        assert said(manager)[0].endswith("has all of it]\n")
        talker.send.close()
        await manager.wait_finished(task)
        await manager.wait_for(lambda _: bool(stored(manager)))
    kept = [text.out.removesuffix("\n") for text in stored(manager)]
    assert kept[0] == "\ufffd" * 16_000
    assert "".join(kept[1:]) == line


async def test_a_log_beyond_its_limit_keeps_its_end_and_says_so(manager: EmbeddedManager, tmp_path: Path) -> None:
    lines = [f"line {number} {'x' * 100}" for number in range(2_000)]
    async with running(manager, tmp_path, {"talk": talk}, log_limit=50_000):
        await manager.wait_finished(manager.submit(submission(*lines)))
        await manager.wait_for(lambda _: bool(stored(manager)))
    kept = [line.out for line in stored(manager)]
    assert kept[0].startswith("[the first ")
    assert "were dropped" in kept[0]
    assert kept[-1] == f"{lines[-1]}\n"
    assert len(kept) < 600


async def test_without_an_address_or_a_key_nothing_is_sent(manager: EmbeddedManager, tmp_path: Path) -> None:
    async with running(manager, tmp_path, {"talk": talk}, backend={"log_url": None}):
        await manager.wait_finished(manager.submit(submission()))
    async with running(manager, tmp_path, {"talk": talk}):
        await manager.wait_finished(manager.submit(submission(abstractions={})))
    assert not any(name.startswith(("log-", "blob-")) for name in manager.state.calls)


async def test_a_task_that_prints_nothing_opens_no_stream(manager: EmbeddedManager, tmp_path: Path) -> None:
    async with running(manager, tmp_path, {"talk": lambda data: None}):
        await manager.wait_finished(manager.submit(submission()))
    assert manager.state.calls["log-open"] == 0


# ---------------------------------------------------------------------- against scripted answers


def logging(scripted: ScriptedManager, folder: Path, token: str = "") -> Any:
    """A runner that executes one talking task."""
    scripted.lists(event("t1"))
    told = {"token": token, "abstractions": KEYED}
    scripted.on("acquire", lambda call: (200, package(call, logging=told)))
    return running(scripted, folder, {"fib": talk}, backend={"log_url": f"{scripted.url}/logs/"})


async def test_the_tasks_own_token_is_used(scripted: ScriptedManager, tmp_path: Path) -> None:
    async with logging(scripted, tmp_path, "of-the-task"):
        await scripted.seen("log-close")
    assert scripted.named("log-open")[0].headers["x-harness-token"] == "of-the-task"
    assert not scripted.named("logging-token")


async def test_a_task_without_a_token_has_one_asked_for(scripted: ScriptedManager, tmp_path: Path) -> None:
    async with logging(scripted, tmp_path):
        await scripted.seen("log-close")
    assert scripted.named("log-write")[0].headers["x-harness-token"] == "asked-for"


async def test_a_task_that_names_its_log_service_is_logged_there(scripted: ScriptedManager, tmp_path: Path) -> None:
    """Though the settings name none; and indirectly, as it asks."""
    scripted.lists(event("t1"))
    config = {"url": f"{scripted.url}/logs", "token": "of-the-data", "indirect_upload": True}
    data = {"log_key": "ci/step", "log_config": config}
    scripted.on("acquire", lambda call: (200, package(call, data=data)))
    async with running(scripted, tmp_path, {"fib": talk}, backend={"log_url": None}):
        await scripted.seen("log-close")
    assert scripted.named("blob-put")[0].headers["x-harness-token"] == "of-the-data"
    assert not scripted.named("blob-link")


async def test_the_managers_token_does_not_go_to_an_address_that_a_tasks_data_names(
    scripted: ScriptedManager, tmp_path: Path
) -> None:
    """Whoever writes the task chooses its data, and the token opens the logs of the whole account."""
    async with serving(always(reply())) as elsewhere:
        data = {"log_key": "k", "log_config": {"url": elsewhere.url}}
        scripted.lists(event("t1"))
        scripted.on("acquire", lambda call: (200, package(call, data=data, logging={"token": "of-the-task"})))
        async with running(scripted, tmp_path, {"fib": talk}, backend={"log_url": f"{scripted.url}/logs/"}):
            opened = await scripted.seen("log-open")
            await scripted.seen("result")
        assert opened.headers["x-harness-token"] == "of-the-task"
        assert elsewhere.connections == []


async def test_no_token_goes_to_the_upload_link(scripted: ScriptedManager, tmp_path: Path) -> None:
    async with logging(scripted, tmp_path, "of-the-task"):
        upload = await scripted.seen("blob-upload")
    assert "of-the-task" not in str(upload.headers)
    assert "authorization" not in upload.headers
    assert json.loads(upload.body)["out"] == "hello\n"


async def test_a_token_that_the_service_echoes_is_not_shown(
    scripted: ScriptedManager, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = (403, {"error_msg": "token of-the-task is for another account"})
    for name in ("blob-link", "blob-put", "log-write"):
        scripted.on(name, refusal)
    async with logging(scripted, tmp_path, "of-the-task") as started:
        await scripted.seen("result")
        await eventually(lambda: started.runner.snapshot().logs_open == 0)
    assert "another account" in str(entries(tmp_path)[0].log)
    assert "of-the-task" not in str(entries(tmp_path)[0].log) + caplog.text
