"""Ways to look at a pipeline that several rules share."""

from __future__ import annotations

from delegate_drone.manifest.models import Pipeline, Step
from delegate_drone.manifest.nodes import Entry, Mapping, Scalar

__all__ = ["all_steps", "entry"]


def all_steps(pipeline: Pipeline) -> tuple[Step, ...]:
    """Services and steps: what runs. An exec pipeline has no services."""
    return pipeline.steps if pipeline.type == "exec" else (*pipeline.services, *pipeline.steps)


def entry(node: Mapping, name: str) -> Entry | None:
    """The last entry under a key, with the places of key and value."""
    found = [one for one in node.entries if isinstance(one.key, Scalar) and one.key.text == name]
    return found[-1] if found else None
