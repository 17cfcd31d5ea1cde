"""What ends a stage before its last step: exit code 78, fast failures, cancellation, timeout."""

from __future__ import annotations

import pytest

from delegate_core.model import CancelCause, Outcome
from delegate_core.pipeline.machine import Changes
from delegate_core.pipeline.spec import FailurePolicy, RunPolicy, Step
from delegate_core.pipeline.states import Broken, Ending, Exited, Signalled, StageStatus, StepStatus
from tests.pipeline.stages import OK, machine, run, serial, statuses


def test_exit_code_78_succeeds_and_skips_all_that_waits() -> None:
    subject = machine(
        Step(name="a"),
        Step(name="runs"),
        Step(name="b", depends_on=("a",)),
        Step(name="cleanup", depends_on=("a",), run=RunPolicy.ALWAYS),
    )
    subject.begin()
    subject.start("runs")
    changes = run(subject, "a", Exited(78))
    assert (changes.start, changes.stop) == ((), ())
    assert statuses(subject) == {"a": "success", "runs": "running", "b": "skipped", "cleanup": "skipped"}
    assert "exit code 78" in subject.state("b").skipped_because
    assert subject.end("runs", OK).over
    assert (subject.verdict.status, subject.verdict.exit_code) == (StageStatus.SUCCESS, 0)


def test_what_still_runs_after_exit_code_78_can_fail_the_stage() -> None:
    subject = machine(Step(name="a"), Step(name="b"))
    subject.begin()
    subject.start("b")
    run(subject, "a", Exited(78))
    subject.end("b", Exited(1))
    assert subject.verdict.culprit == "b"


@pytest.mark.parametrize("ending", [Exited(5), Broken("cannot pull")])
@pytest.mark.parametrize("order", [("killed", "fast", "waits"), ("waits", "fast", "killed")])
def test_a_fast_failure_kills_what_runs_and_skips_what_waits(ending: Ending, order: tuple[str, ...]) -> None:
    waits = Step(name="waits", depends_on=("fast",), run=RunPolicy.ALWAYS)
    steps = {"killed": Step(name="killed"), "fast": Step(name="fast", failure=FailurePolicy.FAST), "waits": waits}
    subject = machine(*(steps[name] for name in order))
    subject.begin()
    subject.start("killed")
    changes = run(subject, "fast", ending)
    assert (changes.stop, changes.start, changes.over) == (("killed",), (), False)
    assert subject.end("killed", Exited(143)).over
    assert statuses(subject)["killed"] == "killed"
    assert statuses(subject)["waits"] == "skipped"
    assert (subject.verdict.status, subject.verdict.culprit) == (StageStatus(subject.state("fast").status), "fast")
    assert subject.state("killed").error == subject.verdict.error


@pytest.mark.parametrize("cause", [CancelCause.SERVER, CancelCause.OPERATOR, CancelCause.STOPPED])
def test_a_cancellation_kills_what_runs_and_skips_what_waits(cause: CancelCause) -> None:
    subject = machine(
        Step(name="service", detach=True),
        Step(name="a"),
        Step(name="b", depends_on=("a",)),
        Step(name="cleanup", depends_on=("a",), run=RunPolicy.ALWAYS),
    )
    subject.begin()
    subject.start("service")
    subject.start("a")
    changes = subject.cancel(cause)
    assert (changes.stop, changes.start, changes.over) == (("service", "a"), (), False)
    subject.end("a", OK)
    assert subject.end("service", Exited(143)).over
    assert statuses(subject) == {"service": "killed", "a": "killed", "b": "skipped", "cleanup": "skipped"}
    assert subject.state("a").exit_code == 137
    assert (subject.verdict.status, subject.verdict.exit_code) == (StageStatus.KILLED, 137)
    assert (subject.verdict.result().outcome, subject.verdict.result().cause) == (Outcome.CANCELLED, cause)


def test_a_cancellation_between_steps_skips_the_step_that_was_to_start() -> None:
    subject = serial(Step(name="a"), Step(name="b"))
    subject.begin()
    assert run(subject, "a", OK).start == ("b",)
    assert subject.cancel(CancelCause.SERVER).over
    assert subject.start("b") is None
    assert (subject.verdict.status, subject.verdict.exit_code) == (StageStatus.KILLED, 137)


def test_a_failure_before_a_cancellation_does_not_hide_it() -> None:
    subject = serial(Step(name="a"), Step(name="cleanup", run=RunPolicy.ALWAYS))
    subject.begin()
    run(subject, "a", Exited(1))
    subject.cancel(CancelCause.OPERATOR)
    assert subject.verdict.status is StageStatus.KILLED


def test_a_cancellation_after_the_end_changes_nothing() -> None:
    subject = machine(Step(name="a"))
    subject.begin()
    run(subject, "a", OK)
    assert subject.cancel(CancelCause.SERVER) == Changes(over=True)
    assert subject.verdict.status is StageStatus.SUCCESS


def test_a_cancellation_while_only_detached_steps_are_being_ended_is_too_late() -> None:
    subject = serial(Step(name="service", detach=True), Step(name="test"))
    subject.begin()
    subject.start("service")
    run(subject, "test", OK)
    assert subject.cancel(CancelCause.SERVER) == Changes()
    assert subject.end("service", Exited(143)).over
    assert subject.verdict.status is StageStatus.SUCCESS


def test_a_timeout_kills_and_says_so() -> None:
    subject = serial(Step(name="a"), Step(name="b"))
    subject.begin()
    subject.start("a")
    assert subject.time_out(3600).stop == ("a",)
    subject.end("a", Signalled(9))
    assert subject.state("a").error == "timed out after 3600s"
    assert subject.state("b").skipped_because == "timed out after 3600s"
    assert (subject.verdict.status, subject.verdict.exit_code) == (StageStatus.KILLED, 137)
    result = subject.verdict.result()
    assert (result.outcome, result.error) == (Outcome.TIMED_OUT, "timed out after 3600s")


def test_only_the_first_reason_to_end_counts() -> None:
    subject = machine(Step(name="a"))
    subject.begin()
    subject.start("a")
    subject.time_out(1.5)
    assert subject.cancel(CancelCause.OPERATOR) == Changes()
    subject.end("a", OK)
    assert subject.verdict.error == "timed out after 1.5s"


def test_a_stage_that_cannot_be_set_up_is_an_error() -> None:
    subject = machine(Step(name="a"), Step(name="b", run=RunPolicy.ALWAYS))
    changes = subject.break_off("no space left")
    assert ([state.status for state in changes.settled], changes.over) == ([StepStatus.SKIPPED] * 2, True)
    assert (subject.verdict.status, subject.verdict.exit_code) == (StageStatus.ERROR, 255)
    assert subject.verdict.result().error == "no space left"
    assert subject.begin() == Changes(over=True)
