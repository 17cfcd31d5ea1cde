"""The log service: streams, their limits, final logs and upload links."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import jwt
import pytest

from delegate_harness.manager import EmbeddedManager

from .delegate import NO_TLS, Clock

KEY = "pipeline:p 1/stage:s&1"
LINE = {"level": "info", "pos": 0, "out": "hello\n", "time": "2026-01-02T03:04:05Z", "args": {"a": "b"}}


@pytest.fixture
async def log_token(http: httpx.AsyncClient) -> str:
    reply = await http.get("/api/agent/delegates/logging-token")
    token: str = reply.json()["resource"]
    return token


@pytest.fixture
async def service(manager: EmbeddedManager, log_token: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=manager.log_service_url,
        headers={"X-Harness-Token": log_token},
        params={"accountID": "embedded", "key": KEY},
        trust_env=False,
        verify=NO_TLS,
        timeout=40,
    ) as service:
        yield service


def lines(*texts: str) -> list[dict[str, Any]]:
    return [{**LINE, "pos": number, "out": text} for number, text in enumerate(texts)]


async def test_a_stream_is_opened_written_and_closed(manager: EmbeddedManager, service: httpx.AsyncClient) -> None:
    assert (await service.post("/stream")).status_code == 204
    assert (await service.put("/stream", json=[LINE, {"out": "bare", "args": None}])).status_code == 204
    assert [line.out for line in manager.logs.lines("embedded", KEY)] == ["hello\n", "bare"]
    assert (await service.delete("/stream")).status_code == 204
    assert manager.logs.open_keys("embedded") == []


async def test_a_write_to_an_unknown_stream_is_a_bad_request(service: httpx.AsyncClient) -> None:
    reply = await service.put("/stream", json=[LINE])
    assert (reply.status_code, reply.json()) == (400, {"error_msg": "stream: not found"})


async def test_a_close_of_an_unknown_stream_is_a_server_error(service: httpx.AsyncClient) -> None:
    assert (await service.delete("/stream")).status_code == 500


async def test_lines_that_are_no_lines_are_refused(service: httpx.AsyncClient) -> None:
    await service.post("/stream")
    for body in (b"{}", b"[5]", b"", b'[{"pos": "x"}]'):
        assert (await service.put("/stream", content=body)).status_code == 400


async def test_opening_again_wipes(manager: EmbeddedManager, service: httpx.AsyncClient) -> None:
    await service.post("/stream")
    await service.put("/stream", json=[LINE])
    await service.post("/stream")
    assert manager.logs.lines("embedded", KEY) == []


@pytest.mark.parametrize(("told", "status"), [("60", 204), ("86400", 204), ("86401", 400), ("0", 400), ("x", 400)])
async def test_the_life_time_of_a_stream_is_a_day_at_most(service: httpx.AsyncClient, told: str, status: int) -> None:
    assert (await service.post("/stream", params={"timeout_seconds": told})).status_code == status


async def test_a_stream_ends_with_its_life_time(service: httpx.AsyncClient, clock: Clock) -> None:
    await service.post("/stream", params={"timeout_seconds": "60"})
    clock.advance(60)
    assert (await service.put("/stream", json=[LINE])).status_code == 400


async def test_the_ring_keeps_five_thousand_lines_and_a_snapshot_loses_the_rest(
    manager: EmbeddedManager, service: httpx.AsyncClient
) -> None:
    await service.post("/stream")
    await service.put("/stream", json=lines(*(f"line {number}" for number in range(5_003))))
    await service.delete("/stream", params={"snapshot": "true"})
    stored = (await service.get("/blob")).text.splitlines()
    assert (len(stored), json.loads(stored[0])["out"]) == (5_000, "line 3")


async def test_a_long_line_is_cut(manager: EmbeddedManager, service: httpx.AsyncClient) -> None:
    await service.post("/stream")
    await service.put("/stream", json=lines("x" * 25_600, "x" * 25_601, "é" * 20_000))
    fits, cut, wide = (line.out for line in manager.logs.lines("embedded", KEY))
    assert fits == "x" * 25_600
    assert cut == "x" * 25_600 + "... (log line truncated)"
    assert wide == "é" * 12_800 + "... (log line truncated)"


async def test_streams_can_be_closed_by_prefix_or_by_a_list(
    manager: EmbeddedManager, service: httpx.AsyncClient
) -> None:
    for key in ("a/1", "a/2", "b", "c"):
        await service.post("/stream", params={"key": key})
    await service.delete("/stream", params={"key": "a/", "prefix": "true"})
    assert manager.logs.open_keys("embedded") == ["b", "c"]
    await service.delete("/stream", params={"keyList": "b,c"})
    assert manager.logs.open_keys("embedded") == []


async def test_a_reader_gets_what_there_is_what_comes_and_the_end(service: httpx.AsyncClient) -> None:
    await service.post("/stream")
    await service.put("/stream", json=lines("early"))
    heard: list[str] = []
    async with service.stream("GET", "/stream") as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        async for text in reply.aiter_lines():
            heard.append(text)
            if "early" in text:
                await service.put("/stream", json=lines("late"))
            if "late" in text:
                await service.delete("/stream")
    outs = [json.loads(text[6:])["out"] for text in heard if text.startswith("data: {")]
    assert (heard[0], outs) == (": ping", ["early", "late"])
    assert [text for text in heard if text][-2:] == ["event: error", "data: eof"]


async def test_who_reads_a_stream_that_is_opened_anew_gets_the_end(service: httpx.AsyncClient) -> None:
    await service.post("/stream")
    async with service.stream("GET", "/stream") as reply:
        await service.post("/stream")
        assert (await reply.aread()).endswith(b"event: error\ndata: eof\n\n")


async def test_a_stream_nobody_opened_cannot_be_read(service: httpx.AsyncClient) -> None:
    assert (await service.get("/stream")).status_code == 404


async def test_a_final_log_is_stored_and_stored_again(service: httpx.AsyncClient) -> None:
    assert (await service.get("/blob")).status_code == 404
    for content in (b"one\n", b"two\n\xff"):
        assert (await service.post("/blob", content=content)).status_code == 204
        assert (await service.get("/blob")).content == content


async def test_an_upload_link_needs_no_token(service: httpx.AsyncClient, clock: Clock) -> None:
    told = (await service.post("/blob/link/upload")).json()
    assert told["expires"] == 3_600 * 10**9
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as stranger:
        assert (await stranger.put(told["link"], content=b"final")).status_code == 200
        clock.advance(3_601)
        assert (await stranger.put(told["link"], content=b"late")).status_code == 403
    assert (await service.get("/blob")).content == b"final"


async def test_a_log_token_is_no_upload_link_nor_the_other_way_round(
    service: httpx.AsyncClient, log_token: str
) -> None:
    reply = await service.put("/blob/link/upload", params={"link": log_token})
    assert reply.status_code == 403
    link = httpx.URL((await service.post("/blob/link/upload")).json()["link"]).params["link"]
    assert (await service.post("/stream", headers={"X-Harness-Token": link})).status_code == 403


async def test_a_token_in_the_query_will_do(service: httpx.AsyncClient, log_token: str) -> None:
    del service.headers["X-Harness-Token"]
    assert (await service.post("/stream", params={"X-Harness-Token": log_token})).status_code == 204


async def test_a_missing_token_is_a_bad_request(service: httpx.AsyncClient) -> None:
    del service.headers["X-Harness-Token"]
    reply = await service.post("/stream")
    assert reply.status_code == 400
    assert reply.json().keys() == {"error_msg"}


async def test_another_account_is_forbidden(manager: EmbeddedManager, service: httpx.AsyncClient) -> None:
    manager.state.accounts.add("neighbour")
    assert (await service.post("/stream", params={"accountID": "neighbour"})).status_code == 403


async def test_no_token_but_the_managers_own_for_this_account_opens_a_log(
    service: httpx.AsyncClient, log_token: str
) -> None:
    claims = jwt.decode(log_token, options={"verify_signature": False})
    head, payload, signature = log_token.split(".")
    later = payload.replace(payload[-6:], payload[-6:].swapcase())
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    key = b"k" * 32
    forged = {
        "without a signature": f"{none}.{payload}.",
        "none, with the signature of another": f"{none}.{payload}.{signature}",
        "its signature cut off": f"{head}.{payload}.",
        "other claims": f"{head}.{later}.{signature}",
        "another key": jwt.encode(claims, key, algorithm="HS256"),
        "another key, longer": jwt.encode(claims, key * 2, algorithm="HS512"),
        "no expiry": jwt.encode({"accountID": "embedded"}, key, algorithm="HS256"),
        "nothing": "",
        "not even a token": "a.b.c",
        "nested": ".".join([head] * 50),
    }
    for name, token in forged.items():
        for call in (service.post, service.delete):
            reply = await call("/stream", headers={"X-Harness-Token": token})
            assert 400 <= reply.status_code < 500, (name, reply.status_code)
            assert not token or token not in reply.text, name
    assert (await service.post("/stream")).status_code < 300, "the manager's own"


async def test_a_forged_or_old_token_is_forbidden(service: httpx.AsyncClient, clock: Clock) -> None:
    assert (await service.post("/stream", headers={"X-Harness-Token": "a.b.c"})).status_code == 403
    clock.advance(48 * 3600 + 1)
    assert (await service.post("/stream")).status_code == 403


@pytest.mark.parametrize("missing", ["accountID", "key"])
async def test_account_and_key_are_asked_for(manager: EmbeddedManager, log_token: str, missing: str) -> None:
    params = {"accountID": "embedded", "key": KEY}
    del params[missing]
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS, headers={"X-Harness-Token": log_token}) as http:
        reply = await http.post(f"{manager.log_service_url}/stream", params=params)
    assert reply.status_code == 400
    assert missing in reply.json()["error_msg"]


async def test_a_test_can_wait_for_a_line(manager: EmbeddedManager, service: httpx.AsyncClient) -> None:
    await service.post("/stream")
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: service.put("/stream", json=[LINE]))
        await manager.wait_for(lambda _: bool(manager.logs.lines("embedded", KEY)))
