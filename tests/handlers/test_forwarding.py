"""HTTP services as handlers, over real sockets."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from delegate_core import SecretFrom, forward
from delegate_core.errors import PluginError
from delegate_core.model import JsonValue, Outcome, Task, TaskResult
from delegate_core.testing.bench import PATIENCE, Bench
from delegate_core.testing.surroundings import PrintingContext
from tests.core.scripted_backend import Scripted
from tests.http.server import Connection, answering, reply, serving

Make = Callable[..., PrintingContext]


async def send(url: str, context: PrintingContext, data: JsonValue = None, **options: Any) -> TaskResult:
    with anyio.fail_after(PATIENCE):
        return await forward("x", url, **options).execute(Task(id="t1", type="x", data=data), context)


async def test_the_task_is_posted_and_the_response_is_the_result(
    task_context: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "correct-horse-battery")
    seen: list[str] = []

    async def echo(connection: Connection) -> None:
        seen.append(await connection.receive())
        await connection.send(reply(json.dumps({"token": seen[0].split("Bearer ")[-1][:21]}).encode()))

    context = task_context(deadline=anyio.current_time() + 60)
    async with serving(echo) as server:
        options = {"headers": {"Authorization": SecretFrom(environment="TOKEN", prefix="Bearer ")}}
        result = await send(f"{server.url}?q=1", context, {"n": 1}, **options)
    assert result.data == {"token": "correct-horse-battery"}
    assert context.masked("correct-horse-battery") == "******"
    head, _, body = seen[0].partition("\r\n\r\n")
    assert head.startswith("POST /x?q=1 HTTP/1.1")
    lines = dict(line.split(": ", 1) for line in head.lower().splitlines()[1:])
    assert (lines["delegate-task-id"], lines["delegate-task-type"]) == ("t1", "x")
    assert 0 < float(lines["delegate-task-timeout"]) <= 60
    assert lines["content-type"] == "application/json"
    assert json.loads(body) == {"id": "t1", "type": "x", "data": {"n": 1}}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (reply(b'{"message": "no such model"}', "404 Not Found"), "status 404 Not Found: no such model"),
        (reply(b"", "503 Service Unavailable"), "status 503 Service Unavailable"),
        (reply(b"", "302 Found", location="http://elsewhere/"), "redirects are not followed; it leads to http://elsew"),
        (reply(b"{", "200 OK"), "its body is no valid JSON"),
        (b"nonsense\r\n\r\n", "is not HTTP"),
        (b"", "closed the connection before it replied"),
        (reply(b"x" * 3000), "answered more than 2000 bytes"),
    ],
)
async def test_no_failure_is_reported_as_success(task_context: Make, answer: bytes, error: str) -> None:
    async with serving(answering(answer)) as server:
        result = await send(server.url, task_context(), output_limit=2000)
    assert result.outcome is Outcome.FAILED
    assert error in result.error


async def test_a_request_that_may_have_been_seen_is_not_sent_again(task_context: Make) -> None:
    async def drop(connection: Connection) -> None:
        await connection.receive()
        connection.reset()

    async with serving(drop) as server:
        assert (await send(server.url, task_context())).outcome is Outcome.FAILED
    assert len(server.connections) == 1


async def test_a_service_that_is_not_up_yet_is_waited_for_and_the_log_says_so(task_context: Make) -> None:
    context = task_context()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        result = await send(f"http://127.0.0.1:{taken.getsockname()[1]}/", context, retries=1)
    assert "connection refused" in result.error
    assert context.printed().count("trying again in") == 1


async def test_cancelling_closes_the_connection(backend: Scripted, bench: Bench) -> None:
    arrived, closed = anyio.Event(), anyio.Event()

    async def hold(connection: Connection) -> None:
        await connection.receive()
        arrived.set()
        await connection.gone()
        closed.set()

    async with serving(hold) as server:
        started = await bench.start({"remote": forward("remote", server.url)})
        await backend.offer("remote")
        await bench.within(arrived.wait())
        started.runner.cancel("t")
        await bench.within(closed.wait())
        assert (await backend.result()).outcome is Outcome.CANCELLED


async def test_its_own_time_limit_counts(task_context: Make) -> None:
    async def hold(connection: Connection) -> None:
        await connection.gone()

    async with serving(hold) as server:
        result = await send(server.url, task_context(), timeout=0.2)
    assert result.outcome is Outcome.TIMED_OUT


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("ftp://host/", "an address like http"),
        ("127.0.0.1:80", "an address like http"),
        ("http://user:pw@host/", "no user or password in an address"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_showing_it(url: str, complaint: str) -> None:
    with pytest.raises(PluginError, match=complaint) as raised:
        forward("x", url)
    assert "pw" not in str(raised.value)
