"""What becomes of a step: its updates, its live and its stored log, its card."""

import json

import anyio
import httpx
import pytest

from delegate_drone.server import EmbeddedDrone, Rules
from delegate_drone.server.livelog import LINES

from .runner import LOCK, START, BareRunner

pytestmark = pytest.mark.anyio

WRAPPED = f"1 error occurred:\n\t* {LOCK}\n\n"
MISSING = "stream: not found"
STORED = "/api/repos/local/sandbox/builds/1/logs/1/1"
LIVE = "/api/stream/local/sandbox/1/1/1"
CARD = "/api/repos/local/sandbox/cards/1/1/1"


@pytest.fixture
async def step(runner: BareRunner, stage_id: int) -> dict[str, object]:
    """A running step."""
    found: dict[str, object] = (await runner.ran(stage_id))["steps"][0]
    return found


async def test_an_update_goes_by_the_id_in_the_body_and_echoes_it(
    http: httpx.AsyncClient, runner: BareRunner, stage_id: int
) -> None:
    await runner.started(stage_id)
    body = {"id": 1, "step_id": 1, "number": 1, "name": "clone", "status": "running", "started": 5, "version": 1}
    reply = await http.put("/rpc/v2/step/424242", json=body)
    expected = '"number":1,"name":"clone","status":"running","exit_code":0,"started":5,"version":2}\n'
    assert reply.text == '{"id":1,"step_id":1,' + expected


async def test_neither_the_stage_nor_the_number_of_a_step_can_be_changed(
    runner: BareRunner, drone: EmbeddedDrone, step: dict[str, object]
) -> None:
    await runner.put_step(step, step_id=9, number=9, name="new", schema="https://example.com/card.json")
    found = drone.stage(1).steps[0]
    assert (found.number, found.name, found.card_schema) == (1, "new", "https://example.com/card.json")


async def test_a_stale_start_is_409_as_is_an_unknown_step(runner: BareRunner, step: dict[str, object]) -> None:
    for changes in ({"version": 1}, {"id": 99}):
        reply = await runner.put_step({**step, **changes})
        assert (reply.status_code, reply.text) == (409, LOCK)


async def test_a_stale_end_is_500_with_the_lock_text_wrapped(runner: BareRunner, step: dict[str, object]) -> None:
    assert (await runner.put_step(step, status="success")).status_code == 200
    reply = await runner.put_step(step, status="success")
    assert (reply.status_code, reply.text) == (500, WRAPPED)


async def test_steps_sent_as_running_have_no_live_log_yet(runner: BareRunner, stage_id: int) -> None:
    stage = await runner.accepted(stage_id)
    steps = [{"step_id": 1, "number": 1, "name": "a", "status": "running"}]
    await runner.put_stage(stage, status="running", started=START, steps=steps)
    assert (await runner.batch(1, "hello\n")).text == MISSING


# ---------------------------------------------------------------------- the live log


async def test_a_batch_without_a_live_log_is_500(runner: BareRunner, step: dict[str, object]) -> None:
    assert (await runner.batch(1, "hello\n")).content == b""
    await runner.put_step(step, status="success")
    for step_id in (1, 77):
        reply = await runner.batch(step_id, "late\n")
        assert (reply.status_code, reply.text) == (500, MISSING)


@pytest.mark.parametrize(("body", "status"), [(b"[]", 200), (b"null", 200), (b"[{", 500), (b"", 500), (b"{}", 500)])
async def test_a_batch_of_nothing_needs_no_live_log(http: httpx.AsyncClient, body: bytes, status: int) -> None:
    reply = await http.post("/rpc/v2/step/77/logs/batch", content=body)
    assert reply.status_code == status


async def test_a_batch_sent_twice_shows_twice(runner: BareRunner, drone: EmbeddedDrone, step: object) -> None:
    await runner.batch(1, "a\n")
    await runner.batch(1, "a\n")
    live = drone.parts.live.find(1)
    assert live is not None
    assert [line.out for line in live.history] == ["a\n", "a\n"]


async def test_running_again_begins_the_live_log_anew(
    runner: BareRunner, drone: EmbeddedDrone, step: dict[str, object]
) -> None:
    await runner.batch(1, "a\n")
    assert (await runner.put_step(step)).status_code == 200
    live = drone.parts.live.find(1)
    assert live is not None
    assert not live.history


async def test_a_live_log_keeps_the_newest_lines(runner: BareRunner, drone: EmbeddedDrone, step: object) -> None:
    await runner.batch(1, *(f"{number}\n" for number in range(LINES + 3)))
    live = drone.parts.live.find(1)
    assert live is not None
    assert (len(live.history), live.history[0].number) == (LINES, 3)


async def test_a_slow_viewer_loses_the_newest_lines(runner: BareRunner, drone: EmbeddedDrone, step: object) -> None:
    live = drone.parts.live.find(1)
    assert live is not None
    viewer = live.view()
    await runner.batch(1, *(f"{number}\n" for number in range(LINES + 3)))
    drone.parts.live.delete(1)
    numbers = [line.number async for line in viewer]
    assert numbers == list(range(LINES))


async def test_a_viewer_gets_the_history_then_what_comes_then_the_end(
    http: httpx.AsyncClient, runner: BareRunner, drone: EmbeddedDrone, step: dict[str, object]
) -> None:
    await runner.batch(1, "hello\n")
    async with http.stream("GET", LIVE) as reply, anyio.create_task_group() as group:
        chunks = reply.aiter_text()
        shown = ""
        while "hello" not in shown:
            shown += await anext(chunks)
        group.start_soon(runner.batch, 1, "<world>\n")
        while "world" not in shown:
            shown += await anext(chunks)
        group.start_soon(lambda: runner.put_step(step, status="success"))
        shown += "".join([chunk async for chunk in chunks])
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.headers["cache-control"] == "no-cache"
    assert shown == (
        ': ping\n\ndata: {"pos":0,"out":"hello\\n","time":0}\n\n\n'
        'data: {"pos":0,"out":"\\u003cworld\\u003e\\n","time":0}\n\n\nevent: error\ndata: eof\n\n'
    )


async def test_a_live_log_that_is_not_there_ends_at_once(
    http: httpx.AsyncClient, runner: BareRunner, stage_id: int
) -> None:
    await runner.started(stage_id)
    assert (await http.get(LIVE)).text == ": ping\n\nevent: error\ndata: eof\n\n"


# ---------------------------------------------------------------------- the stored log


async def test_an_upload_is_kept_byte_for_byte(http: httpx.AsyncClient, step: object) -> None:
    assert (await http.get(STORED)).status_code == 404
    body = b"\xff no JSON \x00"
    reply = await http.post("/rpc/v2/step/1/logs/upload", content=body)
    assert (reply.status_code, reply.content) == (200, b"")
    stored = await http.get(STORED)
    assert (stored.content, stored.headers["content-type"]) == (body, "application/json")


async def test_a_second_upload_is_500_and_changes_nothing(
    http: httpx.AsyncClient, runner: BareRunner, step: object
) -> None:
    await runner.upload(1, "first\n")
    reply = await runner.upload(1, "second\n")
    assert (reply.status_code, reply.text) == (500, "UNIQUE constraint failed: logs.log_id")
    assert "first" in (await http.get(STORED)).text


async def test_an_upload_for_an_unknown_step_is_taken(runner: BareRunner) -> None:
    assert (await runner.upload(12345, "a\n")).status_code == 200


async def test_a_stored_log_can_be_deleted(http: httpx.AsyncClient, runner: BareRunner, step: object) -> None:
    await runner.upload(1, "first\n")
    assert (await http.delete(STORED)).status_code == 204
    assert (await http.get(STORED)).status_code == 404


# ---------------------------------------------------------------------- cards


async def test_of_a_card_the_data_is_kept(http: httpx.AsyncClient, step: object) -> None:
    assert (await http.get(CARD)).status_code == 404
    for data in ({"a": "ü"}, {"b": 2}):
        reply = await http.post("/rpc/v2/step/1/card", json={"schema": "https://example.com", "data": data})
        assert (reply.status_code, reply.content) == (200, b"")
    assert (await http.get(CARD)).json() == {"a": "ü"}


async def test_a_card_that_is_no_json_is_400_with_a_message(http: httpx.AsyncClient) -> None:
    reply = await http.post("/rpc/v2/step/1/card", content=b'{"data": ')
    assert (reply.status_code, reply.json()) == (400, {"message": "unexpected EOF"})


async def test_a_lost_surrogate_neither_breaks_the_log_nor_the_row(
    http: httpx.AsyncClient, runner: BareRunner, drone: EmbeddedDrone, step: dict[str, object]
) -> None:
    body = json.dumps({**step, "error": "half \ud83d"}).encode()
    assert (await http.put("/rpc/v2/step/1", content=body)).status_code == 200
    assert drone.stage(1).steps[0].error.startswith("half \ufffd")


@pytest.mark.parametrize("rules", [Rules(ping_every=0.01)])
async def test_a_viewer_of_a_silent_log_is_kept_awake(http: httpx.AsyncClient, step: object) -> None:
    async with http.stream("GET", LIVE) as reply:
        shown = ""
        async for chunk in reply.aiter_text():
            shown += chunk
            if shown == ": ping\n\n" * 3:
                return
    pytest.fail(shown)
