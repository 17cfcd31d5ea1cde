"""The trace of HTTP calls shows what went over the wire, and no secret."""

from __future__ import annotations

import logging

import pytest

from delegate_core.http import TlsOptions, open_transport
from delegate_drone.client import DroneClient
from delegate_drone.dump import HttpDump
from delegate_drone.faults import DroneFault
from delegate_drone.wire import Filter
from tests.drone.rpc.conftest import TOKEN, Bench
from tests.drone.rpc.flaky import Mishap

pytestmark = pytest.mark.anyio


async def traced(bench: Bench, *, bodies: bool) -> str:
    lines: list[str] = []
    transport = open_transport(TlsOptions(), kind="httpx", trust_env=False)
    dump = HttpDump(TOKEN, bodies=bodies, write=lines.append)
    client = DroneClient(bench.server.address, TOKEN, calls=transport, polls=transport, dump=dump)
    await client.request(Filter(type="exec"))
    await client.details(1)
    bench.server.lose("POST /ping", Mishap.REQUEST_LOST)
    with pytest.raises(DroneFault):
        await client.ping()
    await client.aclose()
    return "\n".join(lines)


async def test_heads_are_shown_with_the_token_hidden(bench: Bench) -> None:
    text = await traced(bench, bodies=False)
    assert f"> POST {bench.server.address}/rpc/v2/stage\n> X-Drone-Token: ******" in text
    assert "< 200 to GET" in text
    assert "! POST" in text
    assert TOKEN not in text
    assert "pipeline" not in text


async def test_bodies_are_shown_without_the_secrets_of_the_details(bench: Bench) -> None:
    text = await traced(bench, bodies=True)
    assert '"type": "exec"' in text
    assert '"secrets": "******"' in text
    assert '"netrc": "******"' in text
    for secret in ("netrc-password", "repository-key", "secret-data", TOKEN):
        assert secret not in text


async def test_a_body_that_is_no_json_is_not_shown(bench: Bench) -> None:
    bench.server.handler = lambda _heard: (200, '{"secrets":[{"data":"half-a-sec')
    lines: list[str] = []
    transport = open_transport(TlsOptions(), kind="httpx", trust_env=False)
    dump = HttpDump(TOKEN, bodies=True, write=lines.append)
    client = DroneClient(bench.server.address, TOKEN, calls=transport, polls=transport, dump=dump)
    with pytest.raises(DroneFault):
        await client.details(1)
    await client.aclose()
    assert "bytes that are no JSON" in lines[-1]
    assert "half-a-sec" not in "".join(lines)


async def test_an_errors_text_is_shown_without_accounts(bench: Bench) -> None:
    bench.server.handler = lambda _heard: (500, f"clone https://octo:hunter2@git.example failed, {TOKEN}")
    lines: list[str] = []
    transport = open_transport(TlsOptions(), kind="httpx", trust_env=False)
    dump = HttpDump(TOKEN, bodies=True, write=lines.append)
    client = DroneClient(bench.server.address, TOKEN, calls=transport, polls=transport, dump=dump)
    with pytest.raises(DroneFault):
        await client.ping()
    await client.aclose()
    assert "https://******@git.example failed, ******" in lines[-1]


async def test_the_trace_goes_to_a_logger_unless_told_otherwise(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "delegate_drone.http"):
        HttpDump(TOKEN).fault("POST", "http://drone.example/rpc/v2/ping", f"refused {TOKEN}")
    assert caplog.messages == ["! POST http://drone.example/rpc/v2/ping: refused ******"]
