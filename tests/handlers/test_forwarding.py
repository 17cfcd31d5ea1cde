"""HTTP services as handlers, over real sockets."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme

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


def pieces(*lines: str) -> bytes:
    """The head of a streamed answer, and its first lines."""
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"
    return (head + "".join(f"{line}\n" for line in lines)).encode()


async def test_a_service_may_answer_in_pieces_whose_log_is_seen_while_it_works(task_context: Make) -> None:
    context, seen = task_context(), anyio.Event()
    context.when_printed("halfway", seen.set)

    async def work(connection: Connection) -> None:
        await connection.receive()
        await connection.send(pieces('{"mask": "hush-hush"}', '{"log": "halfway: hush-hush", "level": "warning"}'))
        await seen.wait()  # the log is here before the answer goes on
        await connection.send(b'\n{"data": {"rows": 3}}')

    async with serving(work) as server:
        result = await send(server.url, context)
    assert result == TaskResult.succeeded({"rows": 3})
    assert context.printed() == "halfway: ******"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (pieces('{"log": "a"}', '{"error": "no disk"}'), "no disk"),
        (pieces('{"log": "a"}'), "its answer ended before a line with data or error"),
        (pieces('{"log": "a"}', '{"lag": "b"}'), "line 2 of its answer is no event: one of log, mask, data and error"),
        (pieces('{"log": "a", "data": 1}'), "line 1 of its answer is no event"),
        (pieces("{"), "line 1 of its answer is no event"),
        (pieces('{"data": null}', '{"log": "a"}'), "line 2 of its answer comes after the one with the result"),
        (pieces("x" * 3000), "line 1 of its answer has more than 2,000 bytes"),
        (pieces("x" * 1500).rstrip() + b"x" * 1500, "line 1 of its answer has more than 2,000 bytes"),
    ],
)
async def test_an_answer_in_pieces_that_ends_badly_is_a_failure(task_context: Make, answer: bytes, error: str) -> None:
    async with serving(answering(answer)) as server:
        result = await send(server.url, task_context(), output_limit=2000)
    assert (result.outcome, error in result.error) == (Outcome.FAILED, True), result.error


async def test_a_service_may_ask_who_we_are_and_have_an_authority_of_its_own(
    task_context: Make, tmp_path: Path
) -> None:
    authority, ours = trustme.CA(), tmp_path / "ours.pem"
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("runner.example").private_key_and_cert_chain_pem.write_to_path(str(ours))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.configure_trust(tls)
    tls.verify_mode = ssl.CERT_REQUIRED
    trusted: dict[str, Any] = {"ca_files": (tmp_path / "ca.pem",), "retries": 0}
    async with serving(answering(reply(b'"served"')), tls) as server:
        assert (await send(server.url, task_context(), client_certificate=ours, **trusted)).data == "served"
        assert (await send(server.url, task_context(), **trusted)).outcome is Outcome.FAILED
        assert "--ca-file" in (await send(server.url, task_context(), client_certificate=ours, retries=0)).error


def test_a_certificate_that_cannot_be_used_is_found_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for options in ({"client_certificate": tmp_path / "none"}, {"client_key": tmp_path / "empty.pem"},
                    {"ca_files": (tmp_path / "empty.pem",)}):  # fmt: skip
        with pytest.raises(PluginError, match=r"^handler 'x': "):
            forward("x", "https://127.0.0.1:1/", **options).check()
