"""The rules of a stage's life, one by one: order, judgement, run policies."""

from __future__ import annotations

import pytest

from delegate_core.model import Outcome
from delegate_core.pipeline.graph import GraphError
from delegate_core.pipeline.machine import Changes, WrongState
from delegate_core.pipeline.spec import FailurePolicy, RunPolicy, Step
from delegate_core.pipeline.states import Broken, Ending, Exited, OutOfMemory, Signalled, StageStatus, StepStatus
from tests.pipeline.stages import OK, machine, run, serial


def test_a_serial_stage_runs_its_steps_one_after_another() -> None:
    subject = serial(Step(name="a"), Step(name="b"))
    assert subject.begin().start == ("a",)
    assert run(subject, "a", OK).start == ("b",)
    last = run(subject, "b", OK)
    assert (last.start, last.over) == ((), True)
    assert subject.verdict.status is StageStatus.SUCCESS
    assert subject.verdict.result().outcome is Outcome.SUCCEEDED


def test_steps_that_need_nothing_start_together_and_a_join_waits_for_all() -> None:
    subject = machine(Step(name="a"), Step(name="b"), Step(name="join", depends_on=("a", "b")))
    assert subject.begin().start == ("a", "b")
    assert run(subject, "b", OK).start == ()
    assert run(subject, "a", OK).start == ("join",)


def test_a_stage_without_steps_is_over_and_successful() -> None:
    subject = machine()
    assert subject.begin() == Changes(over=True)
    assert subject.verdict.status is StageStatus.SUCCESS


def test_a_graph_that_cannot_be_followed_runs_nothing() -> None:
    with pytest.raises(GraphError):
        machine(Step(name="a", depends_on=("a",)))


@pytest.mark.parametrize(
    ("ending", "status", "code", "error"),
    [
        (Exited(0), StepStatus.SUCCESS, 0, ""),
        (Exited(78), StepStatus.SUCCESS, 78, ""),
        (Exited(3), StepStatus.FAILURE, 3, ""),
        (Exited(-1), StepStatus.FAILURE, -1, ""),
        (OutOfMemory(), StepStatus.FAILURE, 137, "out of memory"),
        (Signalled(11), StepStatus.FAILURE, -1, "killed by SIGSEGV"),
        (Signalled(200), StepStatus.FAILURE, -1, "killed by signal 200"),
        (Broken("cannot pull"), StepStatus.ERROR, 255, "cannot pull"),
    ],
)
def test_an_ending_is_judged(ending: Ending, status: StepStatus, code: int, error: str) -> None:
    subject = machine(Step(name="a"))
    subject.begin()
    (state,) = run(subject, "a", ending).settled
    assert (state.status, state.exit_code, state.error) == (status, code, error)
    assert subject.state("a") == state


@pytest.mark.parametrize(
    ("ending", "status", "code", "error"),
    [
        (Exited(3), StageStatus.FAILURE, 3, 'step "a" failed with exit code 3'),
        (OutOfMemory(), StageStatus.FAILURE, 137, 'step "a": out of memory'),
        (Broken("cannot pull"), StageStatus.ERROR, 255, 'step "a": cannot pull'),
    ],
)
def test_a_stage_ends_as_the_step_that_broke_it(ending: Ending, status: StageStatus, code: int, error: str) -> None:
    subject = machine(Step(name="a"))
    subject.begin()
    run(subject, "a", ending)
    verdict = subject.verdict
    assert (verdict.status, verdict.exit_code, verdict.error, verdict.culprit) == (status, code, error, "a")
    assert verdict.result().outcome is Outcome.FAILED


def test_the_first_failure_in_time_names_the_stage_not_the_first_in_the_list() -> None:
    subject = machine(Step(name="a"), Step(name="b"))
    subject.begin()
    subject.start("a")
    run(subject, "b", Exited(2))
    subject.end("a", Broken("lost"))
    assert (subject.verdict.status, subject.verdict.culprit) == (StageStatus.FAILURE, "b")
    assert subject.failed_steps == ("a", "b")


@pytest.mark.parametrize(
    ("policy", "first", "runs"),
    [
        (RunPolicy.ON_SUCCESS, OK, True),
        (RunPolicy.ON_SUCCESS, Exited(1), False),
        (RunPolicy.ON_SUCCESS, Broken("lost"), False),
        (RunPolicy.ON_FAILURE, OK, False),
        (RunPolicy.ON_FAILURE, Exited(1), True),
        (RunPolicy.ON_FAILURE, Broken("lost"), True),
        (RunPolicy.ALWAYS, OK, True),
        (RunPolicy.ALWAYS, Exited(1), True),
    ],
)
def test_a_run_policy_decides_when_the_dependencies_have_returned(
    policy: RunPolicy, first: Ending, *, runs: bool
) -> None:
    subject = serial(Step(name="first"), Step(name="then", run=policy))
    subject.begin()
    changes = run(subject, "first", first)
    assert changes.start == (("then",) if runs else ())
    assert subject.state("then").status is (StepStatus.PENDING if runs else StepStatus.SKIPPED)
    assert changes.over is not runs


def test_a_skipped_step_says_why() -> None:
    subject = serial(Step(name="a"), Step(name="b"), Step(name="c", run=RunPolicy.ON_FAILURE))
    subject.begin()
    run(subject, "a", Exited(4))
    run(subject, "c", OK)
    assert subject.state("b").skipped_because == 'step "a" failed with exit code 4'
    other = serial(Step(name="a"), Step(name="c", run=RunPolicy.ON_FAILURE))
    other.begin()
    run(other, "a", OK)
    assert other.state("c").skipped_because == "no step has failed"


def test_a_chain_of_skipped_steps_settles_at_once_and_what_follows_goes_on() -> None:
    subject = serial(Step(name="a"), Step(name="b"), Step(name="c"), Step(name="d", run=RunPolicy.ALWAYS))
    subject.begin()
    changes = run(subject, "a", Exited(1))
    assert [state.name for state in changes.settled] == ["a", "b", "c"]
    assert changes.start == ("d",)


def test_a_repaired_failure_still_fails_the_stage() -> None:
    subject = serial(Step(name="a"), Step(name="repair", run=RunPolicy.ON_FAILURE))
    subject.begin()
    run(subject, "a", Exited(1))
    assert run(subject, "repair", OK).over
    assert subject.verdict.status is StageStatus.FAILURE


def test_a_never_step_is_absent_and_its_dependents_wait_for_its_dependencies() -> None:
    subject = serial(Step(name="a"), Step(name="gone", run=RunPolicy.NEVER), Step(name="b"))
    assert [(state.name, state.number) for state in subject.steps] == [("a", 1), ("b", 2)]
    assert subject.begin().start == ("a",)
    assert run(subject, "a", OK).start == ("b",)
    with pytest.raises(WrongState, match="gone"):
        subject.state("gone")


def test_a_never_step_that_would_fail_fast_harms_nothing() -> None:
    subject = machine(Step(name="gone", run=RunPolicy.NEVER, failure=FailurePolicy.FAST))
    assert subject.begin().over


@pytest.mark.parametrize("ending", [Exited(1), OutOfMemory(), Broken("cannot pull")])
def test_an_ignored_failure_is_recorded_and_the_stage_goes_on(ending: Ending) -> None:
    subject = serial(
        Step(name="a", failure=FailurePolicy.IGNORE),
        Step(name="on-failure", run=RunPolicy.ON_FAILURE),
        Step(name="b"),
    )
    subject.begin()
    assert run(subject, "a", ending).start == ("b",)
    run(subject, "b", OK)
    assert subject.state("a").status.is_failing
    assert (subject.failing, subject.failed_steps) == (False, ())
    assert subject.verdict.status is StageStatus.SUCCESS


def test_a_step_that_waits_for_a_free_process_is_decided_again() -> None:
    subject = machine(Step(name="a"), Step(name="waits"))
    assert subject.begin().start == ("a", "waits")
    changes = run(subject, "a", Exited(1))
    assert [state.name for state in changes.settled] == ["a", "waits"]
    assert subject.start("waits") is None


def test_what_cannot_be_is_a_defect_of_the_driver() -> None:
    subject = serial(Step(name="a"), Step(name="b"))
    subject.begin()
    with pytest.raises(WrongState, match='"b" cannot start'):
        subject.start("b")
    with pytest.raises(WrongState, match='"a" cannot end: it is pending'):
        subject.end("a", OK)
    subject.start("a")
    with pytest.raises(WrongState, match='"a" cannot start: it is running'):
        subject.start("a")
    subject.end("a", OK)
    with pytest.raises(WrongState, match='"a" cannot end: it is success'):
        subject.end("a", OK)


def test_begin_tells_nothing_twice() -> None:
    subject = machine(Step(name="a"))
    assert subject.begin().start == ("a",)
    assert subject.begin().start == ()


def test_the_first_reason_to_end_counts_and_no_step_is_told_twice_to_stop() -> None:
    subject = machine(Step(name="a"), Step(name="b"))
    for name in subject.begin().start:
        subject.start(name)
    assert subject.time_out(5).stop == ("a", "b")
    assert subject.break_off("too late").stop == ()
    assert subject.verdict.outcome is Outcome.TIMED_OUT
