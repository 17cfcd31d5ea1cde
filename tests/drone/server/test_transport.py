"""What all calls of runners share: secrets, routes, headers, errors."""

import httpx
import pytest

from delegate_drone.server import EmbeddedDrone, Keys

from .runner import NO_ROWS, BareRunner, http_client

pytestmark = pytest.mark.anyio

NO_CACHE = "no-cache, no-store, must-revalidate, private, max-age=0"
PLAIN = "text/plain; charset=utf-8"


@pytest.mark.parametrize("path", ["/rpc/v2/ping", "/rpc/v2/zzz"])
@pytest.mark.parametrize("token", ["", "wrong"])
async def test_a_wrong_secret_is_401_without_a_word_even_where_nothing_is(
    drone: EmbeddedDrone, path: str, token: str
) -> None:
    async with http_client(drone, token=token) as http:
        reply = await http.post(path)
    assert (reply.status_code, reply.content) == (401, b"")
    assert "content-type" not in reply.headers
    assert reply.headers["cache-control"] == NO_CACHE


async def test_a_server_without_a_secret_refuses_all_runners() -> None:
    async with EmbeddedDrone(keys=Keys(rpc="")) as drone, http_client(drone) as http:
        reply = await http.post("/rpc/v2/ping")
    assert (reply.status_code, reply.content) == (403, b"")


async def test_ping_is_answered_with_nothing_at_all(http: httpx.AsyncClient) -> None:
    reply = await http.post("/rpc/v2/ping")
    assert (reply.status_code, reply.content) == (200, b"")
    assert "content-type" not in reply.headers
    assert reply.headers["pragma"] == "no-cache"
    assert reply.headers["x-accel-expires"] == "0"
    assert "1970" in reply.headers["expires"]


@pytest.mark.parametrize("path", ["/rpc/v2/zzz", "/rpc/v2/ping/", "/rpc/v2", "/rpc/v2/nodes/foo"])
async def test_an_unknown_path_is_404_in_plain_text(http: httpx.AsyncClient, path: str) -> None:
    reply = await http.post(path)
    assert (reply.status_code, reply.text) == (404, "404 page not found\n")
    assert reply.headers["content-type"] == PLAIN
    assert reply.headers["cache-control"] == NO_CACHE


async def test_the_nodes_call_exists_under_its_pattern_only(http: httpx.AsyncClient) -> None:
    assert (await http.post("/rpc/v2/nodes/:machine")).status_code == 200
    assert (await http.delete("/rpc/v2/nodes/:machine")).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "ping"), ("DELETE", "stage/1"), ("HEAD", "stage/1")])
async def test_a_wrong_method_is_405_without_a_word(http: httpx.AsyncClient, method: str, path: str) -> None:
    reply = await http.request(method, f"/rpc/v2/{path}")
    assert (reply.status_code, reply.content) == (405, b"")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "EOF"),
        (b"  \n", "EOF"),
        (b"{", "unexpected EOF"),
        (b'{"kind": "pipe', "unexpected EOF"),
        (b'{"kind": tr', "unexpected EOF"),
        (b"pipeline", "invalid character 'p' looking for beginning of value"),
        (b'{"kind": NaN}', "invalid character 'N' looking for beginning of value"),
        (b'{"kind": 7}', "json: cannot unmarshal into Go struct field Wanted.kind"),
    ],
)
async def test_a_bad_body_is_500_in_the_words_of_the_decoder(http: httpx.AsyncClient, body: bytes, text: str) -> None:
    reply = await http.post("/rpc/v2/stage", content=body)
    assert (reply.status_code, reply.text) == (500, text)
    assert reply.headers["content-type"] == PLAIN


async def test_unknown_fields_nulls_and_what_follows_the_value_are_ignored(http: httpx.AsyncClient) -> None:
    reply = await http.post("/rpc/v2/stage", content=b'{"kind": null, "colour": [1]} and more')
    assert reply.status_code == 204


async def test_a_json_reply_does_not_say_that_it_is_json(runner: BareRunner, stage_id: int) -> None:
    reply = await runner.accept(stage_id)
    assert reply.headers["content-type"] == PLAIN
    assert reply.content.endswith(b"}\n")


@pytest.mark.parametrize("path_id", ["999", "abc", "-1", "9" * 40, "%F0%9F%92%A9"])
async def test_an_id_that_is_none_is_a_row_that_is_missing(http: httpx.AsyncClient, path_id: str) -> None:
    for reply in [await http.post(f"/rpc/v2/stage/{path_id}?machine=m"), await http.get(f"/rpc/v2/stage/{path_id}")]:
        assert (reply.status_code, reply.text) == (500, NO_ROWS)


async def test_anyone_may_ask_for_health_and_version(drone: EmbeddedDrone) -> None:
    async with httpx.AsyncClient(base_url=drone.url, trust_env=False) as http:
        health = await http.get("/healthz")
        version = await http.get("/version")
    assert (health.status_code, health.text) == (200, "OK")
    assert version.json() == {"source": "embedded", "version": "2.28.2", "commit": ""}
