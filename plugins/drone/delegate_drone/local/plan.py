"""``delegate plan``: what would run, in which order, and why the rest would not."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from delegate_core.console import lastwords
from delegate_core.console.visible import visible
from delegate_core.logs import Mask
from delegate_core.pipeline.container import Container, Pull
from delegate_core.pipeline.graph import Graph
from delegate_core.pipeline.machine import Machine
from delegate_core.pipeline.spec import HostVolume, RunPolicy, Stage, Step
from delegate_core.pipeline.states import StepState
from delegate_drone.compiler import Facts, runtime_environment
from delegate_drone.local.choices import Choices, Given
from delegate_drone.local.engines import StepEngine
from delegate_drone.local.execute import prepare
from delegate_drone.local.reasons import unmet
from delegate_drone.local.selection import Candidate
from delegate_drone.local.workload import Workload
from delegate_drone.manifest import Pipeline
from delegate_drone.manifest import Step as ManifestStep

__all__ = ["PlannedPipeline", "PlannedStep", "plan", "planned"]

_HIDDEN: Final = "******"
_SEVERAL: Final = 2
_FOLDER: Final = Path("/tmp/delegate-exec")  # noqa: S108 - only shown; a run makes its own folder


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """One step: when it runs, or why it never does. Each of its volumes is a text: what it is, and where."""

    name: str
    run: str
    because: str = ""
    image: str = ""
    pull: str = ""
    privileged: bool = False
    volumes: tuple[str, ...] = ()
    failure: str = "fail"
    detach: bool = False
    depends_on: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPipeline:
    """One pipeline: whether it would run, or why not, where its containers see the source, and its steps in order."""

    name: str
    type: str
    runs: bool
    because: str = ""
    depends_on: tuple[str, ...] = ()
    when: str = "on-success"
    workspace: str = ""
    steps: tuple[PlannedStep, ...] = ()


def plan(choices: Choices, given: Given, *, as_json: bool, environment: bool) -> int:
    """Print the plan.

    Raises:
        SettingsError: the file or an option cannot be used.
    """
    plans = planned(prepare(choices, given), environment=environment)
    if as_json:
        text = json.dumps([asdict(each) for each in plans], indent=2)
    else:
        text = "\n\n".join("\n".join(_pipeline_lines(each)) for each in plans)
    lastwords.plain_output().write(f"{text}\n")
    return 0


def planned(workload: Workload, *, environment: bool) -> tuple[PlannedPipeline, ...]:
    """The plan of a workload; with ``environment`` each step's variables, the secret ones hidden."""
    return tuple(_planned(workload, candidate, environment=environment) for candidate in workload.candidates)


def _planned(workload: Workload, candidate: Candidate, *, environment: bool) -> PlannedPipeline:
    pipeline = candidate.pipeline
    steps: tuple[PlannedStep, ...] = ()
    workspace = ""
    if isinstance(pipeline, Pipeline):
        kind = workload.engines.get(pipeline.type)
        facts = workload.facts(candidate, {})
        stage = workload.compile(candidate, _places(kind), facts)
        workspace = posixpath.join(stage.workspace.base, stage.workspace.path).rstrip("/")
        steps = tuple(_steps(workload, pipeline, stage, facts, environment=environment))
    return PlannedPipeline(
        name=candidate.name,
        type=pipeline.type,
        runs=candidate.runs,
        because=candidate.left_out or candidate.missing,
        depends_on=candidate.needs,
        when=pipeline.trigger.run_policy if isinstance(pipeline, Pipeline) else "on-success",
        workspace=workspace,
        steps=steps,
    )


def _places(kind: StepEngine | None) -> Mapping[str, str]:
    return kind.places(_FOLDER) if kind is not None else {}


def _steps(
    workload: Workload, pipeline: Pipeline, stage: Stage, facts: Facts, *, environment: bool
) -> Iterator[PlannedStep]:
    written = {step.name: step for step in (*pipeline.services, *pipeline.steps)}
    machine = Machine(stage)
    states = {state.name: state for state in machine.steps}
    graph = Graph(stage.steps).without({step.name for step in stage.steps} - states.keys())
    mask = Mask((*workload.secrets.values(), *stage.masks()))
    for step in stage.steps:
        state = states.get(step.name)
        yield PlannedStep(
            name=step.name,
            run=step.run.value,
            because=_why_never(workload, step.name, written.get(step.name)) if state is None else "",
            **_container_fields(step.container, stage),
            failure=step.failure.value,
            detach=step.detach,
            depends_on=() if state is None else graph.needs(step.name),
            commands=tuple(map(mask.text, step.commands)),
            environment=_shown_environment(step, state, facts, mask) if environment and state is not None else {},
        )


def _container_fields(container: Container | None, stage: Stage) -> dict[str, Any]:
    if container is None:
        return {}
    return {
        "image": container.image,
        "pull": container.pull.value,
        "privileged": container.privileged,
        "volumes": tuple(_volumes(container, stage)),
    }


def _volumes(container: Container, stage: Stage) -> Iterator[str]:
    """What the container sees of the host and of the stage, besides the workspace."""
    known = {volume.name: volume for volume in stage.volumes}
    for mount in container.mounts:
        volume = known[mount.volume]
        if isinstance(volume, HostVolume):
            read_only = ", read-only" if mount.read_only or volume.read_only else ""
            yield f"{volume.path} at {mount.path}{read_only}"
        else:
            yield f"volume {volume.name}{' in memory' if volume.in_memory else ''} at {mount.path}"


def _why_never(workload: Workload, name: str, step: ManifestStep | None) -> str:
    choices = workload.choices
    if step is None:
        return "the steps run in this folder; --clone makes a clone" if not choices.clone else "clone is disabled"
    reason = unmet(step.when, workload.pretence.conditions())
    if reason:
        return reason
    if name in choices.exclude:
        return "it is named by --exclude"
    return "it is not named by --include" if choices.include and name not in choices.include else "it is switched off"


def _shown_environment(step: Step, state: StepState, facts: Facts, mask: Mask) -> dict[str, str]:
    """What the step will see if all goes well before it."""
    runtime = runtime_environment(facts, state, (), now=facts.build.started)
    shown = {name: mask.text(value) for name, value in step.overlaid(runtime).environment.items()}
    hidden = {secret.variable for secret in step.secrets if secret.variable is not None}
    return dict(sorted({**shown, **dict.fromkeys(hidden, _HIDDEN)}.items()))


# ---------------------------------------------------------------------- for people


def _pipeline_lines(one: PlannedPipeline) -> Iterator[str]:
    verdict = "runs" if one.runs else f"does not run: {visible(one.because)}"
    yield f"pipeline {visible(one.name)} ({visible(one.type or 'docker')}): {verdict}"
    if one.depends_on:
        yield f"  after {_names(one.depends_on)}, {_when(one.when)}"
    if one.workspace:
        yield f"  in {visible(one.workspace)}"
    shared = _shared(one.steps)
    if shared:
        yield "  every step has"
        yield from (f"    {visible(name)}={visible(value)}" for name, value in shared.items())
    for step in one.steps:
        own = {name: value for name, value in step.environment.items() if shared.get(name) != value}
        yield from _step_lines(replace(step, environment=own))


def _shared(steps: Sequence[PlannedStep]) -> dict[str, str]:
    """The variables that are the same in all steps that run, where there are several."""
    running = [step.environment.items() for step in steps if step.run != RunPolicy.NEVER]
    if len(running) < _SEVERAL:
        return {}
    common = set(running[0]).intersection(*running[1:])
    return dict(sorted(common))


def _step_lines(step: PlannedStep) -> Iterator[str]:
    image = f" ({visible(step.image)})" if step.image else ""
    yield f"  step {visible(step.name)}{image}: {_policy(step)}"
    if step.run == RunPolicy.NEVER:
        return
    if step.depends_on:
        yield f"    after {_names(step.depends_on)}"
    if step.pull not in {"", Pull.DEFAULT}:
        yield f"    pull: {step.pull}"
    if step.privileged:
        yield "    privileged: it has the whole host"
    yield from (f"    mounts {visible(volume)}" for volume in step.volumes)
    for command in step.commands:
        first, *rest = command.split("\n")
        yield f"    $ {visible(first)}"
        yield from (f"      {visible(line)}" for line in rest)
    for name, value in step.environment.items():
        yield f"    {visible(name)}={visible(value)}"


def _policy(step: PlannedStep) -> str:
    if step.run == RunPolicy.NEVER:
        return f"never: {visible(step.because)}"
    failure = {"ignore": "its failure is ignored", "fast": "its failure ends the pipeline at once"}.get(step.failure)
    return ", ".join(part for part in (_when(step.run), failure, "detached" if step.detach else None) if part)


def _when(policy: str) -> str:
    words = {"on-success": "if all is well", "on-failure": "only after a failure"}
    return words.get(policy, "in any case")


def _names(names: Sequence[str]) -> str:
    return ", ".join(visible(name) for name in names)
