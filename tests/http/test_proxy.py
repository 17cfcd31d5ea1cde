"""The proxies that the environment names."""

import asyncio
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
import trustme

from delegate_core.http import ConnectFailed, TlsOptions
from tests.http.conftest import MakeTransport
from tests.http.server import Connection, Handler, always, answering, reply, serving
from tests.http.test_tls import server_context

pytestmark = pytest.mark.anyio


def tunnel(asked: list[str]) -> Handler:
    """A proxy for CONNECT: joins two connections until one ends."""

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(4096):
                target.write(data)

    async def handler(connection: Connection) -> None:
        asked.append((await connection.receive()).splitlines()[0])
        host, port = asked[-1].split()[1].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            await connection.send(b"HTTP/1.1 200 Connected\r\n\r\n")
            async with anyio.create_task_group() as ways:
                ways.start_soon(copy, connection.reader, writer)
                await copy(reader, connection.writer)
                ways.cancel_scope.cancel()
        finally:
            writer.close()

    return handler


async def test_a_plain_call_goes_to_the_proxy(make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering(reply(b"[1]"))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        answer = await make_transport().request("GET", "http://manager.invalid/x", headers={}, timeout=10)
    assert answer.json() == [1]


async def test_a_secure_call_goes_through_a_tunnel(
    make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority, asked = trustme.CA(), list[str]()
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    async with serving(tunnel(asked)) as proxy, serving(always(reply()), server_context(authority)) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        transport = make_transport(TlsOptions((tmp_path,)))
        answer = await transport.request("GET", server.url, headers={}, timeout=10)
        await transport.aclose()
    assert answer.status == 200
    assert asked == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"]


async def test_a_proxy_that_refuses_is_named(make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering(reply(b"", "403 Forbidden"))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(ConnectFailed, match="the proxy let nothing through"):
            await make_transport().request("GET", "https://manager.invalid/x", headers={}, timeout=10)


@pytest.mark.parametrize(("excepted", "trusting"), [("127.0.0.1", True), ("", False)])
async def test_exceptions_and_distrust_bypass_the_proxy(
    make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch, excepted: str, *, trusting: bool
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", excepted)
    transport = make_transport(trust_env=trusting)
    async with serving(answering(reply())) as server:
        answer = await transport.request("GET", server.url, headers={}, timeout=10)
    assert answer.status == 200
