"""Whatever happens in whatever order: one outcome, one holder, each abort told once."""

import itertools
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from delegate_harness.manager import (
    Delegate,
    ManagerState,
    Outcome,
    Result,
    ResultCode,
    Submission,
    TaskStatus,
    Verdict,
)
from delegate_harness.manager.wire import Registration

from .delegate import Clock

ACCOUNT = "embedded"
HOSTS = ("host-1", "host-2")
FINAL_CODES = (ResultCode.OK, ResultCode.FAILED, ResultCode.TIMEOUT)
VERDICTS = {verdict.value for verdict in Verdict}


class TaskLife(RuleBasedStateMachine):
    """Two delegates, the clock and an operator do what they like."""

    tasks: Bundle[str] = Bundle("tasks")
    hosts = st.sampled_from(HOSTS)
    instances = st.sampled_from(("instance-1", "instance-2"))

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        numbers = itertools.count(1)
        self.state = ManagerState(clock=self.clock, new_id=lambda: f"id-{next(numbers)}")
        self.state.accounts.add(ACCOUNT)
        self.delegate_ids: dict[str, str] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.holders: dict[str, tuple[str, str]] = {}
        self.aborts_told: list[str] = []

    @initialize()
    def both_register(self) -> None:
        for host in HOSTS:
            self.register(host)

    @rule(host=hosts)
    def register(self, host: str) -> None:
        body: dict[str, Any] = {"hostName": host, "supportedTaskTypes": ["fib"]}
        answer = self.state.register(ACCOUNT, Registration.model_validate(body))
        assert isinstance(answer, Delegate)
        self.delegate_ids[host] = answer.delegate_id

    @rule(target=tasks, seconds=st.integers(1, 900), sync=st.booleans())
    def submit(self, seconds: int, *, sync: bool) -> str:
        return self.state.submit(Submission("fib", timeout_ms=seconds * 1000, sync=sync), ACCOUNT)

    @rule(host=hosts)
    def poll(self, host: str) -> None:
        listing = self.state.poll(ACCOUNT, self.delegate_ids[host])
        assert all(task.status is TaskStatus.QUEUED for task in listing.tasks)
        kinds = [task.spec.sync for task in listing.tasks]
        assert kinds == sorted(kinds, reverse=True)
        for task_id in listing.aborts:
            assert self.holders[task_id][0] == self.delegate_ids[host]
        self.aborts_told += listing.aborts

    @rule(task_id=tasks, host=hosts, instance=instances)
    def acquire(self, task_id: str, host: str, instance: str) -> None:
        caller = (self.delegate_ids[host], instance)
        if self.state.acquire(ACCOUNT, caller[0], task_id, instance) is not None:
            assert self.holders.setdefault(task_id, caller) == caller

    @rule(task_id=tasks, host=hosts, code=st.sampled_from(FINAL_CODES))
    def answer(self, task_id: str, host: str, code: ResultCode) -> None:
        self.state.answer(ACCOUNT, task_id, Result(code, {}, "legacy", self.delegate_ids[host]))
        assert self.state.task(task_id).finished

    @rule(task_id=tasks)
    def abort(self, task_id: str) -> None:
        if not self.state.task(task_id).spec.sync:
            self.state.abort(task_id)

    @rule(seconds=st.floats(0, 400))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.state.tick()

    @rule(host=hosts)
    def heartbeat(self, host: str) -> None:
        self.state.heartbeat(ACCOUNT, self.delegate_ids[host])

    @invariant()
    def an_outcome_never_changes(self) -> None:
        for task in self.state.tasks():
            if task.outcome is not None:
                assert self.outcomes.setdefault(task.task_id, task.outcome) is task.outcome

    @invariant()
    def a_task_is_finished_exactly_when_it_has_one_verdict(self) -> None:
        for task in self.state.tasks():
            ends = [event for event in task.history if event.kind in VERDICTS and event.kind != "aborted"]
            assert len(ends) <= (task.outcome is not None)
            assert task.finished is (task.status is TaskStatus.FINISHED)

    @invariant()
    def no_abort_is_told_twice(self) -> None:
        assert len(self.aborts_told) == len(set(self.aborts_told))

    def teardown(self) -> None:
        """In the end time finishes everything."""
        self.clock.advance(1_000)
        self.state.tick()
        assert all(task.finished for task in self.state.tasks())


TestTaskLife = TaskLife.TestCase
TestTaskLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
