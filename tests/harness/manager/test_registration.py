"""Who a delegate is to the manager, and how it comes, stays alive and goes."""

import base64
import uuid
from typing import Any

import httpx
import pytest

from delegate_harness.manager import EmbeddedManager, Rules, Submission, Verdict

from .delegate import BareDelegate, Clock, http_client

AGENT = "/api/agent/delegates"


def resource(reply: httpx.Response) -> dict[str, Any]:
    assert reply.status_code == 200
    told: dict[str, Any] = reply.json()["resource"]
    return told


def verdict(manager: EmbeddedManager, task_id: str) -> Verdict | None:
    outcome = manager.task(task_id).outcome
    return outcome.verdict if outcome else None


async def started(delegate: BareDelegate) -> str:
    task_id = delegate.manager.submit(Submission("fib"))
    assert (await delegate.acquire(task_id)).status_code == 200
    return task_id


async def test_the_reply_repeats_the_number_and_the_random_token_sent(delegate: BareDelegate) -> None:
    told = resource(await delegate.register(sequenceNum=3, delegateRandomToken="dice"))
    assert (told["sequenceNum"], told["delegateRandomToken"], told["action"]) == (3, "dice", None)


async def test_equal_host_and_address_are_one_delegate(delegate: BareDelegate) -> None:
    first = delegate.delegate_id
    assert resource(await delegate.register(delegateName="renamed"))["delegateId"] == first


@pytest.mark.parametrize("change", [{"hostName": "host-9"}, {"ip": "192.0.2.9"}, {"ng": False}])
async def test_another_host_address_or_flag_is_another_delegate(delegate: BareDelegate, change: dict[str, Any]) -> None:
    first = delegate.delegate_id
    assert resource(await delegate.register(**change))["delegateId"] != first


@pytest.mark.parametrize("fixed", [{"delegateType": "KUBERNETES"}, {"hostName": "pod-of-embedded"}])
async def test_the_address_plays_no_part_for_pods_and_hosts_named_after_the_account(
    delegate: BareDelegate, fixed: dict[str, Any]
) -> None:
    first = resource(await delegate.register(ip="192.0.2.1", **fixed))["delegateId"]
    assert resource(await delegate.register(ip="192.0.2.2", **fixed))["delegateId"] == first


async def test_everything_in_a_registration_is_optional_and_null_is_nothing(delegate: BareDelegate) -> None:
    assert resource(await delegate.register(tags=None, supportedTaskTypes=None, ng=None, unheardOf={"a": 1}))
    bare = await delegate.http.post(f"{AGENT}/register", json={})
    assert resource(bare)["delegateId"]


@pytest.mark.parametrize("body", [b"", b"[1]", b'{"supportedTaskTypes": 5}', b"{"])
async def test_a_body_that_is_no_registration_is_a_bad_request(http: httpx.AsyncClient, body: bytes) -> None:
    reply = await http.post(f"{AGENT}/register", content=body)
    assert reply.status_code == 400
    assert reply.json()["responseMessages"][0]["level"] == "ERROR"


async def test_a_deleted_delegate_is_told_to_self_destruct_and_gets_no_id(delegate: BareDelegate) -> None:
    delegate.manager.state.delete_delegate("embedded", delegate.delegate_id)
    told = resource(await delegate.register())
    assert (told["action"], told["delegateId"]) == ("SELF_DESTRUCT", None)


async def test_a_deleted_group_or_account_is_told_to_self_destruct(delegate: BareDelegate) -> None:
    account = delegate.manager.state.accounts.get("embedded")
    assert account is not None
    account.deleted_groups.add("builder")
    assert resource(await delegate.register())["action"] == "SELF_DESTRUCT"
    assert resource(await delegate.register(delegateName="spared", hostName="h"))["action"] is None
    account.deleted = True
    assert resource(await delegate.register(delegateName="spared"))["action"] == "SELF_DESTRUCT"
    assert resource(await delegate.http.get(f"{AGENT}/configuration"))["action"] == "SELF_DESTRUCT"


async def test_a_moved_account_is_told_where_to(delegate: BareDelegate) -> None:
    account = delegate.manager.state.accounts.get("embedded")
    assert account is not None
    account.moved_to = "https://elsewhere.example"
    told = resource(await delegate.register())
    assert (told["action"], told["migrateUrl"]) == ("MIGRATE", "https://elsewhere.example")


async def test_registering_again_leaves_started_tasks_alone(delegate: BareDelegate) -> None:
    task_id = await started(delegate)
    await delegate.register()
    assert verdict(delegate.manager, task_id) is None


async def test_an_immutable_delegate_that_registers_again_is_taken_for_crashed(
    delegate: BareDelegate,
) -> None:
    await delegate.register(immutable=True)
    task_id = await started(delegate)
    await delegate.register(immutable=True)
    assert verdict(delegate.manager, task_id) is Verdict.DISCONNECTED


async def test_a_heartbeat_says_enabled(delegate: BareDelegate) -> None:
    told = resource(await delegate.heartbeat(sequenceNum=5))
    assert (told["status"], told["delegateId"], told["sequenceNumber"]) == (
        "ENABLED",
        delegate.delegate_id,
        5,
    )


async def test_a_heartbeat_of_an_unknown_delegate_says_deleted(delegate: BareDelegate) -> None:
    assert resource(await delegate.heartbeat(delegateId="nobody"))["status"] == "DELETED"
    assert resource(await delegate.heartbeat(delegateId=None))["status"] == "DELETED"


async def test_a_deleted_delegate_hears_it_at_its_heartbeat_and_is_shown_no_task(
    delegate: BareDelegate,
) -> None:
    delegate.manager.submit(Submission("fib"))
    delegate.manager.state.delete_delegate("embedded", delegate.delegate_id)
    assert resource(await delegate.heartbeat())["status"] == "DELETED"
    assert await delegate.listed() == []


async def test_five_silent_minutes_fail_what_was_started_once(delegate: BareDelegate, clock: Clock) -> None:
    state = delegate.manager.state
    task_id = await started(delegate)
    clock.advance(300)
    state.tick()
    assert verdict(delegate.manager, task_id) is None
    clock.advance(1)
    state.tick()
    outcome = state.task(task_id).outcome
    assert outcome is not None
    assert (outcome.verdict, outcome.message) == (
        Verdict.DISCONNECTED,
        "delegate disconnected while executing",
    )


async def test_a_heartbeat_keeps_it_connected_and_a_poll_does_not(delegate: BareDelegate, clock: Clock) -> None:
    clock.advance(299)
    await delegate.heartbeat()
    clock.advance(299)
    delegate.manager.state.tick()
    assert delegate.manager.state.delegates("embedded")[0].connected
    await delegate.poll()
    clock.advance(2)
    delegate.manager.state.tick()
    assert not delegate.manager.state.delegates("embedded")[0].connected
    await delegate.heartbeat()
    assert delegate.manager.state.delegates("embedded")[0].connected


async def test_unregister_goes_by_host_and_address_and_ignores_the_id(
    delegate: BareDelegate, other: BareDelegate
) -> None:
    """So of two runners with one identity each would end the other."""
    mine, theirs = await started(delegate), await started(other)
    body = {
        "delegateId": other.delegate_id,
        "hostName": "host-1",
        "ipAddress": "192.0.2.1",
        "ng": True,
        "delegateType": "DOCKER",
    }
    reply = await delegate.http.post(f"{AGENT}/unregister", json=body)
    assert resource_is_empty(reply)
    assert verdict(delegate.manager, mine) is Verdict.DISCONNECTED
    assert verdict(delegate.manager, theirs) is None
    assert resource(await delegate.heartbeat())["status"] == "DELETED"


def resource_is_empty(reply: httpx.Response) -> bool:
    return reply.status_code == 200 and reply.json()["resource"] is None


async def test_unregistering_nobody_is_fine(http: httpx.AsyncClient) -> None:
    assert resource_is_empty(await http.post(f"{AGENT}/unregister", json={"hostName": "nowhere"}))


async def test_who_left_and_comes_back_gets_a_new_id(delegate: BareDelegate) -> None:
    first = delegate.delegate_id
    body = {"hostName": "host-1", "ipAddress": "192.0.2.1", "ng": True, "delegateType": "DOCKER"}
    await delegate.http.post(f"{AGENT}/unregister", json=body)
    assert resource(await delegate.register())["delegateId"] != first


def connection(made: uuid.UUID) -> str:
    return base64.urlsafe_b64encode(made.bytes).decode().rstrip("=")


async def test_a_connection_id_once_sent_must_be_time_based_ever_after(delegate: BareDelegate) -> None:
    await delegate.register(delegateConnectionId=connection(uuid.uuid1()))
    good = await delegate.heartbeat(delegateConnectionId=connection(uuid.uuid1()))
    assert good.status_code == 200
    for bad in (None, connection(uuid.uuid4()), "short"):
        assert (await delegate.heartbeat(delegateConnectionId=bad)).status_code == 500


async def test_capacity_is_noted_and_an_unknown_delegate_is_no_error(delegate: BareDelegate) -> None:
    for delegate_id in (delegate.delegate_id, "nobody"):
        path = f"{AGENT}/register-delegate-capacity/{delegate_id}"
        assert (await delegate.http.post(path, json={"maximumNumberOfBuilds": 4})).status_code == 204
    assert delegate.manager.state.delegates("embedded")[0].capacity == 4


async def test_the_connection_heartbeat_does_nothing(delegate: BareDelegate, clock: Clock) -> None:
    clock.advance(10)
    before = delegate.manager.state.delegates("embedded")[0].last_heartbeat
    assert (await delegate.http.post(f"{AGENT}/connectionHeartbeat/{delegate.delegate_id}")).status_code == 204
    assert delegate.manager.state.delegates("embedded")[0].last_heartbeat == before


async def test_the_configuration_names_no_action(http: httpx.AsyncClient) -> None:
    assert resource(await http.get(f"{AGENT}/configuration")) == {"delegateVersions": [], "action": None}


async def test_unknown_paths_and_methods_have_the_managers_error_body(http: httpx.AsyncClient) -> None:
    for reply, status in ((await http.get("/nowhere"), 404), (await http.delete(f"{AGENT}/register"), 405)):
        assert reply.status_code == status
        assert reply.json().keys() == {"metaData", "resource", "responseMessages"}


async def test_two_processes_of_one_identity_are_handed_the_same_tasks(delegate: BareDelegate) -> None:
    twin = BareDelegate(delegate.manager, delegate.http)
    await twin.register()
    task_id = delegate.manager.submit(Submission("fib"))
    assert await delegate.listed_ids() == await twin.listed_ids() == [task_id]


async def test_strictly_only_the_managers_own_task_types_exist(clock: Clock) -> None:
    async with EmbeddedManager(clock=clock, rules=Rules(strict=True)) as manager, http_client(manager) as http:
        await BareDelegate(manager, http).register(supportedTaskTypes=["fib"])
        with pytest.raises(ValueError, match="fib is not one of"):
            manager.submit(Submission("fib"))
