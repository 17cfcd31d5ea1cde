"""The faults that can be ordered."""

from pathlib import Path

import anyio
import httpx
import pytest

from delegate_drone.server import EmbeddedDrone, Fault, FaultKind, Keys, Order, Rules, parse_faults

from .runner import LOCK, ONE, BareRunner, during, http_client

pytestmark = pytest.mark.anyio

PATIENT = pytest.mark.parametrize("rules", [Rules(long_poll=10)])


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("lose-reply", [Fault("accept", FaultKind.LOSE_REPLY)]),
        ("status:502x3", [Fault("accept", FaultKind.STATUS, 3, status=502)]),
        ("delay:0.5x*", [Fault("accept", FaultKind.DELAY, None, seconds=0.5)]),
        ("stale+2, restart", [Fault("accept", FaultKind.STALE, 1, 2), Fault("accept", FaultKind.RESTART)]),
    ],
)
def test_faults_can_be_written_as_text(text: str, faults: list[Fault]) -> None:
    assert parse_faults("accept", text) == faults


@pytest.mark.parametrize(
    ("call", "text", "said"),
    [
        ("acept", "lose-reply", "acept is no call"),
        ("accept", "loose-reply", "is no fault"),
        ("accept", "", "is no fault"),
        ("accept", "status:7", "7 is no status"),
        ("accept", "status:1.5", "1.5 is no status"),
    ],
)
def test_a_fault_that_is_none_is_explained(call: str, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_faults(call, text)


async def test_a_reply_is_lost_after_the_call_has_taken_effect(
    runner: BareRunner, drone: EmbeddedDrone, stage_id: int
) -> None:
    drone.parts.faults.add(Fault("accept", FaultKind.LOSE_REPLY))
    with pytest.raises(httpx.RemoteProtocolError):
        await runner.accept(stage_id)
    assert drone.stage(stage_id).machine == "m1"
    assert (await runner.accept(stage_id)).status_code == 409


async def test_a_request_is_lost_before_it_has_any_effect(
    runner: BareRunner, drone: EmbeddedDrone, stage_id: int
) -> None:
    drone.parts.faults.add(Fault("*", FaultKind.LOSE_REQUEST, 2))
    for _ in range(2):
        with pytest.raises(httpx.HTTPError):
            await runner.accept(stage_id)
    assert (await runner.accept(stage_id)).status_code == 200
    assert drone.parts.calls["accept"] == 3


async def test_a_burst_of_a_proxys_pages(runner: BareRunner, drone: EmbeddedDrone, stage_id: int) -> None:
    drone.parts.faults.add(*parse_faults("accept", "status:502, status:503x2, status:504"))
    replies = [await runner.accept(stage_id) for _ in range(5)]
    assert [reply.status_code for reply in replies] == [502, 503, 503, 504, 200]
    assert replies[0].headers["content-type"].startswith("text/html")
    assert "<html>" in replies[0].text


async def test_starts_and_ends_are_calls_of_their_own(runner: BareRunner, drone: EmbeddedDrone, stage_id: int) -> None:
    drone.parts.faults.add(*(Fault(call, FaultKind.STATUS) for call in ("stage-end", "step-end")))
    stage = await runner.ran(stage_id)
    assert (await runner.put_step(stage["steps"][0], status="success")).status_code == 503
    assert (await runner.put_stage(stage, status="success")).status_code == 503
    assert [call for call, _ in drone.parts.faults.fired] == ["step-end", "stage-end"]


@PATIENT
@pytest.mark.parametrize("call", ["request", "watch"])
async def test_a_long_poll_is_cut_in_the_middle(runner: BareRunner, drone: EmbeddedDrone, call: str) -> None:
    drone.parts.faults.add(Fault(call, FaultKind.RESET, seconds=0.02))
    with pytest.raises(httpx.RemoteProtocolError):
        await (runner.request() if call == "request" else runner.watch(1))
    assert not drone.parts.queue.waiting
    assert not drone.parts.canceller.watched


async def test_details_may_be_slow(runner: BareRunner, drone: EmbeddedDrone, stage_id: int) -> None:
    drone.parts.faults.add(Fault("details", FaultKind.DELAY, seconds=30))
    with pytest.raises(httpx.ReadTimeout):
        await runner.http.get(f"/rpc/v2/stage/{stage_id}", timeout=0.1)


@PATIENT
async def test_a_restart_forgets_what_is_in_memory_and_nothing_else(
    runner: BareRunner, drone: EmbeddedDrone, stage_id: int
) -> None:
    stage = await runner.ran(stage_id)
    async with during(runner.watch(1), drone, lambda parts: parts.canceller.watched) as reply:
        drone.restart()
    with pytest.raises(httpx.RemoteProtocolError):
        reply.get()
    assert (await runner.batch(1, "a\n")).text == "stream: not found"
    assert (await runner.put_step(stage["steps"][0])).status_code == 200
    assert (await runner.batch(1, "a\n")).status_code == 200


@PATIENT
async def test_a_restart_breaks_the_waiting_requests(runner: BareRunner, drone: EmbeddedDrone, stage_id: int) -> None:
    drone.parts.faults.add(Fault("details", FaultKind.RESTART))
    async with during(runner.request(type="other"), drone, lambda parts: parts.queue.waiting) as reply:
        assert (await runner.details(stage_id)).status_code == 200
    with pytest.raises(httpx.RemoteProtocolError):
        reply.get()


async def test_a_stage_may_be_offered_after_another_runner_has_it(
    runner: BareRunner, drone: EmbeddedDrone, stage_id: int
) -> None:
    drone.parts.faults.add(Fault("request", FaultKind.DUPLICATE))
    await runner.accepted(stage_id)
    offered = (await runner.request()).json()
    assert (offered["id"], offered["version"], offered.get("machine")) == (stage_id, 1, None)
    assert (await runner.accept(stage_id, "m2")).status_code == 409


@pytest.mark.parametrize("call", ["accept", "stage-start", "step-start"])
async def test_another_writer_may_come_before(
    runner: BareRunner, drone: EmbeddedDrone, stage_id: int, call: str
) -> None:
    drone.parts.faults.add(Fault(call, FaultKind.STALE))
    replies = [await runner.accept(stage_id)]
    if call == "accept":
        assert replies[0].json()["version"] == 3
        return
    steps = [{"step_id": 1, "number": 1, "name": "a", "status": "pending"}]
    replies.append(await runner.put_stage(replies[-1].json(), status="running", steps=steps))
    if call == "step-start":
        replies.append(await runner.put_step(replies[-1].json()["steps"][0], status="running"))
    assert (replies[-1].status_code, replies[-1].text) == (409, LOCK)


async def test_nothing_may_come_in_chunks(drone: EmbeddedDrone) -> None:
    """Read from the socket: an HTTP library hides it."""
    drone.parts.faults.add(Fault("request", FaultKind.CHUNKED))
    port = int(drone.url.rsplit(":", 1)[1])
    head = f"POST /rpc/v2/stage HTTP/1.1\r\nHost: x\r\nX-Drone-Token: {drone.keys.rpc}\r\nContent-Length: 2\r\n\r\n{{}}"
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(head.encode())
        found = b""
        while not found.endswith(b"0\r\n\r\n"):
            found += await stream.receive()
    assert found.startswith(b"HTTP/1.1 204 No Content\r\n")
    assert b"Transfer-Encoding: chunked" in found


async def test_a_reply_may_keep_silent_of_its_type(runner: BareRunner, drone: EmbeddedDrone, stage_id: int) -> None:
    drone.parts.faults.add(Fault("accept", FaultKind.NO_CONTENT_TYPE))
    reply = await runner.accept(stage_id)
    assert "content-type" not in reply.headers
    assert reply.json()["id"] == stage_id


async def test_details_without_a_file_end_the_stage(runner: BareRunner, drone: EmbeddedDrone, stage_id: int) -> None:
    drone.parts.faults.add(Fault("details", FaultKind.NO_CONFIG))
    stage = await runner.accepted(stage_id)
    reply = await runner.details(stage_id)
    assert (reply.status_code, reply.text) == (500, "the file could not be fetched")
    found = drone.stage(stage_id)
    assert (found.status, found.error, found.version) == ("error", reply.text, stage["version"] + 2)
    assert (drone.build(1).status, bool(drone.build(1).finished)) == ("error", True)


async def test_details_may_fail_and_leave_the_stage(runner: BareRunner, drone: EmbeddedDrone, stage_id: int) -> None:
    drone.parts.faults.add(Fault("details", FaultKind.DETAILS_FAIL))
    await runner.accepted(stage_id)
    assert (await runner.details(stage_id)).status_code == 500
    assert drone.stage(stage_id).status == "pending"
    assert (await runner.details(stage_id)).status_code == 200


def readable_by_others(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.stat().st_mode & 0o077]


async def test_all_that_was_written_survives_the_server(tmp_path: Path) -> None:
    keys = Keys()
    async with EmbeddedDrone(tmp_path, keys=keys) as drone, http_client(drone) as http:
        drone.create(Order(text=ONE, secrets={"key": "value"}))
        stage = await BareRunner(http).ran(1)
        await BareRunner(http).upload(1, "a\n")
    assert not readable_by_others(tmp_path), "it holds secrets"
    async with EmbeddedDrone(tmp_path, keys=keys) as drone, http_client(drone) as http:
        runner = BareRunner(http)
        assert drone.stage(1).machine == "m1"
        assert (await runner.details(1)).json()["secrets"][0]["data"] == "value"
        assert (await runner.batch(1, "a\n")).text == "stream: not found"
        assert (await runner.upload(1, "a\n")).status_code == 500
        reply = await runner.put_stage(stage, status="success", steps=[])
        assert reply.status_code == 200
        assert drone.build(1).status == "success"
        assert drone.create(Order(text=ONE)).number == 2
