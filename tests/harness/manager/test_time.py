"""What time alone does to tasks, on a clock of ours and without a network."""

import itertools

import pytest

from delegate_harness.manager import ManagerState, Outcome, Rules, Submission, TaskStatus, Verdict
from delegate_harness.manager.wire import Registration

from .delegate import Clock

ACCOUNT = "embedded"


def manager_of(clock: Clock, rules: Rules | None = None) -> ManagerState:
    numbers = itertools.count(1)
    state = ManagerState(rules, clock=clock, new_id=lambda: f"id-{next(numbers)}")
    state.accounts.add(ACCOUNT)
    return state


def registered(state: ManagerState, host: str = "host-1") -> str:
    registration = Registration.model_validate({"hostName": host, "supportedTaskTypes": ["fib"]})
    delegate = state.register(ACCOUNT, registration)
    return getattr(delegate, "delegate_id", "")


def outcome(state: ManagerState, task_id: str) -> Outcome | None:
    return state.task(task_id).outcome


def pass_time(state: ManagerState, clock: Clock, seconds: int, step: int = 5) -> None:
    """Let the time pass in steps, every delegate's heart beating."""
    for _ in range(seconds // step):
        clock.advance(step)
        for delegate in state.delegates(ACCOUNT):
            state.heartbeat(ACCOUNT, delegate.delegate_id)
        state.tick()


def test_a_started_task_times_out_counted_from_its_assignment(clock: Clock) -> None:
    state = manager_of(clock)
    delegate_id = registered(state)
    task_id = state.submit(Submission("fib", timeout_ms=60_000), ACCOUNT)
    clock.advance(50)
    assert state.acquire(ACCOUNT, delegate_id, task_id, "instance-1")
    clock.advance(59.9)
    state.tick()
    assert outcome(state, task_id) is None
    clock.advance(0.1)
    state.tick()
    told = outcome(state, task_id)
    assert told is not None
    assert (told.verdict, told.message) == (Verdict.EXPIRED, "timed out")


def test_a_queued_task_past_its_expiry_is_not_assigned(clock: Clock) -> None:
    state = manager_of(clock)
    task_id = state.submit(Submission("fib", timeout_ms=1_000), ACCOUNT)
    clock.advance(1)
    state.tick()
    told = outcome(state, task_id)
    assert told is not None
    assert told.verdict is Verdict.NOT_ASSIGNED


def test_a_queued_task_past_its_expiry_is_no_longer_listed(clock: Clock) -> None:
    state = manager_of(clock)
    delegate_id = registered(state)
    state.submit(Submission("fib", timeout_ms=1_000), ACCOUNT)
    clock.advance(1)
    assert state.poll(ACCOUNT, delegate_id).tasks == []


def test_an_aborted_task_without_an_answer_ends_at_its_expiry(clock: Clock) -> None:
    state = manager_of(clock)
    delegate_id = registered(state)
    task_id = state.submit(Submission("fib", timeout_ms=60_000), ACCOUNT)
    state.acquire(ACCOUNT, delegate_id, task_id, "instance-1")
    state.abort(task_id)
    state.tick()
    assert state.task(task_id).status is TaskStatus.ABORTED
    pass_time(state, clock, 60)
    told = outcome(state, task_id)
    assert told is not None
    assert told.verdict is Verdict.ABORTED


def test_an_aborted_task_stays_aborted_when_its_delegate_falls_silent(clock: Clock) -> None:
    state = manager_of(clock)
    delegate_id = registered(state)
    task_id = state.submit(Submission("fib", timeout_ms=3_600_000), ACCOUNT)
    state.acquire(ACCOUNT, delegate_id, task_id, "instance-1")
    state.abort(task_id)
    clock.advance(301)
    state.tick()
    assert state.task(task_id).status is TaskStatus.ABORTED


def test_three_broadcast_rounds_without_a_taker_are_enough(clock: Clock) -> None:
    """The rounds of one delegate end at 0, 60 and 180 s; the pause after the third is three minutes."""
    state = manager_of(clock)
    registered(state)
    task_id = state.submit(Submission("fib", timeout_ms=3_600_000), ACCOUNT)
    state.tick()
    pass_time(state, clock, 355)
    assert outcome(state, task_id) is None
    pass_time(state, clock, 5)
    told = outcome(state, task_id)
    assert told is not None
    assert (told.verdict, told.message) == (Verdict.NOT_ASSIGNED, "not assigned after 3 broadcast rounds")


def test_a_round_reaches_ten_delegates_at_a_time(clock: Clock) -> None:
    state = manager_of(clock)
    for number in range(25):
        registered(state, f"host-{number}")
    task = state.task(state.submit(Submission("fib", timeout_ms=3_600_000), ACCOUNT))
    state.tick()
    reached = [len(task.broadcast_to)]
    pass_time(state, clock, 5)
    reached.append(len(task.broadcast_to))
    assert (reached, task.round) == ([10, 20], 0)
    pass_time(state, clock, 5)
    assert task.round == 1


@pytest.mark.parametrize("rules", [Rules(rounds=None), Rules()])
def test_no_round_counts_without_a_limit_or_without_an_eligible_delegate(clock: Clock, rules: Rules) -> None:
    state = manager_of(clock, rules)
    if rules.rounds is None:
        registered(state)
    task_id = state.submit(Submission("fib", timeout_ms=36_000_000), ACCOUNT)
    pass_time(state, clock, 7_200, step=60)
    assert state.task(task_id).status is TaskStatus.QUEUED


def test_only_so_many_finished_tasks_are_remembered(clock: Clock) -> None:
    state = manager_of(clock, Rules(keep_finished=2))
    tasks = [state.submit(Submission("fib"), ACCOUNT) for _ in range(3)]
    for task_id in tasks:
        state.abort(task_id)
    assert [task.task_id for task in state.tasks()] == tasks[1:]
    with pytest.raises(KeyError):
        state.task(tasks[0])


def test_a_disconnected_delegate_is_offered_nothing(clock: Clock) -> None:
    state = manager_of(clock)
    delegate_id = registered(state)
    state.submit(Submission("fib", timeout_ms=3_600_000), ACCOUNT)
    clock.advance(301)
    state.tick()
    assert state.poll(ACCOUNT, delegate_id).tasks == []
    state.heartbeat(ACCOUNT, delegate_id)
    assert len(state.poll(ACCOUNT, delegate_id).tasks) == 1
