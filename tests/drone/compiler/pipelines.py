"""Pipelines and builds that the tests compile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from delegate_core.pipeline.spec import Stage, Step
from delegate_drone.compiler import Facts, Options, compile_stage
from delegate_drone.manifest import Pipeline, load_manifest

EXEC = "kind: pipeline\ntype: exec\nname: p\n"
DOCKER = "kind: pipeline\ntype: docker\nname: p\n"
BARE = "clone: { disable: true }\n"


def pipeline(text: str) -> Pipeline:
    """The only pipeline of a manifest."""
    (found,) = load_manifest(text).pipelines
    return found


def compiled(
    text: str, *, secrets: Mapping[str, str] | None = None, facts: Facts | None = None, **options: Any
) -> Stage:
    """The stage of a manifest's only pipeline."""
    return compile_stage(pipeline(text), facts or Facts(), options=Options(**options), secrets=secrets or {})


def step(stage: Stage, name: str = "a") -> Step:
    """The step of that name."""
    (found,) = (each for each in stage.steps if each.name == name)
    return found


def one_step(fields: str, *, type_: str = DOCKER, **arguments: Any) -> Step:
    """A pipeline's only step ``a``; each line of ``fields`` is one of its keys."""
    image = "" if type_ == EXEC or "image:" in fields else "  image: i\n"
    lines = "".join(f"  {line}\n" for line in fields.splitlines())
    return step(compiled(f"{type_}{BARE}steps:\n- name: a\n{image}{lines}", **arguments))
