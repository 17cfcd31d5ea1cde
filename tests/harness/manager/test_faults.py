"""Each fault does what it says, as a client sees it."""

import time
from typing import Any

import httpx
import pytest

from delegate_harness.manager import EmbeddedManager, Fault, FaultKind, Submission

from .delegate import BareDelegate


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Breaking a connection is the loop's business, so both loops are tried."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
def task_id(delegate: BareDelegate) -> str:
    return delegate.manager.submit(Submission("fib", {"n": 1}))


def order(delegate: BareDelegate, endpoint: str, kind: FaultKind, **fields: Any) -> None:
    delegate.manager.faults.add(Fault(endpoint, kind, **fields))


async def test_a_fault_hits_so_many_calls_of_its_endpoint_and_no_other(delegate: BareDelegate) -> None:
    order(delegate, "task-events", FaultKind.STATUS, times=2)
    assert (await delegate.heartbeat()).status_code == 200
    assert [(await delegate.poll()).status_code for _ in range(3)] == [503, 503, 200]
    assert [endpoint for endpoint, _ in delegate.manager.faults.fired] == ["task-events"] * 2


async def test_a_fault_can_let_calls_pass_first(delegate: BareDelegate) -> None:
    order(delegate, "task-events", FaultKind.STATUS, after=1)
    assert [(await delegate.poll()).status_code for _ in range(3)] == [200, 503, 200]


async def test_faults_hit_one_call_each_in_the_order_they_were_added(delegate: BareDelegate) -> None:
    for status in (502, 504):
        order(delegate, "task-events", FaultKind.STATUS, status=status)
    assert [(await delegate.poll()).status_code for _ in range(3)] == [502, 504, 200]


async def test_a_fault_of_every_endpoint_lasts_until_it_is_lifted(delegate: BareDelegate) -> None:
    order(delegate, "*", FaultKind.STATUS, times=None)
    assert [(await delegate.poll()).status_code, (await delegate.heartbeat()).status_code] == [503, 503]
    delegate.manager.faults.clear()
    assert (await delegate.poll()).status_code == 200


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_gateway_answers_with_html(delegate: BareDelegate, status: int) -> None:
    order(delegate, "task-events", FaultKind.STATUS, status=status, retry_after=7)
    reply = await delegate.poll()
    assert (reply.status_code, reply.headers["Retry-After"]) == (status, "7")
    assert reply.headers["content-type"].startswith("text/html")
    assert reply.text.startswith("<html>")


async def test_a_status_without_a_body_has_none(delegate: BareDelegate) -> None:
    """As the manager answers a registration from an address it does not allow."""
    order(delegate, "register", FaultKind.STATUS, status=204)
    reply = await delegate.http.post("/api/agent/delegates/register", json={})
    assert (reply.status_code, reply.content) == (204, b"")


async def test_a_delayed_reply_comes_late_and_the_call_has_taken_effect(delegate: BareDelegate, task_id: str) -> None:
    order(delegate, "acquire", FaultKind.DELAY, seconds=30)
    path = f"/api/agent/v2/delegates/{delegate.delegate_id}/tasks/{task_id}/acquire"
    with pytest.raises(httpx.ReadTimeout):
        await delegate.http.put(path, params={"delegateInstanceId": "instance-1"}, timeout=0.1)
    assert delegate.manager.task(task_id).instance_id == "instance-1"


async def test_a_short_delay_ends_in_the_reply(delegate: BareDelegate) -> None:
    order(delegate, "task-events", FaultKind.DELAY, seconds=0.05)
    began = time.monotonic()
    assert (await delegate.poll()).status_code == 200
    assert time.monotonic() - began >= 0.05


async def test_unauthorized_with_a_code_is_the_managers_own(delegate: BareDelegate) -> None:
    order(delegate, "task-events", FaultKind.UNAUTHORIZED, code="REVOKED_TOKEN")
    reply = await delegate.poll()
    assert reply.status_code == 401
    assert reply.json()["responseMessages"][0]["code"] == "REVOKED_TOKEN"
    assert "X-Harness-Error" in reply.headers


async def test_unauthorized_without_a_code_is_some_proxys(delegate: BareDelegate) -> None:
    order(delegate, "task-events", FaultKind.UNAUTHORIZED)
    reply = await delegate.poll()
    assert (reply.status_code, reply.headers["content-type"][:9]) == (401, "text/html")


async def test_a_lost_request_never_took_effect(delegate: BareDelegate, task_id: str) -> None:
    order(delegate, "acquire", FaultKind.LOSE_REQUEST)
    with pytest.raises(httpx.TransportError):
        await delegate.acquire(task_id)
    assert delegate.manager.task(task_id).delegate_id is None
    assert (await delegate.acquire(task_id)).status_code == 200


async def test_a_lost_reply_took_effect(delegate: BareDelegate, task_id: str) -> None:
    order(delegate, "acquire", FaultKind.LOSE_REPLY)
    with pytest.raises(httpx.TransportError):
        await delegate.acquire(task_id)
    assert delegate.manager.task(task_id).delegate_id == delegate.delegate_id
    assert (await delegate.acquire(task_id)).status_code == 200


async def test_a_lost_result_that_has_a_body_is_lost_as_well(delegate: BareDelegate, task_id: str) -> None:
    await delegate.acquire(task_id)
    order(delegate, "result", FaultKind.LOSE_REQUEST)
    with pytest.raises(httpx.TransportError):
        await delegate.answer(task_id, data={"long": "x" * 300_000})
    assert not delegate.manager.task(task_id).finished


@pytest.mark.parametrize("kind", [FaultKind.GARBAGE, FaultKind.TRUNCATED, FaultKind.EMPTY])
async def test_a_spoilt_body_is_a_well_formed_reply_that_is_no_json(delegate: BareDelegate, kind: FaultKind) -> None:
    order(delegate, "task-events", kind)
    reply = await delegate.poll()
    assert reply.status_code == 200
    assert bool(reply.content) is (kind is not FaultKind.EMPTY)
    with pytest.raises(ValueError, match=r"."):
        reply.json()


async def test_an_abort_in_a_spoilt_body_is_gone(delegate: BareDelegate, task_id: str) -> None:
    await delegate.acquire(task_id)
    delegate.manager.abort(task_id)
    order(delegate, "task-events", FaultKind.TRUNCATED)
    await delegate.poll()
    assert await delegate.listed() == []


async def test_a_wrong_content_type_covers_the_right_body(delegate: BareDelegate, task_id: str) -> None:
    order(delegate, "task-events", FaultKind.CONTENT_TYPE)
    reply = await delegate.poll()
    assert reply.headers["content-type"].startswith("text/html")
    assert reply.json()["delegateTaskEvents"][0]["delegateTaskId"] == task_id


async def test_null_stands_for_the_resource_or_the_whole(delegate: BareDelegate) -> None:
    order(delegate, "*", FaultKind.NULL, times=2)
    assert (await delegate.heartbeat()).json()["resource"] is None
    assert (await delegate.poll()).json() is None


async def test_a_duplicate_lists_a_task_that_is_being_run(delegate: BareDelegate, task_id: str) -> None:
    await delegate.acquire(task_id)
    queued = delegate.manager.submit(Submission("fib"))
    order(delegate, "task-events", FaultKind.DUPLICATE)
    assert await delegate.listed_ids() == [queued, task_id]
    assert await delegate.listed_ids() == [queued]


async def test_an_unassigned_package_leaves_the_task_queued(delegate: BareDelegate, task_id: str) -> None:
    order(delegate, "acquire", FaultKind.UNASSIGNED)
    told = (await delegate.acquire(task_id)).json()
    assert (told["id"], told["delegate"]["instance_id"]) == (task_id, "")
    assert await delegate.listed_ids() == [task_id]


async def test_an_unassigned_package_is_not_made_of_a_task_that_is_gone(delegate: BareDelegate, task_id: str) -> None:
    await delegate.acquire(task_id)
    order(delegate, "acquire", FaultKind.UNASSIGNED, times=2)
    assert (await delegate.acquire(task_id, "instance-2")).status_code == 500
    assert (await delegate.acquire("unknown")).status_code == 500


async def test_skew_makes_a_fresh_token_look_expired(delegate: BareDelegate) -> None:
    order(delegate, "task-events", FaultKind.SKEW, seconds=3600)
    reply = await delegate.poll()
    assert reply.json()["responseMessages"][0]["code"] == "EXPIRED_TOKEN"
    assert (await delegate.poll()).status_code == 200


@pytest.mark.parametrize("call", ["register", "heartbeat"])
async def test_orders_to_leave_come_at_registration_and_at_heartbeats(delegate: BareDelegate, call: str) -> None:
    order(delegate, call, FaultKind.SELF_DESTRUCT)
    order(delegate, call, FaultKind.MIGRATE, url="https://elsewhere.example")
    told = [(await getattr(delegate, call)()).json()["resource"] for _ in range(3)]
    assert [each.get("action") for each in told] == ["SELF_DESTRUCT", "MIGRATE", None]
    assert told[1]["migrateUrl"] == "https://elsewhere.example"


async def test_a_delegate_can_be_deleted_at_its_next_heartbeat(delegate: BareDelegate) -> None:
    order(delegate, "heartbeat", FaultKind.DELETE_DELEGATE)
    assert (await delegate.heartbeat()).json()["resource"]["status"] == "DELETED"


async def test_the_token_can_be_revoked_at_the_next_call(delegate: BareDelegate) -> None:
    order(delegate, "task-events", FaultKind.REVOKE_TOKEN)
    for reply in (await delegate.poll(), await delegate.heartbeat()):
        assert reply.json()["responseMessages"][0]["code"] == "REVOKED_TOKEN"


async def test_every_kind_of_fault_can_hit_every_endpoint_without_harm(
    delegate: BareDelegate, manager: EmbeddedManager
) -> None:
    for kind in FaultKind:
        manager.faults.add(Fault("*", kind, times=4, url="https://elsewhere.example"))
    calls = (
        delegate.poll,
        delegate.heartbeat,
        lambda: delegate.answer("unknown"),
        lambda: delegate.http.get("/log-service/stream"),
    )
    for _ in range(len(FaultKind)):
        for call in calls:
            try:
                await call()
            except httpx.TransportError:
                continue
    assert {fault.kind for _, fault in manager.faults.fired} == set(FaultKind)
