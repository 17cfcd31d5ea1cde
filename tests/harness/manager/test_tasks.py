"""Polling, acquiring and aborting, as a delegate sees them."""

import asyncio

import pytest

from delegate_harness.manager import EmbeddedManager, Rules, Submission, TaskStatus, Verdict

from .delegate import BareDelegate, Clock, http_client


async def test_a_queued_task_is_listed_in_every_poll_until_somebody_acquires_it(
    delegate: BareDelegate, other: BareDelegate
) -> None:
    task_id = delegate.manager.submit(Submission("fib"))
    for _ in range(3):
        assert await delegate.listed_ids() == await other.listed_ids() == [task_id]
    await other.acquire(task_id)
    assert await delegate.listed_ids() == await other.listed_ids() == []
    assert delegate.manager.task(task_id).offered_to == {delegate.delegate_id: 3, other.delegate_id: 3}


async def test_an_event_has_the_fields_of_the_wire(delegate: BareDelegate) -> None:
    task_id = delegate.manager.submit(Submission("fib", sync=True))
    assert await delegate.listed() == [
        {
            "eventType": "DelegateTaskEvent",
            "accountId": "embedded",
            "delegateTaskId": task_id,
            "sync": True,
            "taskType": "fib",
        }
    ]


async def test_sync_tasks_come_first(delegate: BareDelegate) -> None:
    submit = delegate.manager.submit
    first, second = submit(Submission("fib")), submit(Submission("fib"))
    urgent = submit(Submission("fib", sync=True))
    assert await delegate.listed_ids() == [urgent, first, second]


async def test_a_poll_lists_no_more_than_the_limit_that_was_set(clock: Clock) -> None:
    rules = Rules(event_limit=2)
    async with EmbeddedManager(clock=clock, rules=rules) as manager, http_client(manager) as http:
        delegate = BareDelegate(manager, http)
        await delegate.register()
        tasks = [manager.submit(Submission("fib")) for _ in range(4)]
        assert await delegate.listed_ids() == tasks[:2]


async def test_an_unknown_delegate_is_listed_nothing(delegate: BareDelegate) -> None:
    delegate.manager.submit(Submission("fib"))
    delegate.delegate_id = "nobody"
    assert await delegate.listed() == []


async def test_only_registered_types_are_offered(delegate: BareDelegate) -> None:
    task_id = delegate.manager.submit(Submission("brew"))
    assert await delegate.listed() == []
    assert (await delegate.acquire(task_id)).status_code == 500
    assert (
        delegate.manager.state.waiting(task_id)
        == "no connected delegate supports task type brew; connected: builder (fib)"
    )


@pytest.mark.parametrize(
    ("selectors", "fits"),
    [
        ((), True),
        (("builder",), True),
        (("HOST-1",), True),
        ((" Linux ", "arm"), True),
        (("linux", "gpu"), False),
    ],
)
async def test_all_selectors_must_be_present_whatever_their_case(
    delegate: BareDelegate, selectors: tuple[str, ...], *, fits: bool
) -> None:
    await delegate.register(tags=["linux", "ARM"])
    task_id = delegate.manager.submit(Submission("fib", selectors=selectors))
    assert (await delegate.listed_ids() == [task_id]) is fits
    if not fits:
        reason = delegate.manager.state.waiting(task_id) or ""
        assert "has all the selectors gpu, linux" in reason


async def test_tags_belong_to_the_group(delegate: BareDelegate) -> None:
    """A second member registers with other tags, and both answer to them."""
    member = BareDelegate(delegate.manager, delegate.http)
    await member.register(hostName="host-3", tags=["gpu"])
    task_id = delegate.manager.submit(Submission("fib", selectors=("gpu",)))
    assert await delegate.listed_ids() == await member.listed_ids() == [task_id]


async def test_a_task_waits_for_a_delegate_that_comes_later(manager: EmbeddedManager) -> None:
    task_id = manager.submit(Submission("fib"))
    assert manager.state.waiting(task_id) == "no delegate is connected"
    async with http_client(manager) as http:
        delegate = BareDelegate(manager, http)
        await delegate.register()
        assert manager.state.waiting(task_id) == "waiting to be acquired by builder"
        await delegate.acquire(task_id)
    assert manager.state.waiting(task_id) is None


async def test_strictly_a_task_without_an_eligible_delegate_fails_at_once(clock: Clock) -> None:
    async with EmbeddedManager(clock=clock, rules=Rules(strict=True)) as manager, http_client(manager) as http:
        lonely = manager.task(manager.submit(Submission("CI_LE_STATUS")))
        assert lonely.outcome is not None
        assert (lonely.outcome.verdict, lonely.outcome.message) == (
            Verdict.NOT_ELIGIBLE,
            "no eligible delegates",
        )
        delegate = BareDelegate(manager, http)
        await delegate.register(supportedTaskTypes=["CI_LE_STATUS"])
        task_id = manager.submit(Submission("CI_LE_STATUS"))
        late = BareDelegate(manager, http)
        await late.register(hostName="host-2", supportedTaskTypes=["CI_LE_STATUS"])
        assert (await delegate.listed_ids(), await late.listed_ids()) == ([task_id], [])


async def test_the_package_carries_what_was_submitted(delegate: BareDelegate) -> None:
    spec = Submission(
        "fib",
        {"n": 3},
        timeout_ms=5_000,
        secrets=("hush",),
        abstractions={"pipeline": "p1", "stage": "s1"},
        runner_response=True,
    )
    task_id = delegate.manager.submit(spec)
    told = (await delegate.acquire(task_id)).json()
    assert told.pop("logging")["abstractions"] == {"pipeline": "p1", "stage": "s1"}
    assert told == {
        "id": task_id,
        "type": "fib",
        "data": {"n": 3},
        "async": True,
        "timeout": 5_000,
        "runnerResponse": True,
        "delegate": {"id": delegate.delegate_id, "instance_id": "instance-1", "token": ""},
        "encryption_configs": {},
        "secret_details": {},
        "secrets": ["hush"],
        "capabilities": [],
    }
    assert delegate.manager.task(task_id).log_key == "pipeline:p1/stage:s1"


async def test_data_that_is_not_json_is_refused_when_it_is_submitted(manager: EmbeddedManager) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        manager.submit(Submission("fib", {"n": object()}))
    assert manager.state.tasks() == []


async def test_the_same_instance_gets_its_task_again(delegate: BareDelegate) -> None:
    task_id = delegate.manager.submit(Submission("fib"))
    first, again = await delegate.acquire(task_id), await delegate.acquire(task_id)
    assert first.json() == again.json()
    assert len(delegate.manager.task(task_id).events("acquired")) == 1


async def test_another_instance_is_refused_like_any_task_that_is_gone(
    delegate: BareDelegate, other: BareDelegate, clock: Clock
) -> None:
    submit = delegate.manager.submit
    taken, ended, expired = submit(Submission("fib")), submit(Submission("fib")), submit(Submission("fib"))
    deaf = submit(Submission("brew"))
    await other.acquire(taken)
    await other.acquire(ended)
    await other.answer(ended)
    clock.advance(601)
    for task_id in (taken, ended, expired, deaf, "unknown"):
        reply = await delegate.acquire(task_id, "instance-2")
        assert reply.status_code == 500
        assert reply.json()["responseMessages"][0]["code"] == "DEFAULT_ERROR_CODE"


async def test_of_many_instances_that_ask_at_once_one_gets_the_task(delegate: BareDelegate) -> None:
    task_id = delegate.manager.submit(Submission("fib"))
    asked = [delegate.acquire(task_id, f"instance-{number}") for number in range(10)]
    replies = await asyncio.gather(*asked)
    assert sorted(reply.status_code for reply in replies) == [200, *[500] * 9]


async def test_a_deleted_delegate_acquires_nothing(delegate: BareDelegate) -> None:
    task_id = delegate.manager.submit(Submission("fib"))
    delegate.manager.state.delete_delegate("embedded", delegate.delegate_id)
    assert (await delegate.acquire(task_id)).status_code == 500


async def test_a_task_of_another_account_is_out_of_reach(delegate: BareDelegate) -> None:
    delegate.manager.state.accounts.add("neighbour")
    task_id = delegate.manager.submit(Submission("fib", account_id="neighbour"))
    assert await delegate.listed() == []
    assert (await delegate.acquire(task_id)).status_code == 500


async def test_an_abort_is_listed_once_and_only_to_who_holds_the_task(
    delegate: BareDelegate, other: BareDelegate
) -> None:
    task_id = delegate.manager.submit(Submission("fib"))
    await delegate.acquire(task_id)
    assert delegate.manager.abort(task_id)
    assert not delegate.manager.abort(task_id)
    assert await other.listed() == []
    assert await delegate.listed() == [
        {
            "eventType": "DelegateTaskAbortEvent",
            "accountId": "embedded",
            "delegateTaskId": task_id,
            "sync": False,
            "taskType": None,
        }
    ]
    assert await delegate.listed() == []
    assert (await delegate.acquire(task_id)).status_code == 500


async def test_a_result_for_an_aborted_task_is_taken_and_the_verdict_stays_aborted(
    delegate: BareDelegate,
) -> None:
    task_id = delegate.manager.submit(Submission("fib"))
    await delegate.acquire(task_id)
    delegate.manager.abort(task_id)
    await delegate.answer(task_id, "FAILED", {"error_message": "aborted"})
    outcome = delegate.manager.task(task_id).outcome
    assert outcome is not None
    assert outcome.result is not None
    assert (outcome.verdict, outcome.message) == (Verdict.ABORTED, "aborted")
    assert await delegate.listed() == []


async def test_a_queued_task_that_is_aborted_ends_and_is_never_listed(delegate: BareDelegate) -> None:
    task_id = delegate.manager.submit(Submission("fib"))
    delegate.manager.abort(task_id)
    assert delegate.manager.task(task_id).status is TaskStatus.FINISHED
    assert await delegate.listed() == []


async def test_a_sync_task_cannot_be_aborted(delegate: BareDelegate) -> None:
    task_id = delegate.manager.submit(Submission("fib", sync=True))
    with pytest.raises(ValueError, match="sync task"):
        delegate.manager.abort(task_id)
