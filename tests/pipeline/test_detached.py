"""Detached steps: who waits for them, when they are ended, and what their own end means."""

from __future__ import annotations

import pytest

from delegate_core.pipeline.machine import Changes
from delegate_core.pipeline.spec import FailurePolicy, Step
from delegate_core.pipeline.states import Broken, Ending, Exited, OutOfMemory, Signalled, StageStatus, StepStatus
from tests.pipeline.stages import OK, machine, run, serial, statuses


def test_a_detached_step_returns_when_it_starts_and_is_ended_with_the_stage() -> None:
    subject = serial(Step(name="service", detach=True), Step(name="test"))
    assert subject.begin().start == ("service",)
    started = subject.start("service")
    assert started == Changes(start=("test",))
    changes = run(subject, "test", OK)
    assert (changes.stop, changes.over) == (("service",), False)
    assert subject.end("service", Signalled(15)).over
    assert (subject.state("service").status, subject.state("service").exit_code) == (StepStatus.SUCCESS, 0)
    assert subject.verdict.status is StageStatus.SUCCESS


@pytest.mark.parametrize("ending", [Exited(1), Signalled(9), OutOfMemory(), Broken("cannot pull")])
def test_a_detached_step_that_fails_by_itself_fails_the_stage(ending: Ending) -> None:
    subject = machine(
        Step(name="service", detach=True),
        Step(name="test", depends_on=("service",)),
        Step(name="publish", depends_on=("test",)),
    )
    subject.begin()
    subject.start("service")
    subject.start("test")
    subject.end("service", ending)
    assert subject.end("test", OK).over
    assert statuses(subject)["publish"] == "skipped"
    assert subject.verdict.culprit == "service"


def test_a_detached_step_that_fails_ignored_is_recorded_only() -> None:
    subject = serial(Step(name="service", detach=True, failure=FailurePolicy.IGNORE), Step(name="test"))
    subject.begin()
    run(subject, "service", Exited(1))
    assert run(subject, "test", OK).over
    assert statuses(subject) == {"service": "failure", "test": "success"}
    assert subject.verdict.status is StageStatus.SUCCESS


def test_a_detached_step_that_exits_with_78_skips_nothing() -> None:
    subject = serial(Step(name="service", detach=True), Step(name="a"), Step(name="b"))
    subject.begin()
    run(subject, "service", Exited(78))
    assert run(subject, "a", OK).start == ("b",)


def test_a_detached_step_with_nobody_to_serve_is_ended_at_once() -> None:
    subject = machine(Step(name="service", detach=True))
    subject.begin()
    assert subject.start("service") == Changes(stop=("service",))
