"""Any graph, any order of endings, any moment of a cancellation: what always holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from delegate_core.model import CancelCause
from delegate_core.pipeline.machine import Changes, Machine
from delegate_core.pipeline.spec import FailurePolicy, RunPolicy, Stage, Step
from delegate_core.pipeline.states import (
    Broken,
    Ending,
    Exited,
    OutOfMemory,
    Signalled,
    StageStatus,
    StepState,
    StepStatus,
)
from tests.pipeline.stages import stages

ENDINGS: tuple[Ending, ...] = (
    Exited(0),
    Exited(0),
    Exited(0),
    Exited(1),
    Exited(78),
    OutOfMemory(),
    Signalled(9),
    Broken("lost"),
)
UNHURRIED = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failure."""
KILLS: dict[str, Callable[[Machine], Changes]] = {
    "cancel": lambda machine: machine.cancel(CancelCause.SERVER),
    "timeout": lambda machine: machine.time_out(60),
    "breakdown": lambda machine: machine.break_off("no space left"),
}


class Ride:
    """Drives a machine as a careless driver would, checks each answer, and notes down what the oracle needs.

    Its own bookkeeping uses nothing but what it was told: the spec, its own events and the changes they led to.
    """

    def __init__(self, stage: Stage) -> None:
        self.machine = Machine(stage)
        self.steps = {step.name: step for step in stage.steps}
        self.expected = {name for name, step in self.steps.items() if step.run is not RunPolicy.NEVER}
        self.offered: set[str] = set()
        self.ever_offered: set[str] = set()
        self.running: set[str] = set()
        self.told_to_stop: set[str] = set()
        self.dismissed: set[str] = set()
        self.settled: dict[str, StepState] = {}
        self.breakers: list[tuple[str, Ending]] = []
        self.kill: str | None = None
        self.ended_early = False
        self.over = False
        self.note(self.machine.begin())

    def start(self, name: str) -> None:
        self.offered.discard(name)
        changes = self.machine.start(name)
        assert (changes is None) is (name in self.settled)
        if changes is not None:
            assert self.kill is None
            assert all(self.returned(need) for need in self.waits_for(name))
            assert self.may_run(self.steps[name])
            self.running.add(name)
            self.note(changes)

    def end(self, name: str, ending: Ending) -> None:
        step = self.steps[name]
        by_itself = name not in self.told_to_stop
        self.running.discard(name)
        if by_itself and ending not in {Exited(0), Exited(78)} and step.failure is not FailurePolicy.IGNORE:
            self.breakers.append((name, ending))
            self.kill = "fast" if step.failure is FailurePolicy.FAST else self.kill
        self.ended_early |= by_itself and ending == Exited(78) and not step.detach
        changes = self.machine.end(name, ending)
        assert changes.settled[0].name == name
        self.note(changes)

    def interrupt(self, how: str) -> None:
        too_late = how != "breakdown" and all(self.returned(name) for name in self.expected)
        if self.kill is None and not too_late:
            self.kill = how
        self.note(KILLS[how](self.machine))

    def note(self, changes: Changes) -> None:
        for state in changes.settled:
            assert state.name not in self.settled
            assert state.status.is_terminal
            self.settled[state.name] = state
        for state in changes.settled:
            assert state.status is not StepStatus.SKIPPED or self.may_skip(self.steps[state.name])
        assert not self.told_to_stop & set(changes.stop)
        self.told_to_stop.update(changes.stop)
        self.dismissed.update(changes.stop if self.kill is None else ())
        assert not self.ever_offered & set(changes.start)
        self.ever_offered.update(changes.start)
        self.offered.update(changes.start)
        assert not (self.kill and changes.start)
        if self.kill or all(self.returned(name) for name in self.expected):
            assert self.running <= self.told_to_stop
        self.over = changes.over

    def may_run(self, step: Step) -> bool:
        return {RunPolicy.ON_SUCCESS: not self.breakers, RunPolicy.ON_FAILURE: bool(self.breakers)}.get(step.run, True)

    def may_skip(self, step: Step) -> bool:
        if self.kill or self.ended_early:
            return True
        return not self.may_run(step) and all(self.returned(need) for need in self.waits_for(step.name))

    def returned(self, name: str) -> bool:
        return name in self.settled or (name in self.running and self.steps[name].detach)

    def waits_for(self, name: str) -> Iterator[str]:
        """What it waits for, seen through the steps that never run."""
        for need in self.steps[name].depends_on:
            if self.steps[need].run is RunPolicy.NEVER:
                yield from self.waits_for(need)
            else:
                yield need

    def verdict(self) -> StageStatus:
        """The oracle: what a person with the list of events would call it."""
        if self.kill in {"cancel", "timeout"}:
            return StageStatus.KILLED
        if self.kill == "breakdown":
            return StageStatus.ERROR
        if not self.breakers:
            return StageStatus.SUCCESS
        return StageStatus.ERROR if isinstance(self.breakers[0][1], Broken) else StageStatus.FAILURE


@st.composite
def rides(draw: st.DrawFn, *, interrupted: bool) -> Ride:
    """A stage driven to its end in any order, with a kill at any moment where wanted."""
    ride = Ride(draw(stages()))
    kill_at = draw(st.integers(0, 2 * len(ride.steps))) if interrupted else None
    for moment in range(2 * len(ride.steps) + 1):
        if moment == kill_at:
            ride.interrupt(draw(st.sampled_from(sorted(KILLS))))
        choices = sorted(ride.offered | ride.running)
        if not choices:
            break
        name = draw(st.sampled_from(choices))
        if name in ride.offered:
            ride.start(name)
        else:
            ride.end(name, draw(st.sampled_from(ENDINGS)))
    return ride


@UNHURRIED
@given(rides(interrupted=False))
def test_every_stage_ends_with_each_step_settled_once_and_never_steps_absent(ride: Ride) -> None:
    assert ride.over
    assert ride.machine.is_over
    assert set(ride.settled) == ride.expected
    assert ride.machine.steps == tuple(ride.settled[name] for name in ride.steps if name in ride.expected)
    assert [state.number for state in ride.machine.steps] == list(range(1, len(ride.expected) + 1))


@UNHURRIED
@given(rides(interrupted=False))
def test_the_verdict_is_what_a_person_would_call_it(ride: Ride) -> None:
    verdict = ride.machine.verdict
    assert verdict.status is ride.verdict()
    assert verdict.culprit == (ride.breakers[0][0] if ride.breakers else None)
    assert (verdict.exit_code == 0) is (verdict.status is StageStatus.SUCCESS)
    assert (verdict.error == "") is (verdict.status is StageStatus.SUCCESS)


@UNHURRIED
@given(rides(interrupted=True))
def test_a_kill_at_any_moment_ends_everything_and_starts_nothing(ride: Ride) -> None:
    assert ride.over
    assert set(ride.settled) == ride.expected
    assert ride.machine.verdict.status is ride.verdict()
    for name in ride.told_to_stop:
        wanted = StepStatus.SUCCESS if name in ride.dismissed else StepStatus.KILLED
        assert ride.settled[name].status is wanted
