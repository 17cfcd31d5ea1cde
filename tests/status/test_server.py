"""The status server, over real sockets, of a real runner."""

from __future__ import annotations

import base64
import json
import logging
import socket
import stat
from pathlib import Path

import anyio
import httpx
import pytest

from delegate_core.cli.observing import Observation
from delegate_core.errors import SettingsError
from delegate_core.settings import RunnerSettings
from delegate_core.status import Bind, StatusAddress, parse_bind
from tests.integration.command import Command
from tests.status.observed import PASSWORD, SECRET, observed

_GUARDED = ("/", "/app.js", "/metrics", "/status.json", "/log.json", "/events", "/tasks/x/log", "/tasks/x/events")
_ORDERS = ("/pause", "/resume", "/drain", "/tasks/x/cancel")


# ---------------------------------------------------------------------- who may look


async def test_without_a_password_or_token_only_health_and_readiness_are_answered(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        assert (await it.stranger.get("/healthz")).text == "alive\n"
        assert (await it.stranger.get("/readyz")).text == "ready: waiting\n"
        for path in _GUARDED:
            reply = await it.stranger.get(path)
            assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer"), path
        for path in _ORDERS:
            assert (await it.stranger.post(path, json={})).status_code == 401, path
        assert it.runner.state == "running"


@pytest.mark.parametrize("given", ["Bearer wrong", "Basic", "Basic ???", "Basic YWRtaW46", "Digest x"])
async def test_a_wrong_token_or_password_opens_nothing(tmp_path: Path, given: str) -> None:
    async with observed(tmp_path) as it:
        reply = await it.stranger.get("/status.json", headers={"Authorization": given})
        assert reply.status_code == 401


async def test_an_empty_password_is_no_password(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        assert (await it.stranger.get("/status.json", auth=("admin", ""))).status_code == 401


async def test_the_user_and_the_password_of_the_settings_open_it(tmp_path: Path) -> None:
    async with observed(tmp_path, status_user="op", status_password=PASSWORD) as it:
        assert (await it.stranger.get("/status.json", auth=("op", PASSWORD))).status_code == 200
        for wrong in [("op", PASSWORD + "x"), ("admin", PASSWORD), ("", PASSWORD)]:
            refused = await it.stranger.get("/status.json", auth=wrong)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == 'Basic realm="delegate"'
        odd = base64.b64encode(b"\xff\xfe").decode()
        assert (await it.stranger.get("/", headers={"Authorization": f"Basic {odd}"})).status_code == 401


async def test_the_token_in_an_address_becomes_a_cookie_and_leaves_the_address(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        reply = await it.stranger.get("/", params={"token": it.address.token})
        assert (reply.status_code, reply.headers["location"]) == (303, "/")
        cookie = reply.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert (await it.stranger.get("/")).text.startswith("<!doctype html>")
        assert (await it.stranger.get("/", params={"token": "wrong"})).status_code == 200  # the cookie still opens it


async def test_a_foreign_page_cannot_make_a_browser_give_orders(tmp_path: Path) -> None:
    """A form of another site can send the cookie at most, and no JSON."""
    async with observed(tmp_path) as it:
        for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
            reply = await it.client.post("/drain", content=b"{}", headers={"Content-Type": kind})
            assert reply.status_code == 415
        assert it.runner.state == "running"


async def test_every_answer_forbids_framing_foreign_scripts_and_keeping(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        for path in ("/healthz", "/status.json", "/"):
            headers = (await it.client.get(path)).headers
            assert "default-src 'self'" in headers["content-security-policy"]
            assert headers["cache-control"] == "no-store"
            assert headers["x-frame-options"] == "DENY"
            assert headers["x-content-type-options"] == "nosniff"


async def test_the_address_file_is_the_owners_and_goes_with_the_runner(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        file = it.runner.state_dir / "status.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert it.address.token not in repr(it.runner.snapshot())
    assert not file.exists()


# ---------------------------------------------------------------------- what it says


async def test_the_status_tells_of_running_tasks_their_steps_and_their_last_line(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        task = it.server.submit("steps")
        status = await it.until("running.0.steps.0.status", "success")
        (running,) = status["running"]
        assert (running["id"], running["type"], running["outcome"]) == (task, "steps", "")
        assert [(step["name"], step["status"]) for step in running["steps"]] == [
            ("build", "success"),
            ("unit tests", "pending"),
        ]
        assert running["lines"] == 1
        assert "compiled" in running["last_line"]
        assert status["slots"] == {"capacity": 2, "used": 1, "holds": []}
        it.release.set()
        status = await it.until("recent.0.outcome", "succeeded")
        assert status["recent"][0]["id"] == task
        assert status["totals"]["finished"] == {"succeeded": 1}


async def test_the_status_says_why_nothing_happens(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        assert (await it.json())["waiting"] == "no task for this runner on the server"
        await it.order("/pause", {"reason": "new disk"})
        assert (await it.json())["waiting"] == "the runner is paused: paused by the operator: new disk"


async def test_the_status_has_no_secret_and_no_data_of_a_task(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        it.server.submit("quick", {"password": SECRET}, masks=[SECRET])
        await it.until("totals.finished.succeeded", 1)
        task = (await it.json())["recent"][0]["id"]
        seen = [await it.client.get(path) for path in ("/status.json", "/log.json", "/metrics", f"/tasks/{task}/log")]
        assert all(SECRET not in reply.text for reply in seen)
        assert "the secret is ******" in seen[-1].text
        assert "delegate_log_masked_total 1.0" in seen[2].text


async def test_a_runner_that_does_not_take_tasks_is_not_ready_and_says_why_without_details(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        await it.order("/pause", {"reason": "words for insiders"})
        reply = await it.stranger.get("/readyz")
        assert (reply.status_code, reply.text) == (503, "not ready: the runner is paused\n")
        await it.order("/resume")
        assert (await it.stranger.get("/readyz")).status_code == 200


async def test_readiness_says_how_the_runner_stands(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        for number in (1, 2):
            it.server.submit("steps")
            await it.until("slots.used", number)
            said = (await it.stranger.get("/readyz")).text
            assert said == ("ready: working\n", "ready: full\n")[number - 1]


async def test_of_a_held_runner_it_says_so_without_the_path_that_is_full(tmp_path: Path) -> None:
    async with observed(tmp_path, min_free_disk="1000TiB") as it:
        await it.until("standing.word", "held")
        reply = await it.stranger.get("/readyz")
    assert (reply.status_code, reply.text) == (503, "not ready: held: something on its machine is in the way\n")


async def test_the_metrics_count_tasks_by_type_and_outcome(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        for task_type in ("quick", "quick", "broken"):
            it.server.submit(task_type)
        await it.until("totals.delivered", 3)
        lines = set((await it.client.get("/metrics")).text.splitlines())
        assert {
            'delegate_tasks_total{outcome="succeeded",type="quick"} 2.0',
            'delegate_tasks_total{outcome="failed",type="broken"} 1.0',
            'delegate_tasks_claimed_total{type="quick"} 2.0',
            'delegate_tasks_running{type="quick"} 0.0',
            'delegate_task_duration_seconds_count{type="quick"} 2.0',
            'delegate_task_pickup_seconds_count{type="quick"} 2.0',
            'delegate_info{backend="memory",name="build-7",version="0.1.0"} 1.0',
            'delegate_state{state="running"} 1.0',
            "delegate_ready 1.0",
            "delegate_slots 2.0",
            "delegate_results_delivered_total 3.0",
        } <= lines


async def test_a_tasks_log_can_be_read_whole_while_it_runs_and_afterwards(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        task = it.server.submit("printing", 2000)
        await it.until("recent.0.id", task)
        text = (await it.client.get(f"/tasks/{task}/log")).text
        assert text.splitlines() == [f"line {number}" for number in range(2000)]
        assert (await it.client.get("/tasks/nobody/log")).status_code == 404


async def test_only_the_end_of_a_long_log_is_remembered_and_its_lines_keep_their_numbers(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        task = it.server.submit("printing", 2000)
        await it.until("recent.0.id", task)
        lines = (await it.json(f"/tasks/{task}/lines"))["lines"]
        assert lines[-1]["number"] == 1999
        assert len(lines) <= 500
        assert [line["text"] for line in lines] == [f"line {line['number']}" for line in lines]
        later = (await it.json(f"/tasks/{task}/lines?start=1990"))["lines"]
        assert [line["number"] for line in later] == list(range(1990, 2000))
        assert (await it.client.get(f"/tasks/{task}/lines?start=-1x")).status_code == 200
        assert (await it.client.get("/tasks/nobody/lines")).status_code == 404


async def test_events_bring_the_state_and_each_change_of_it(tmp_path: Path) -> None:
    async with observed(tmp_path) as it, it.client.stream("GET", "/events") as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        with anyio.fail_after(40):
            states = _events(reply)
            assert (await anext(states))["runner"]["state"] == "running"
            it.runner.pause("because")
            while (status := await anext(states))["runner"]["state"] != "paused":
                pass
            assert status["runner"]["reason"] == "because"


async def test_a_tasks_lines_come_as_events_until_its_end(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        task = it.server.submit("steps")
        await it.until("running.0.lines", 1)
        with anyio.fail_after(40):
            async with it.client.stream("GET", f"/tasks/{task}/events") as reply:
                found = _events(reply)
                ((line,), *_) = [await anext(found)]
                assert (line["stream"], line["text"]) == ("build", "\x1b[32mcompiled\x1b[0m <b>")
                it.release.set()
                assert [event async for event in found] == [{}]


async def _events(reply: httpx.Response):  # type: ignore[no-untyped-def]  # noqa: ANN202 - JSON is anything
    async for line in reply.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


# ---------------------------------------------------------------------- orders


async def test_an_operator_pauses_resumes_and_drains_the_runner(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        paused = "paused by the operator: new disk"
        reply = await it.order("/pause", {"reason": "new disk"})
        assert reply.json() == {"state": "paused", "reason": paused, "holds": [paused]}
        it.server.submit("quick")
        assert (await it.order("/resume")).json()["state"] == "running"
        await it.until("totals.finished.succeeded", 1)
        assert (await it.order("/drain")).status_code == 200
        await it.state("stopped")


async def test_an_operator_cancels_a_task(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        task = it.server.submit("steps")
        await it.until("running.0.id", task)
        assert (await it.order(f"/tasks/{task}/cancel")).json() == {"cancelled": task}
        status = await it.until("recent.0.outcome", "cancelled")
        assert status["recent"][0]["cause"] == "operator"
        assert (await it.order(f"/tasks/{task}/cancel")).status_code == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"reason": 7}', b'"x"', b"x" * 50_000, b"[" * 4000])
async def test_an_order_with_a_strange_body_is_still_an_order(tmp_path: Path, body: bytes) -> None:
    async with observed(tmp_path) as it:
        reply = await it.client.post("/pause", content=body, headers={"Content-Type": "application/json"})
        assert (reply.status_code, it.runner.state) == (200, "paused")


async def test_text_that_is_not_unicode_takes_neither_the_status_nor_the_log_away(tmp_path: Path) -> None:
    """An order may bring it, and so does a file's name in a record."""
    async with observed(tmp_path) as it:
        record = logging.LogRecord("delegate_core.x", logging.WARNING, "", 0, "no such file: a\udcffb", (), None)
        for handler in logging.getLogger().handlers:
            if type(handler).__module__.startswith("delegate_core."):  # pytest's own cannot pass it on to its parent
                handler.handle(record)
        reply = await it.client.post(
            "/pause", content=b'{"reason": "why\\ud800"}', headers={"Content-Type": "application/json"}
        )
        assert (reply.status_code, it.runner.state) == (200, "paused")
        it.runner.pause("new disk \udcff")
        assert "new disk ?" in (await it.json())["runner"]["reason"]
        assert "no such file: a?b" in [record["message"] for record in (await it.json("/log.json"))["records"]]


async def test_maintenance_for_what_is_no_time_is_refused(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        for wanted in (b"[1]", b'{"a": 1}', b"true", b"-5", b"0", b"1e300", b"9" * 4000, b'"99999999h"'):
            body = b'{"for": %s}' % wanted
            reply = await it.client.post("/maintenance/on", content=body, headers={"Content-Type": "application/json"})
            assert (reply.status_code, it.runner.state) == (400, "running"), wanted
            assert "error" in reply.json(), wanted


async def test_an_order_beyond_the_bound_of_a_request_is_refused_and_not_carried_out(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        reply = await it.client.post("/pause", content=b"x" * 100_000, headers={"Content-Type": "application/json"})
        assert (reply.status_code, it.runner.state) == (413, "running")


# ---------------------------------------------------------------------- where it is served


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("127.0.0.1:9210", Bind("127.0.0.1", 9210)),
        (":3000", Bind("", 3000)),
        ("3000", Bind("127.0.0.1", 3000)),
        ("[::1]:0", Bind("::1", 0)),
        (" 10.0.0.1:80 ", Bind("10.0.0.1", 80)),
    ],
)
def test_an_address_is_read_as_people_write_it(text: str, bind: Bind) -> None:
    assert parse_bind(text) == bind


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.0.0.1:", ":http", "127.0.0.1:70000", "127.0.0.1:-1", "1:٣", "1" * 5000]
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SettingsError, match=r"write HOST:PORT, as 127\.0\.0\.1:9210"):
        parse_bind(text)


async def test_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = await Command(tmp_path)(
            "run", "--backend", "drone", "--server", "127.0.0.1:9", "--status", where, DELEGATE_SECRET="x"
        )
    assert ended.code == 2
    assert f"cannot serve the status on {where}: Address already in use; choose another with --status" in ended.err
    assert "Traceback" not in ended.err


def test_off_observes_for_a_live_view_only() -> None:
    watching = Observation(RunnerSettings(status="off"), "memory").plugins
    assert [type(one).__name__ for one in watching] == ["Activity", "Meter", "Pickups"]


def test_a_folder_without_a_running_runner_says_so(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no runner with the state folder"):
        StatusAddress.of(tmp_path)
