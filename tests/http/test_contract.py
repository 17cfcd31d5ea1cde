"""What every transport promises, over real sockets."""

import gzip
import socket
from collections.abc import Iterator

import anyio
import pytest

from delegate_core.http import (
    BadReply,
    ConnectFailed,
    Interrupted,
    TimedOut,
    Transport,
    TransportError,
)
from delegate_core.http.httpx_transport import HttpxTransport
from tests.http.conftest import MakeTransport
from tests.http.server import Connection, Handler, always, answering, reply, serving, silent

pytestmark = pytest.mark.anyio


async def get(transport: Transport, url: str, timeout: float = 10) -> bytes:  # noqa: ASYNC109 - passed on
    return (await transport.request("GET", url, headers={}, timeout=timeout)).body


async def fault(transport: Transport, url: str, method: str = "POST", seconds: float = 10) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await transport.request(method, url, headers={"authorization": "invented"}, timeout=seconds)
    assert "\n" not in str(caught.value)
    assert "invented" not in str(caught.value)
    return caught.value


async def test_a_reply_carries_status_lower_case_headers_and_body(transport: Transport) -> None:
    async with serving(answering(reply(b"[1]", "404 Not Found", X_Kind="a"))) as server:
        answer = await transport.request("GET", server.url, headers={}, timeout=10)
    assert (answer.status, answer.headers["x-kind"], answer.json()) == (404, "a", [1])


async def test_repeated_reply_headers_are_joined(transport: Transport) -> None:
    async with serving(answering(reply(X_Kind="a\r\nX-Kind: b"))) as server:
        answer = await transport.request("GET", server.url, headers={}, timeout=10)
    assert answer.headers["x-kind"] == "a, b"


async def test_a_request_carries_method_path_query_headers_and_body(make_transport: MakeTransport) -> None:
    seen: list[str] = []

    async def handler(connection: Connection) -> None:
        seen.append(await connection.receive())
        await connection.send(reply())

    transport = make_transport(user_agent="delegate_core/9")
    async with serving(handler) as server:
        url = f"{server.url}?a=b%20c"
        await transport.request("PUT", url, headers={"X-Token": "t"}, body=b"payload", timeout=10)
    head, _, body = seen[0].partition("\r\n\r\n")
    lines = head.lower().splitlines()
    assert lines[0] == "put /x?a=b%20c http/1.1"
    assert {"x-token: t", "content-length: 7", f"host: 127.0.0.1:{server.port}"} <= set(lines)
    assert "user-agent: delegate_core/9" in lines
    assert body == "payload"


async def test_a_redirect_is_a_reply(transport: Transport) -> None:
    async with serving(always(reply(b"", "302 Found", Location="/elsewhere"))) as server:
        answer = await transport.request("GET", server.url, headers={}, timeout=10)
    assert (answer.status, answer.headers["location"], len(server.connections)) == (302, "/elsewhere", 1)


async def test_cookies_are_not_kept(transport: Transport) -> None:
    seen: list[str] = []

    async def handler(connection: Connection) -> None:
        while True:
            seen.append((await connection.receive()).lower())
            await connection.send(reply(Set_Cookie="session=1; Path=/"))

    async with serving(handler) as server:
        await get(transport, server.url)
        await get(transport, server.url)
    assert len(seen) == 2
    assert "cookie" not in seen[1]


async def test_a_compressed_body_arrives_decompressed(transport: Transport) -> None:
    async with serving(answering(reply(gzip.compress(b"[1]"), Content_Encoding="gzip"))) as server:
        assert await get(transport, server.url) == b"[1]"


async def test_a_chunked_body_arrives_whole(transport: Transport) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n"
    async with serving(answering(chunked)) as server:
        assert await get(transport, server.url) == b"[1]"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(reply(b"x" * 1001), id="announced"),
        pytest.param(reply(gzip.compress(b"x" * 1001), Content_Encoding="gzip"), id="compressed"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001, id="unannounced"),
    ],
)
async def test_a_body_beyond_the_bound_is_refused(make_transport: MakeTransport, data: bytes) -> None:
    transport = make_transport(largest_body=1000)
    async with serving(answering(data)) as server:
        error = await fault(transport, server.url)
    assert isinstance(error, BadReply)
    assert "more than 1000 bytes" in str(error)


async def test_a_body_of_just_the_bound_arrives(make_transport: MakeTransport) -> None:
    transport = make_transport(largest_body=1000)
    async with serving(answering(reply(b"x" * 1000))) as server:
        assert await get(transport, server.url) == b"x" * 1000


async def test_calls_one_after_another_share_a_connection(transport: Transport) -> None:
    async with serving(always(reply())) as server:
        for _ in range(5):
            await get(transport, server.url)
    assert len(server.connections) == 1


async def test_two_hundred_calls_run_side_by_side(transport: Transport) -> None:
    arrived, all_here = 0, anyio.Event()

    async def handler(connection: Connection) -> None:
        nonlocal arrived
        await connection.receive()
        arrived += 1
        if arrived == 200:
            all_here.set()
        await all_here.wait()
        await connection.send(reply())

    async with serving(handler) as server, anyio.create_task_group() as calls:
        for _ in range(200):
            calls.start_soon(get, transport, server.url, 30)
    assert arrived == 200


async def test_a_refused_connection_names_place_and_cure(transport: Transport) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        error = await fault(transport, f"http://127.0.0.1:{port}/x")
    assert isinstance(error, ConnectFailed)
    assert str(error) == f"connection refused: is the server at 127.0.0.1:{port} running?"
    assert not error.sent


async def test_a_name_that_does_not_resolve_says_so(transport: Transport) -> None:
    error = await fault(transport, "http://manager.invalid/x")
    assert isinstance(error, ConnectFailed)
    assert str(error).startswith("manager.invalid:80: the name is not resolved")


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1/x", "http://", "http://127.0.0.1:99999/x"])
async def test_an_unusable_address_is_a_failed_connection(transport: Transport, url: str) -> None:
    error = await fault(transport, url)
    assert isinstance(error, ConnectFailed)
    assert "give an address with http://" in str(error)


async def test_a_header_that_cannot_be_sent_is_refused_without_showing_it(transport: Transport) -> None:
    async with serving(silent) as server:
        with pytest.raises(ConnectFailed) as caught:
            await transport.request("GET", server.url, headers={"x": "invented\r\nx: y"}, timeout=10)
    assert "invented" not in str(caught.value)


async def reset_at_once(connection: Connection) -> None:
    await connection.receive()
    connection.reset()


async def reset_in_the_middle(connection: Connection) -> None:
    await connection.receive()
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    connection.reset()


LOST: dict[str, tuple[Handler, bool]] = {
    "closed": (answering(b""), False),
    "reset": (reset_at_once, False),
    "reset in the middle": (reset_in_the_middle, True),
    "truncated": (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), True),
    "truncated chunks": (answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"), True),
}


@pytest.mark.parametrize("way", LOST)
async def test_a_connection_lost_after_sending_may_have_delivered(transport: Transport, way: str) -> None:
    handler, replied = LOST[way]
    async with serving(handler) as server:
        error = await fault(transport, server.url)
    assert isinstance(error, Interrupted)
    assert (error.sent, error.replied) == (True, replied)
    assert f"127.0.0.1:{server.port} closed the connection" in str(error)
    assert len(server.connections) == 1


async def closing_the_first_when_used_again(connection: Connection) -> None:
    await connection.receive()
    await connection.send(reply())
    await connection.receive()
    if connection.number > 1:
        await connection.send(reply())


async def test_a_stale_connection_goes_unnoticed_by_a_call_that_may_be_repeated(transport: Transport) -> None:
    async with serving(closing_the_first_when_used_again) as server:
        assert [await get(transport, server.url) for _ in range(3)] == [b"{}"] * 3
    assert len(server.connections) == 2


async def test_a_stale_connection_surfaces_in_a_call_that_may_not_be_repeated(transport: Transport) -> None:
    async with serving(closing_the_first_when_used_again) as server:
        await get(transport, server.url)
        assert isinstance(await fault(transport, server.url), Interrupted)
    assert len(server.connections) == 1


async def test_a_call_whose_reply_had_begun_is_not_repeated(transport: Transport) -> None:
    async with serving(reset_in_the_middle) as server:
        assert isinstance(await fault(transport, server.url, "GET"), Interrupted)
    assert len(server.connections) == 1


async def test_a_repeatable_call_is_sent_twice_at_most(transport: Transport) -> None:
    async with serving(answering(b"")) as server:
        assert isinstance(await fault(transport, server.url, "GET"), Interrupted)
    assert len(server.connections) == 2


async def test_connections_closed_by_the_server_are_replaced(transport: Transport) -> None:
    async with serving(answering(reply())) as server:
        for _ in range(3):
            answer = await transport.request("GET", server.url, headers={}, timeout=10)
            assert answer.status == 200
    assert len(server.connections) == 3


@pytest.mark.parametrize("data", [b"SSH-2.0-Invented_1\r\n\r\n", reply(b"no gzip", Content_Encoding="gzip")])
async def test_an_answer_that_is_not_http_is_a_bad_reply(transport: Transport, data: bytes) -> None:
    async with serving(answering(data)) as server:
        error = await fault(transport, server.url)
    assert isinstance(error, BadReply)
    assert "not HTTP, or damaged" in str(error)


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"])
async def test_a_slow_reply_times_out_and_may_have_been_sent(transport: Transport, begun: bytes) -> None:
    async def handler(connection: Connection) -> None:
        await connection.receive()
        await connection.send(begun)
        await connection.gone()

    async with serving(handler) as server:
        error = await fault(transport, server.url, seconds=0.3)
    assert isinstance(error, TimedOut)
    assert error.sent
    assert "no full reply within 0.3 s" in str(error)


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full: the next one hangs."""
    with socket.socket() as listener, socket.socket() as one, socket.socket() as two:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (one, two):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_a_connection_that_hangs_times_out_unsent(make_transport: MakeTransport, full_port: int) -> None:
    transport = make_transport(connect_timeout=0.3)
    error = await fault(transport, f"http://127.0.0.1:{full_port}/x")
    assert isinstance(error, TimedOut)
    assert not error.sent
    assert "no connection within 0.3 s" in str(error)


async def test_a_silent_tls_server_times_out_unsent(make_transport: MakeTransport) -> None:
    transport = make_transport(connect_timeout=0.3)
    async with serving(silent) as server:
        error = await fault(transport, f"https://127.0.0.1:{server.port}/x")
    assert isinstance(error, TimedOut)
    assert not error.sent


async def test_cancelling_raises_at_once_and_releases_the_connection(transport: Transport) -> None:
    """Over reqwest it is released when the call's own time is over, over httpx at once."""
    arrived, released = anyio.Event(), anyio.Event()

    async def handler(connection: Connection) -> None:
        await connection.receive()
        arrived.set()
        await connection.gone()
        released.set()

    limit = 60 if isinstance(transport, HttpxTransport) else 2
    async with serving(handler) as server:
        with anyio.fail_after(1.9):
            async with anyio.create_task_group() as calls:
                calls.start_soon(get, transport, server.url, limit)
                await arrived.wait()
                calls.cancel_scope.cancel()
        with anyio.fail_after(40):
            await released.wait()


async def test_a_scope_that_times_out_around_a_call_catches_its_cancellation(transport: Transport) -> None:
    async def handler(connection: Connection) -> None:
        await connection.receive()
        await connection.gone()

    async with serving(handler) as server:
        with anyio.move_on_after(0.1) as scope:
            await get(transport, server.url, 2)
    assert scope.cancelled_caught


async def test_a_closed_transport_refuses_calls(make_transport: MakeTransport) -> None:
    transport = make_transport()
    await transport.aclose()
    error = await fault(transport, "http://127.0.0.1:9/x")
    assert isinstance(error, ConnectFailed)
    assert "transport is closed" in str(error)


async def test_closing_the_transport_interrupts_a_call_that_may_have_been_sent(transport: Transport) -> None:
    caught: list[TransportError] = []
    arrived = anyio.Event()

    async def handler(connection: Connection) -> None:
        await connection.receive()
        arrived.set()
        await connection.gone()

    async def call(method: str) -> None:
        caught.append(await fault(transport, server.url, method))

    async with serving(handler) as server, anyio.create_task_group() as calls:
        calls.start_soon(call, "POST")
        await arrived.wait()
        await transport.aclose()
    assert [error.sent for error in caught] == [True]


async def test_a_repeated_call_that_then_finds_no_server_may_have_been_sent(transport: Transport) -> None:
    async def handler(connection: Connection) -> None:
        await connection.receive()
        server.stop()

    async with serving(handler) as server:
        error = await fault(transport, server.url, "GET")
    assert isinstance(error, ConnectFailed)
    assert error.sent
