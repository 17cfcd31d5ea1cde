"""Calls to a manager: addresses, escaping, time limits, and what refusals mean."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from delegate_core.errors import CredentialsError, Drain, Retry, SettingsError, Stop
from delegate_core.http import BadReply, Reply, TlsOptions, Transport, TransportError, open_transport
from delegate_harness.auth import MadeTokens, ReadyToken
from delegate_harness.client import ManagerClient, ManagerFault, parse_endpoint
from delegate_harness.manager import EmbeddedManager, Fault, FaultKind
from tests.harness.scripted import ACCOUNT, SECRET, ScriptedManager, unauthorized
from tests.harness.test_auth import ENCRYPTED

pytestmark = pytest.mark.anyio


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = open_transport(TlsOptions())
    yield transport
    await transport.aclose()


@pytest.fixture
def client(scripted: ScriptedManager, transport: Transport) -> ManagerClient:
    return ManagerClient(transport, scripted.url, ACCOUNT, MadeTokens(ACCOUNT, SECRET))


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("https://manager.example", "https://manager.example"),
        (" http://manager.example:3457/ ", "http://manager.example:3457"),
        ("https://manager.example/gateway/api/", "https://manager.example/gateway"),
        ("http://[::1]:3457/api", "http://[::1]:3457"),
    ],
)
def test_an_address_is_taken_as_people_paste_it(given: str, base: str) -> None:
    assert parse_endpoint(given) == base


@pytest.mark.parametrize(
    "given", ["manager.example", "ftp://m.example", "https://", "", "http://m:99999", "http://[::1"]
)
def test_what_is_no_address_is_refused_with_an_example(given: str) -> None:
    with pytest.raises(SettingsError, match=r"https://manager\.example"):
        parse_endpoint(given)


@pytest.mark.parametrize("given", ["https://me:s3cret@manager.example", "me:s3cret@manager.example"])
def test_a_password_in_an_address_is_refused_without_showing_it(given: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_endpoint(given)
    assert "s3cret" not in str(caught.value)


ODD = "a/b ?#%ä&x=1"
ESCAPED = "a%2Fb%20%3F%23%25%C3%A4%26x%3D1"


async def test_ids_are_escaped_in_paths_and_queries(scripted: ScriptedManager, transport: Transport) -> None:
    client = ManagerClient(transport, scripted.url, "a&b", MadeTokens("a&b", SECRET))
    await client.task_events(ODD)
    await client.acquire(ODD, ODD, ODD)
    await client.respond(ODD, ODD, {})
    await client.respond_as_runner(ODD, ODD, {})
    await client.respond_v2(ODD, ODD, {})
    await client.register_capacity(ODD, 3)
    assert [f"{call.method} {call.target}" for call in scripted.calls] == [
        f"GET /api/agent/delegates/{ESCAPED}/task-events?accountId=a%26b",
        f"PUT /api/agent/v2/delegates/{ESCAPED}/tasks/{ESCAPED}/acquire?accountId=a%26b&delegateInstanceId={ESCAPED}",
        f"POST /api/agent/v2/tasks/{ESCAPED}/delegates/{ESCAPED}?accountId=a%26b",
        f"POST /api/executions/{ESCAPED}/response?accountId=a%26b&delegateId={ESCAPED}",
        f"POST /api/executions/{ESCAPED}/task-response?accountId=a%26b&runnerId={ESCAPED}",
        f"POST /api/agent/delegates/register-delegate-capacity/{ESCAPED}?accountId=a%26b",
    ]


async def test_an_expired_token_is_renewed_once(scripted: ScriptedManager, client: ManagerClient) -> None:
    scripted.on("task-events", unauthorized("EXPIRED_TOKEN"), (200, {}))
    assert (await client.task_events("dlg1")).events == []
    first, second = (call.headers["authorization"] for call in scripted.calls)
    assert first != second


async def test_a_renewed_token_that_is_expired_too_is_a_passing_fault(
    scripted: ScriptedManager, client: ManagerClient
) -> None:
    scripted.on("task-events", unauthorized("EXPIRED_TOKEN"))
    with pytest.raises(ManagerFault, match="clock"):
        await client.task_events("dlg1")
    assert len(scripted.calls) == 2


async def test_a_ready_token_that_has_expired_ends_the_runner_as_a_revoked_one(
    scripted: ScriptedManager, transport: Transport
) -> None:
    scripted.on("task-events", unauthorized("EXPIRED_TOKEN"))
    client = ManagerClient(transport, scripted.url, ACCOUNT, ReadyToken(ENCRYPTED))
    with pytest.raises(Drain, match="expired") as caught:
        await client.task_events("dlg1")
    assert isinstance(caught.value.error, CredentialsError)
    assert len(scripted.calls) == 1


@pytest.mark.parametrize(
    ("code", "kind", "cure"),
    [
        ("INVALID_TOKEN", Stop, "account secret"),
        ("REVOKED_TOKEN", Drain, "create a new one"),
        ("INVALID_AGENT_MTLS_AUTHORITY", Drain, "--client-certificate"),
    ],
)
async def test_a_token_refused_for_good_says_what_to_do(
    scripted: ScriptedManager, client: ManagerClient, code: str, kind: type[Stop | Drain], cure: str
) -> None:
    scripted.on("task-events", unauthorized(code))
    with pytest.raises(kind, match=cure) as caught:
        await client.task_events("dlg1")
    assert isinstance(caught.value, Stop | Drain)
    assert isinstance(caught.value.error, CredentialsError)
    assert caught.value.error.exit_code == 4
    assert SECRET not in str(caught.value)


async def test_a_code_that_comes_in_the_header_only_counts(manager: EmbeddedManager, transport: Transport) -> None:
    """A gateway may replace the body; the manager sends the code in a header too."""

    class HeaderOnly:
        async def request(self, *_: Any, **__: Any) -> Reply:
            return Reply(401, {"x-harness-error": "REVOKED_TOKEN"}, b"<html>")

        async def aclose(self) -> None: ...

    client = ManagerClient(HeaderOnly(), manager.url, ACCOUNT, MadeTokens(ACCOUNT, SECRET))
    with pytest.raises(Drain):
        await client.task_events("dlg1")


@pytest.mark.parametrize("content", ["<html>sign in</html>", "", {"message": "no"}, {"responseMessages": "?"}])
async def test_a_401_without_a_code_is_a_passing_fault(
    scripted: ScriptedManager, client: ManagerClient, content: Any
) -> None:
    scripted.on("task-events", (401, content))
    with pytest.raises(ManagerFault, match="proxy"):
        await client.task_events("dlg1")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_gateways_fault_may_be_tried_again(manager: EmbeddedManager, transport: Transport, status: int) -> None:
    manager.faults.add(Fault("task-events", FaultKind.STATUS, status=status, retry_after=7))
    client = ManagerClient(transport, manager.url, manager.account_id, MadeTokens("", manager.account_secret))
    with pytest.raises(Retry, match=f"{status}.*HTML") as caught:
        await client.task_events("dlg1")
    assert caught.value.after == 7


async def test_a_fault_is_told_in_the_managers_words(scripted: ScriptedManager, client: ManagerClient) -> None:
    scripted.on("register", (403, {"responseMessages": [{"code": "X", "message": "the account has moved"}]}))
    with pytest.raises(ManagerFault, match="403: the account has moved") as caught:
        await client.register({})
    assert caught.value.status == 403


async def test_a_redirect_is_not_followed_and_named(scripted: ScriptedManager, client: ManagerClient) -> None:
    scripted.on("register", (302, ""))
    with pytest.raises(ManagerFault, match=r"302.*address"):
        await client.register({})
    assert len(scripted.calls) == 1


async def test_a_token_that_the_server_echoes_is_not_shown(scripted: ScriptedManager, client: ManagerClient) -> None:
    def echo(call: Any) -> tuple[int, Any]:
        return 400, {"responseMessages": [{"message": f"bad header {call.headers['authorization']}"}]}

    scripted.on("register", echo)
    with pytest.raises(ManagerFault, match="bad header") as caught:
        await client.register({})
    assert scripted.calls[0].headers["authorization"].split()[1] not in str(caught.value)


@pytest.mark.parametrize(("status", "content"), [(200, ""), (204, ""), (200, "null"), (200, "{}"), (200, {"id": ""})])
async def test_an_acquire_without_an_id_is_not_to_be_had(
    scripted: ScriptedManager, client: ManagerClient, status: int, content: Any
) -> None:
    scripted.on("acquire", (status, content))
    assert await client.acquire("dlg1", "t1", "i") is None


@pytest.mark.parametrize("content", ["<html>", "[1]", '{"delegateTaskEvents": [', "\x00"])
async def test_a_poll_reply_that_is_none_is_a_passing_fault(
    scripted: ScriptedManager, client: ManagerClient, content: str
) -> None:
    scripted.on("task-events", (200, content))
    with pytest.raises((ManagerFault, BadReply)):
        await client.task_events("dlg1")


async def test_a_reply_beyond_all_bounds_is_a_passing_fault(scripted: ScriptedManager, client: ManagerClient) -> None:
    scripted.on("task-events", (200, "x" * (65 * 1024 * 1024)))
    with pytest.raises(BadReply, match="more than"):
        await client.task_events("dlg1")


async def test_a_list_of_many_tasks_is_read(scripted: ScriptedManager, client: ManagerClient) -> None:
    scripted.lists(*({"delegateTaskId": f"t{number}"} for number in range(20_000)))
    assert len((await client.task_events("dlg1")).events) == 20_000


async def test_every_call_has_a_time_limit(client: ManagerClient) -> None:
    """The limit is what the transport is given: none of them is missing or longer than half a minute."""
    limits: list[float] = []

    class Watching:
        async def request(self, *_: Any, timeout: float, **__: Any) -> Reply:  # noqa: ASYNC109 - the protocol's
            limits.append(timeout)
            raise TransportError("not sent", sent=False)

        async def aclose(self) -> None: ...

    watched = ManagerClient(Watching(), client.base, ACCOUNT, MadeTokens(ACCOUNT, SECRET))
    calls = [
        watched.register({}),
        watched.heartbeat({}),
        watched.unregister({}),
        watched.register_capacity("d", 1),
        watched.task_events("d"),
        watched.acquire("d", "t", "i"),
        watched.respond("d", "t", {}),
        watched.respond_as_runner("d", "t", {}),
        watched.respond_v2("d", "t", {}),
        watched.logging_token(),
    ]
    for call in calls:
        with pytest.raises(TransportError):
            await call
    assert len(limits) == len(calls)
    assert all(0 < limit <= 30 for limit in limits)


async def test_a_logging_token_is_asked_for(manager: EmbeddedManager, transport: Transport) -> None:
    client = ManagerClient(transport, manager.url, manager.account_id, MadeTokens("", manager.account_secret))
    assert await client.logging_token()


@pytest.mark.parametrize(("status", "content"), [(404, "<html>"), (204, ""), (200, ""), (200, {"resource": None})])
async def test_a_manager_without_logging_tokens_gives_an_empty_one(
    scripted: ScriptedManager, client: ManagerClient, status: int, content: Any
) -> None:
    scripted.on("logging-token", (status, content))
    assert await client.logging_token() == ""
