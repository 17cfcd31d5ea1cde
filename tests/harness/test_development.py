"""The embedded manager behind the development commands."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from delegate_core import TaskContext
from delegate_core.development import SubmissionError
from delegate_core.errors import SettingsError
from delegate_harness.development import HarnessDevelopmentServer
from delegate_harness.manager.wire import Unregistration
from tests.harness.handlers import Talker, endless, fib
from tests.harness.runners import running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server() -> AsyncIterator[HarnessDevelopmentServer]:
    server = HarnessDevelopmentServer({})
    async with server.serve(0):
        yield server


def where(server: HarnessDevelopmentServer) -> dict[str, object]:
    return dict(server.backend_settings())


def text(**fields: object) -> str:
    return json.dumps({"type": "fib", "data": {"n": 3}, **fields})


# ---------------------------------------------------------------------- submitting


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ("", ["line 1, column 1"]),
        ('{\n "type": "fib",\n "data" {}\n}', ["line 3, column 9"]),
        ("7", ["the file"]),
        ("{}", ["type", "required"]),
        (text(type=""), ["type"]),
        (text(dta={}), ["dta", "the fields are type, data, timeout"]),
        (text(timeout="soon", sync="?"), ["timeout", "sync"]),
        (json.dumps([json.loads(text()), {"type": "fib", "data": 7}]), ["1.data"]),
        ('{"type": "fib", "data": {"n": NaN}}', ["NaN"]),
        ("[" * 100_000, ["nested"]),
        ("[]", ["empty"]),
        ("\udcff", ["line 1"]),
    ],
)
async def test_a_mistake_in_a_file_is_named_with_its_place(
    server: HarnessDevelopmentServer, given: str, places: list[str]
) -> None:
    with pytest.raises(SubmissionError) as caught:
        server.submit(given, {})
    assert all(place in str(caught.value) for place in places), str(caught.value)
    assert server.tasks() == []


async def test_options_are_refused_by_name(server: HarnessDevelopmentServer) -> None:
    with pytest.raises(SubmissionError, match="branch"):
        server.submit(text(), {"branch": "main"})


async def test_a_type_that_a_strict_manager_does_not_know_is_refused_before_anything_is_queued() -> None:
    server = HarnessDevelopmentServer({"strict": "true"})
    async with server.serve(0):
        known = {"type": "DLITE_CI_VM_CLEANUP_TASK"}
        with pytest.raises(SubmissionError, match="fib"):
            server.submit(json.dumps([known, {"type": "fib"}]), {})
        assert server.tasks() == []


@pytest.mark.parametrize("options", [{"acount": "a"}, {"strict": "maybe"}, {"secret": "zz"}])
def test_an_option_of_the_server_that_cannot_be_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(options))):
        HarnessDevelopmentServer(options)


async def test_a_fixed_account_and_secret_are_kept() -> None:
    server = HarnessDevelopmentServer({"account": "mine", "secret": "0" * 32})
    async with server.serve(0) as address:
        assert server.environment() == {
            "DELEGATE_ENDPOINT": address,
            "DELEGATE_ACCOUNT_ID": "mine",
            "DELEGATE_ACCOUNT_SECRET": "0" * 32,
            "DELEGATE_LOG_URL": f"{address}/log-service",
        }


# ---------------------------------------------------------------------- tasks


async def test_submitted_tasks_are_executed_and_shown(server: HarnessDevelopmentServer, tmp_path: Path) -> None:
    async with running(server.manager, tmp_path, {"fib": fib}, backend=where(server)):
        ids = server.submit(json.dumps([json.loads(text()), json.loads(text(runner_response=True))]), {})
        ids += server.submit(server.task_text("fib", {"n": 3}, 60.0), {})
        shown = [await server.finished(task) for task in ids]
    assert [(task.type, task.outcome, task.data) for task in shown] == [("fib", "succeeded", {"n": 3})] * 3
    assert [task.id for task in server.tasks()] == ids


async def test_a_task_that_waits_says_for_what(server: HarnessDevelopmentServer) -> None:
    (task,) = server.submit(text(selectors=["gpu"]), {})
    shown = server.task(task)
    assert shown.status == "queued"
    assert shown.waiting


async def test_a_task_can_be_cancelled(server: HarnessDevelopmentServer, tmp_path: Path) -> None:
    async with running(server.manager, tmp_path, {"fib": endless}, backend=where(server)):
        (task,) = server.submit(text(), {})
        await server.manager.wait_for(lambda state: state.task(task).status == "STARTED")
        assert server.cancel(task)
        assert (await server.finished(task)).outcome == "aborted"
        assert not server.cancel(task)


async def test_a_sync_task_cannot_be_cancelled_and_that_is_said(server: HarnessDevelopmentServer) -> None:
    (task,) = server.submit(text(sync=True), {})
    with pytest.raises(SubmissionError, match="sync"):
        server.cancel(task)


async def test_an_unknown_task_is_a_key_error(server: HarnessDevelopmentServer) -> None:
    for call in (server.task, server.cancel):
        with pytest.raises(KeyError):
            call("nobody")
    with pytest.raises(KeyError):
        await anext(aiter(server.log("nobody", follow=False)))


# ---------------------------------------------------------------------- logs


async def followed(server: HarnessDevelopmentServer, task: str, *, follow: bool = True) -> list[str]:
    with anyio.fail_after(40):
        return [line async for line in server.log(task, follow=follow)]


async def test_a_log_is_followed_from_before_its_first_line_to_its_end(
    server: HarnessDevelopmentServer, tmp_path: Path
) -> None:
    talker, lines = Talker(), list[str]()
    async with running(server.manager, tmp_path, {"talk": talker.handler}, backend=where(server)), talker.send:
        (task,) = server.submit(text(type="talk"), {})

        async def follow() -> None:
            lines.extend(await followed(server, task))

        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            for line in ("one", "two", "three"):
                await talker.send.send(line)
            talker.send.close()
        assert lines == ["one\n", "two\n", "three\n"]
        assert await followed(server, task) == lines
        assert await followed(server, task, follow=False) == lines


async def test_a_stream_that_was_opened_anew_is_followed_on(server: HarnessDevelopmentServer, tmp_path: Path) -> None:
    talker, lines = Talker(), list[str]()
    async with running(server.manager, tmp_path, {"talk": talker.handler}, backend=where(server)), talker.send:
        (task,) = server.submit(text(type="talk"), {})
        key = server.manager.task(task).log_key

        async def follow() -> None:
            lines.extend(await followed(server, task))

        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            await talker.send.send("one")
            await server.manager.wait_for(lambda _: bool(server.manager.logs.open_keys(server.manager.account_id)))
            await server.manager.wait_for(lambda _: bool(server.manager.logs.lines(server.manager.account_id, key)))
            server.manager.logs.open(server.manager.account_id, key)
            await talker.send.send("two")
            talker.send.close()
        assert lines == ["one\n", "two\n"]


async def test_following_ends_with_a_task_that_prints_nothing(server: HarnessDevelopmentServer, tmp_path: Path) -> None:
    async with running(server.manager, tmp_path, {"fib": fib}, backend=where(server)):
        (task,) = server.submit(text(), {})
        assert await followed(server, task) == []


async def test_following_ends_with_a_task_whose_runner_has_died(
    server: HarnessDevelopmentServer, tmp_path: Path
) -> None:
    async def shout(data: object, context: TaskContext) -> None:
        context.log("last words")
        await anyio.sleep_forever()

    async with running(server.manager, tmp_path, {"fib": shout}, backend=where(server)) as started:
        (task,) = server.submit(text(), {})
        key = server.manager.task(task).log_key
        await server.manager.wait_for(lambda _: key in server.manager.logs.open_keys(server.manager.account_id))
        await server.manager.wait_for(lambda _: bool(server.manager.logs.lines(server.manager.account_id, key)))
        await started.kill()
        (dead,) = server.manager.state.delegates(server.manager.account_id)
        told = {"hostName": dead.host_name, "ipAddress": dead.ip, "ng": dead.ng, "delegateType": dead.delegate_type}
        server.manager.state.unregister(server.manager.account_id, Unregistration.model_validate(told))
        assert await followed(server, task) == ["last words\n"]
        assert server.task(task).outcome == "disconnected"
