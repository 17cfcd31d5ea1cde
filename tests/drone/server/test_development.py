"""The embedded server behind the development commands."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_core.development import DevelopmentServer, SubmissionError
from delegate_core.development.control import serve_control
from delegate_core.errors import SettingsError
from delegate_core.model import JsonValue
from delegate_drone.development import DroneDevelopmentServer
from delegate_drone.foreign import handler_data, wanted_timeout
from delegate_drone.manifest import Foreign, load_manifest
from delegate_drone.server.stagelog import StageLog

from .runner import ONE, START, BareRunner, http_client, manifest

pytestmark = pytest.mark.anyio

NUMBERS = "kind: pipeline\ntype: fib\nname: numbers\nn: 7\n"


@pytest.fixture
async def server() -> AsyncIterator[DroneDevelopmentServer]:
    server = DroneDevelopmentServer({"long_poll": "0.2"})
    async with server.serve(0):
        yield server


@pytest.fixture
async def runner(server: DroneDevelopmentServer) -> AsyncIterator[BareRunner]:
    async with http_client(server.drone) as http:
        yield BareRunner(http)


def submit(server: DevelopmentServer, text: str = ONE) -> str:
    ids = server.submit(text, {})
    assert len(ids) == 1
    return ids[0]


async def lines(server: DevelopmentServer, task_id: str, *, follow: bool = False) -> list[str]:
    with anyio.fail_after(40):
        return [line async for line in server.log(task_id, follow=follow)]


# ---------------------------------------------------------------------- serving


async def test_it_says_how_a_runner_reaches_it(server: DroneDevelopmentServer) -> None:
    settings, variables = server.backend_settings(), server.environment()
    assert set(settings) == {"server", "secret"}
    assert variables == {
        "DRONE_RPC_PROTO": "http",
        "DRONE_RPC_HOST": str(settings["server"]).removeprefix("http://"),
        "DRONE_RPC_SECRET": settings["secret"],
    }
    async with httpx.AsyncClient(base_url=settings["server"], trust_env=False) as http:
        reply = await http.post("/rpc/v2/ping", headers={"X-Drone-Token": settings["secret"]})
    assert reply.status_code == 200


async def test_options_fix_the_keys_and_keep_the_builds(tmp_path: Path) -> None:
    options = {"folder": str(tmp_path), "secret": "abc", "token": "def"}
    for known in ([], ["1"]):
        server = DroneDevelopmentServer(options)
        async with server.serve(0):
            assert server.backend_settings()["secret"] == "abc"
            assert server.drone.keys.user == "def"
            assert [task.id for task in server.tasks()] == known
            submit(server)


async def test_faults_can_be_ordered_on_the_command_line() -> None:
    server = DroneDevelopmentServer({"fault.accept": "status:502x2", "cancels": "redis"})
    async with server.serve(0), http_client(server.drone) as http:
        submit(server)
        statuses = [(await BareRunner(http).accept(1)).status_code for _ in range(3)]
    assert statuses == [502, 502, 200]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"colour": "red"}, "unknown option colour; the embedded server has folder, secret"),
        ({"long_poll": "soon"}, "long_poll"),
        ({"long_poll": "0"}, "long_poll"),
        ({"long_poll": "nan"}, "long_poll"),
        ({"cancels": "carrier pigeon"}, "memory or redis"),
        ({"fault.accept": "explode"}, "option fault.accept: 'explode' is no fault"),
        ({"fault.acept": "reset"}, "acept is no call"),
    ],
)
def test_a_wrong_option_is_explained(options: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        DroneDevelopmentServer(options)


# ---------------------------------------------------------------------- submitting


async def test_each_stage_is_a_task(server: DroneDevelopmentServer) -> None:
    ids = server.submit(manifest("a", "b; depends_on: [a]"), {})
    assert ids == ["1", "2"]
    assert [(task.type, task.status, task.waiting) for task in server.tasks()] == [
        ("exec", "pending", "no runner is asking for work"),
        ("exec", "waiting_on_dependencies", "waits for a"),
    ]


async def test_what_cannot_be_a_build_is_refused(server: DroneDevelopmentServer) -> None:
    for text in ("", "kind: [", manifest("a; depends_on: [b]", "b; depends_on: [a]")):
        with pytest.raises(SubmissionError):
            server.submit(text, {})
    assert not server.tasks()


@pytest.mark.parametrize(
    "data",
    [{"n": 7}, {}, [1, "a"], None, 7, {"name": "x"}, {"data": 1}, {"steps": []}, {"n": 1.5}, {"cost": "$5 ${x} $$"}],
)
async def test_a_task_s_text_carries_its_data(server: DroneDevelopmentServer, data: JsonValue) -> None:
    text = server.task_text("fib", data, 2.5)
    task = server.task(submit(server, text))
    assert (task.type, task.status) == ("fib", "pending")
    found = document(text)
    assert (handler_data(found, {}), wanted_timeout(found)) == (data, 2.5)


def document(text: str) -> Foreign:
    """A manifest's only document as a runner reads it."""
    loaded = load_manifest(text, variables={})
    assert not loaded.errors, [str(problem) for problem in loaded.errors]
    content = loaded.documents[0].content
    assert isinstance(content, Foreign)
    return content


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_any_data_comes_back_from_its_text(data: JsonValue) -> None:
    found = document(DroneDevelopmentServer({}).task_text("fib", {"given": data}, 60))
    assert handler_data(found, {}) == {"given": data}


# ---------------------------------------------------------------------- outcomes


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        ("success", "", "succeeded"),
        ("failure", "", "failed"),
        ("error", "lost", "failed"),
        ("error", "rejected: no such handler", "rejected"),
        ("killed", "timed out after 5s", "timed_out"),
        ("killed", "", "cancelled"),
        ("skipped", "", "cancelled"),
    ],
)
async def test_a_stage_s_status_is_an_outcome(
    server: DroneDevelopmentServer, runner: BareRunner, status: str, error: str, outcome: str
) -> None:
    task_id = submit(server)
    stage = await runner.accepted(int(task_id))
    assert server.task(task_id).outcome == ""
    await runner.put_stage(stage, status=status, error=error)
    with anyio.fail_after(40):
        task = await server.finished(task_id)
    assert (task.status, task.outcome, task.error) == (status, outcome, error)


async def test_a_failure_names_the_step(server: DroneDevelopmentServer, runner: BareRunner) -> None:
    stage = await runner.ran(int(submit(server)), "one", "two")
    stage["steps"][0] |= {"status": "failure", "exit_code": 2}
    await runner.put_stage(stage, status="failure")
    assert server.task("1").error == "step one: exit 2"


async def test_a_step_whose_failure_is_ignored_is_not_named(server: DroneDevelopmentServer, runner: BareRunner) -> None:
    stage = await runner.started(int(submit(server)), "soft", "hard")
    for step, ignored, code in zip(stage["steps"], (True, False), (3, 2), strict=True):
        step |= {"status": "failure", "exit_code": code, "errignore": ignored}
    await runner.put_stage(stage, status="failure")
    assert server.task("1").error == "step hard: exit 2"


async def test_a_stage_that_is_left_out_says_for_what(server: DroneDevelopmentServer, runner: BareRunner) -> None:
    build, deploy = server.submit(manifest("build", "deploy; depends_on: [build]"), {})
    await runner.finish(int(build), "failure")
    task = server.task(deploy)
    assert (task.outcome, task.error) == ("cancelled", "skipped: build did not end as its trigger wants")


async def test_the_last_line_of_a_handler_s_log_is_its_result(
    server: DroneDevelopmentServer, runner: BareRunner
) -> None:
    for text, expected in ((NUMBERS, {"fib": 13}), (ONE, None)):
        task_id = submit(server, text)
        stage = await runner.ran(int(task_id))
        await runner.upload(stage["steps"][0]["id"], "computing\n", json.dumps({"fib": 13}) + "\n")
        stage["steps"][0]["status"] = "success"
        await runner.put_stage(stage, status="success")
        assert server.task(task_id).data == expected


async def test_cancelling_a_task_cancels_its_whole_build(server: DroneDevelopmentServer, runner: BareRunner) -> None:
    first, second = server.submit(manifest("a", "b"), {})
    await runner.started(int(first))
    assert server.cancel(second)
    assert [server.task(each).status for each in (first, second)] == ["killed", "skipped"]
    assert {server.task(each).outcome for each in (first, second)} == {"cancelled"}
    assert not server.cancel(first)


@pytest.mark.parametrize("task_id", ["7", "", "x", "-1", "1/2", "9" * 30, "²"])
async def test_an_unknown_task_is_none(server: DroneDevelopmentServer, task_id: str) -> None:
    for ask in (server.task, server.cancel):
        with pytest.raises(KeyError):
            ask(task_id)


# ---------------------------------------------------------------------- logs


async def test_a_stored_log_is_shown_without_a_prefix_for_one_step(
    server: DroneDevelopmentServer, runner: BareRunner
) -> None:
    stage = await runner.ran(int(submit(server)))
    await runner.upload(stage["steps"][0]["id"], "a\n", "b")
    assert await lines(server, "1") == ["a\n", "b\n"]


async def test_several_steps_are_told_apart(server: DroneDevelopmentServer, runner: BareRunner) -> None:
    stage = await runner.ran(int(submit(server)), "one", "two")
    await runner.upload(2, "late\n")
    await runner.batch(stage["steps"][0]["id"], "early\n")
    assert await lines(server, "1") == ["[one] early\n", "[two] late\n"]


async def test_a_log_that_is_no_list_of_lines_is_shown_as_it_is(
    server: DroneDevelopmentServer, runner: BareRunner
) -> None:
    await runner.ran(int(submit(server)))
    await runner.http.post("/rpc/v2/step/1/logs/upload", content=b"plain\nwords \xff")
    assert await lines(server, "1") == ["plain\n", "words \ufffd\n"]


async def test_an_empty_upload_is_an_empty_log(server: DroneDevelopmentServer, runner: BareRunner) -> None:
    await runner.ran(int(submit(server)))
    await runner.http.post("/rpc/v2/step/1/logs/upload", content=b"null")
    assert await lines(server, "1", follow=True) == []


async def test_a_followed_log_shows_each_line_once_from_the_wait_to_the_end(
    server: DroneDevelopmentServer, runner: BareRunner
) -> None:
    task_id = submit(server)
    shown: list[str] = []
    begun = anyio.Event()

    async def follow() -> None:
        async for line in server.log(task_id, follow=True):
            shown.append(line)
            begun.set()

    with anyio.fail_after(40):
        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            stage = await runner.ran(int(task_id))
            await runner.batch(1, "a\n")
            await begun.wait()
            await runner.batch(1, "a\n")
            await runner.upload(1, "a\n", "b\n")
            await runner.put_step(stage["steps"][0], status="success", stopped=START)
    assert shown == ["a\n", "b\n"]


async def test_following_ends_with_a_stage_that_never_had_a_step(
    server: DroneDevelopmentServer, runner: BareRunner
) -> None:
    task_id = submit(server)
    await runner.finish(int(task_id), "error")
    assert await lines(server, task_id, follow=True) == []


async def test_a_log_that_never_comes_is_not_waited_for_for_ever(
    server: DroneDevelopmentServer, runner: BareRunner
) -> None:
    await runner.ran(int(submit(server)), "one", "two")
    await runner.batch(1, "a\n")
    server.cancel("1")
    log = StageLog(server.drone.parts, 1, patience=0.05)
    with anyio.fail_after(40):
        assert [line async for line in log.lines(follow=True)] == ["[one] a\n"]


async def test_the_commands_interface_serves_it(server: DroneDevelopmentServer) -> None:
    headers = {"Authorization": "Bearer token"}
    async with serve_control(server, "token") as url, httpx.AsyncClient(base_url=url, headers=headers) as http:
        made = await http.post("/tasks", content=NUMBERS, params={"message": "hello"})
        refused = await http.post("/tasks", content=NUMBERS, params={"branch": "dev", "event": "pushed"})
        found = await http.get("/tasks/1/result")
    assert made.json() == {"ids": ["1"]}
    assert "pushed" in refused.json()["error"]
    assert found.json()["waiting"] == "no runner is asking for work"
    assert server.drone.build(1).message == "hello"
