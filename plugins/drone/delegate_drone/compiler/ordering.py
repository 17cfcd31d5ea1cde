"""Which steps wait for which: Drone's defaults where a pipeline does not say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from delegate_core.pipeline.graph import in_sequence
from delegate_core.pipeline.spec import Step

__all__ = ["CLONE", "linked"]

CLONE = "clone"
"""The name of the step that fetches the source."""


def linked(steps: Sequence[Step], *, clone: Step | None) -> tuple[Step, ...]:
    """The whole stage's steps, ``clone`` first.

    Where no step names a dependency, they run one after another. Else they form a graph, in which a step without
    dependencies waits for the clone alone; a dependency on a clone step that is not there is dropped.
    """
    whole = (*((clone,) if clone else ()), *steps)
    if not any(step.depends_on for step in whole):
        return in_sequence(whole)
    if clone:
        return (clone, *(step if step.depends_on else replace(step, depends_on=(CLONE,)) for step in steps))
    names = {step.name for step in steps}
    return whole if CLONE in names else tuple(map(_without_clone, steps))


def _without_clone(step: Step) -> Step:
    return replace(step, depends_on=tuple(name for name in step.depends_on if name != CLONE))
