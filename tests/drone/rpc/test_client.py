"""What the client sends, and what it makes of answers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from delegate_core.errors import CredentialsError, SettingsError
from delegate_core.http import TlsOptions, TransportKind
from delegate_drone.client import DroneClient, parse_address
from delegate_drone.faults import (
    AlreadyThere,
    DroneFault,
    LockLost,
    NoStream,
    NoSuchRow,
    NotDrone,
    NotSent,
    Redirected,
    SecretMissing,
    ServerFault,
    TokenRefused,
    Unanswered,
)
from delegate_drone.wire import CardInput, Filter, LogLine, Stage, Step
from tests.drone.rpc.conftest import TOKEN, Bench
from tests.drone.rpc.flaky import FlakyServer, Mishap

pytestmark = pytest.mark.anyio

Call = Callable[[DroneClient], Awaitable[Any]]


async def answered(status: int, body: str, call: Call, **headers: str) -> Any:
    """What a call makes of an answer."""
    async with FlakyServer(lambda _heard: (status, body)) as server:
        server.reply_headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        client = DroneClient.open(server.address, TOKEN, TlsOptions(), trust_env=False)
        try:
            return await call(client)
        finally:
            await client.aclose()


async def ping(client: DroneClient) -> None:
    await client.ping()


async def request(client: DroneClient) -> Stage | None:
    return await client.request(Filter())


async def watch(client: DroneClient) -> bool:
    return await client.watch(7)


async def details(client: DroneClient) -> Any:
    return await client.details(1)


async def update(client: DroneClient) -> Stage:
    return await client.update_stage(Stage(id=1, version=2, name="kept", steps=(Step(number=1, name="one"),)))


# ---------------------------------------------------------------------- requests


async def test_every_call_carries_the_token(bench: Bench) -> None:
    await bench.client.ping()
    await bench.client.request(Filter())
    assert {heard.headers["x-drone-token"] for heard in bench.server.heard} == {TOKEN}


async def test_a_poll_sends_all_six_strings_and_no_empty_labels(bench: Bench) -> None:
    await bench.client.request(Filter(type="exec"))
    empty = dict.fromkeys(["os", "arch", "variant", "kernel"], "")
    assert json.loads(bench.server.heard[0].body) == {"kind": "pipeline", "type": "exec", **empty}


async def test_a_poll_sends_its_labels(bench: Bench) -> None:
    await bench.client.request(Filter(labels={"zone": "a"}))
    assert json.loads(bench.server.heard[0].body)["labels"] == {"zone": "a"}


async def test_the_machines_name_is_escaped_as_a_query_is(bench: Bench) -> None:
    await bench.client.accept(1, "runner one&two")
    assert bench.server.heard[0].target == "/rpc/v2/stage/1?machine=runner+one%26two"
    assert bench.server.heard[0].body == b""


async def test_a_row_is_sent_whole_with_what_a_newer_server_added_and_without_nulls(bench: Bench) -> None:
    accepted = await bench.client.accept(1, "m")
    newer = Stage.model_validate({**accepted.wire(), "novel": "kept", "labels": None, "status": "running"})
    await bench.client.update_stage(newer.model_copy(update={"steps": (Step(number=1, stage_id=1),)}))
    sent = json.loads(bench.server.heard[-1].body)
    assert sent["novel"] == "kept"
    assert (sent["os"], sent["arch"], sent["on_success"], sent["steps"][0]["step_id"]) == ("linux", "amd64", True, 1)
    assert b"null" not in bench.server.heard[-1].body


async def test_text_that_is_not_unicode_does_not_break_a_call(bench: Bench) -> None:
    await bench.client.upload(5, [LogLine(out="half \ud800 pair")])
    assert json.loads(bench.database.logs[5])[0]["out"] == "half \ud800 pair"


async def test_a_card_without_data_sends_no_null(bench: Bench) -> None:
    await bench.client.send_card(5, CardInput(card_schema="https://cards.example/a.json"))
    assert json.loads(bench.database.cards[5]) == {"schema": "https://cards.example/a.json"}


# ---------------------------------------------------------------------- replies


@pytest.mark.parametrize(("status", "body"), [(204, ""), (200, ""), (200, "null"), (200, "{}"), (200, '{"id":0}')])
async def test_a_poll_without_a_stage_brings_none(status: int, body: str) -> None:
    assert await answered(status, body, request) is None


async def test_a_poll_brings_the_stage_whatever_type_its_reply_claims_to_be() -> None:
    stage = await answered(200, '{"id":4,"version":1,"depends_on":null}', request, Content_Type="text/plain")
    assert (stage.id, stage.depends_on) == (4, ())


@pytest.mark.parametrize(("status", "cancelled"), [(200, True), (204, False), (202, False)])
async def test_only_a_200_says_that_a_build_was_cancelled(status: int, *, cancelled: bool) -> None:
    assert await answered(status, "", watch) is cancelled


async def test_a_page_in_a_200_cancels_no_build() -> None:
    with pytest.raises(Unanswered, match=r"HTML page, perhaps of a proxy"):
        await answered(200, "<!doctype html><title>Sign in</title>", watch)


async def test_a_200_that_says_anything_cancels_no_build() -> None:
    with pytest.raises(Unanswered, match=r"where nothing was to be said"):
        await answered(200, '{"status": "ok"}', watch)


async def test_an_update_keeps_what_was_sent_and_takes_versions_and_ids() -> None:
    told = {
        "id": 1,
        "version": 3,
        "updated": 9,
        "name": "",
        "steps": [{"id": 8, "number": 1, "version": 1, "step_id": 1}],
    }
    merged = await answered(200, json.dumps(told), update)
    assert (merged.name, merged.version, merged.updated) == ("kept", 3, 9)
    assert (merged.steps[0].id, merged.steps[0].version, merged.steps[0].name) == (8, 1, "one")


@pytest.mark.parametrize(
    "body",
    [
        "", "{", "[]", "{}", '{"id":1,"version":2,"steps":[{"id":8,"number":1,"version":1}]}',
        '{"id":2,"version":3}', '{"id":1,"version":3}',
        '{"id":1,"version":"x"}',
        '{"id":1,"version":3,"steps":[{"number":1}]}',
    ],
)  # fmt: skip
async def test_an_update_that_is_not_confirmed_as_such_may_have_been_done(body: str) -> None:
    with pytest.raises(Unanswered) as fault:
        await answered(200, body, update)
    assert fault.value.uncertain


async def test_an_update_for_which_the_servers_own_time_was_over_may_have_been_done() -> None:
    with pytest.raises(Unanswered, match="gave up"):
        await answered(204, "", update)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (409, "Optimistic Lock Error", LockLost),
        (500, "1 error occurred:\n\t* Optimistic Lock Error\n\n", LockLost),
        (500, "UNIQUE constraint failed: logs.log_id", AlreadyThere),
        (500, "Error 1062: Duplicate entry '5' for key 'PRIMARY'", AlreadyThere),
        (500, 'pq: duplicate key value violates unique constraint "logs_pkey"', AlreadyThere),
        (500, "stream: not found", NoStream),
        (500, "sql: no rows in result set", NoSuchRow),
        (401, "", TokenRefused),
        (403, "", SecretMissing),
        (404, "404 page not found\n", NotDrone),
        (405, "", NotDrone),
        (301, "", Redirected),
        (400, '{"message":"bad"}', ServerFault),
        (429, "", ServerFault),
        (500, "EOF", ServerFault),
        (500, "", ServerFault),
        (503, "<html>no upstream</html>", ServerFault),
    ],
)
async def test_each_refusal_has_its_meaning(status: int, body: str, kind: type[DroneFault]) -> None:
    with pytest.raises(DroneFault) as fault:
        await answered(status, body, update)
    assert type(fault.value) is kind
    assert fault.value.uncertain is (kind is ServerFault and status >= 500)


async def test_a_redirect_is_not_followed_and_says_what_to_set() -> None:
    target = "https://user:hunter2@ci.example/rpc/v2/ping"
    with pytest.raises(Redirected, match=r"DRONE_RPC_PROTO=https and DRONE_RPC_HOST=ci\.example ") as fault:
        await answered(308, "", ping, Location=target)
    assert "hunter2" not in str(fault.value)


async def test_a_header_that_cannot_be_read_is_a_fault_like_any_other() -> None:
    with pytest.raises(Unanswered):
        await answered(308, "", ping, Location="http://a\x9b2J.example/")


@pytest.mark.parametrize("target", ["http://[", "no address"])
async def test_a_redirect_to_what_is_no_address_is_a_redirect_still(target: str) -> None:
    with pytest.raises(Redirected, match="leads elsewhere: check DRONE_RPC_HOST"):
        await answered(308, "", ping, Location=target)


async def test_a_servers_own_pause_is_kept() -> None:
    with pytest.raises(ServerFault) as fault:
        await answered(503, "", ping, Retry_After="7")
    assert fault.value.after == 7


async def test_an_error_text_is_one_short_line_without_token_and_accounts() -> None:
    with pytest.raises(ServerFault) as fault:
        await answered(500, f"no\n\tway: {TOKEN} https://octo:hunter2@git.example {'x' * 999}", ping)
    text = str(fault.value)
    assert "no way: ****** https://******@git.example" in text
    assert "\n" not in text
    assert len(text) < 400


async def test_an_unreadable_reply_is_described_without_its_text() -> None:
    with pytest.raises(Unanswered, match=r"config\.Data") as fault:
        await answered(200, '{"stage":{"id":1},"secrets":[{"data":"hunter2"}],"config":{"Data":"hunter2!"}}', details)
    assert "hunter2" not in str(fault.value)


async def test_details_of_another_stage_are_refused() -> None:
    with pytest.raises(Unanswered, match="not that stage"):
        await answered(200, '{"stage":{"id":9}}', details)


async def test_a_server_without_cards_is_said_to_be_old() -> None:
    with pytest.raises(ServerFault, match=r"older than Drone 2\.5\.0"):
        await answered(404, "404 page not found\n", lambda client: client.send_card(1, CardInput()))


# ---------------------------------------------------------------------- no reply


async def test_a_refused_connection_is_known_not_to_have_been_sent(free_tcp_port: int) -> None:
    client = DroneClient.open(f"http://127.0.0.1:{free_tcp_port}", TOKEN, TlsOptions(), trust_env=False)
    with pytest.raises(NotSent, match="connection refused") as fault:
        await client.ping()
    assert not fault.value.uncertain
    await client.aclose()


async def test_a_lost_reply_may_have_been_done(bench: Bench) -> None:
    bench.server.lose("POST /stage/1", Mishap.REPLY_LOST)
    with pytest.raises(Unanswered):
        await bench.client.accept(1, "m")
    assert len(bench.server.heard) == 1


async def test_a_poll_given_up_closes_its_connection_at_once(bench: Bench) -> None:
    client = DroneClient.open(bench.server.address, TOKEN, TlsOptions(), trust_env=False)
    bench.server.lose("POST /stage", Mishap.SILENT)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(request, client)
        await bench.server.silence.wait()
        bench.server.gone.clear()
        tasks.cancel_scope.cancel()
    with anyio.fail_after(40):
        await bench.server.gone.wait()
    await client.aclose()


# ---------------------------------------------------------------------- addresses and tokens


@pytest.mark.parametrize("pasted", ["https://ci.example/", " https://ci.example/rpc/v2 ", "https://ci.example/rpc"])
def test_an_address_is_taken_as_people_paste_it(pasted: str) -> None:
    assert parse_address(pasted) == "https://ci.example"


@pytest.mark.parametrize("wrong", ["ci.example", "ftp://ci.example", "https://", "http://ci.example:99999", ""])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match="is no address"):
        parse_address(wrong)


def test_an_address_with_an_account_is_refused_without_showing_it() -> None:
    with pytest.raises(SettingsError, match="carries a user") as error:
        parse_address("https://octo:hunter2@ci.example")
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("token", ["", "two\nlines", " spaced", "tökén"])
def test_a_token_that_no_header_carries_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(CredentialsError, match="DRONE_RPC_SECRET") as error:
        DroneClient.open("https://ci.example", token, TlsOptions())
    assert not token or token not in str(error.value)


@pytest.mark.parametrize(("kind", "name"), [("httpx", "HttpxTransport"), ("reqwest", "ReqwestTransport")])
async def test_the_setting_chooses_what_carries_the_calls(kind: TransportKind, name: str) -> None:
    client = DroneClient.open("https://ci.example", TOKEN, TlsOptions(), kind=kind)
    assert type(client._calls).__name__ == name  # nothing that a server sees tells them apart
    await client.aclose()
