"""Stages to try: a short way to make and drive one, and strategies for any."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from delegate_core.pipeline.graph import in_sequence
from delegate_core.pipeline.machine import Changes, Machine
from delegate_core.pipeline.spec import FailurePolicy, RunPolicy, Stage, Step
from delegate_core.pipeline.states import Ending, Exited

OK = Exited(0)


def machine(*steps: Step) -> Machine:
    return Machine(Stage(name="test", steps=steps))


def serial(*steps: Step) -> Machine:
    return machine(*in_sequence(steps))


def run(subject: Machine, name: str, ending: Ending) -> Changes:
    assert subject.start(name) is not None
    return subject.end(name, ending)


def statuses(subject: Machine) -> dict[str, str]:
    return {state.name: state.status.value for state in subject.steps}


@st.composite
def acyclic_steps(draw: st.DrawFn) -> tuple[Step, ...]:
    """One to eight steps, each depending on some of those drawn before it, then shuffled: references go both ways."""
    names = [chr(ord("a") + number) for number in range(draw(st.integers(1, 8)))]
    needs = [draw(st.lists(st.sampled_from(names[:at]), unique=True)) if at else [] for at in range(len(names))]
    steps = [Step(name=name, depends_on=tuple(need)) for name, need in zip(names, needs, strict=True)]
    return tuple(draw(st.permutations(steps)))


@st.composite
def stages(draw: st.DrawFn) -> Stage:
    """Any graph with any policies."""
    steps = [
        replace(
            step,
            run=draw(st.sampled_from(RunPolicy)),
            failure=draw(st.sampled_from(FailurePolicy)),
            detach=draw(st.integers(0, 3)) == 0,
        )
        for step in draw(acyclic_steps())
    ]
    return Stage(name="any", steps=tuple(steps))
