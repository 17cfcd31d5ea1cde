"""Which variable wins: a step's environment as layers, each over the one before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from delegate_core.pipeline.states import StepState
from delegate_drone.compiler.facts import Facts
from delegate_drone.compiler.options import Options
from delegate_drone.compiler.variables import build_variables, facts_variables, git_variables, stage_variables
from delegate_drone.compiler.workspace import ContainerWorkspace
from delegate_drone.manifest import Clone, Pipeline

__all__ = [
    "container_environment",
    "expanded",
    "host_environment",
    "runtime_environment",
    "substitution_variables",
    "without_empty",
]

_PROXIES = ("all_proxy", "http_proxy", "https_proxy", "no_proxy")
_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)


def substitution_variables(facts: Facts, options: Options) -> dict[str, str]:
    """What ``${NAME}`` in a manifest may mean: no secret, no value of the host, no proxy."""
    return {**options.environment, **facts_variables(facts, now=options.now), **facts.build.params}


def runtime_environment(facts: Facts, step: StepState, failed: Sequence[str], *, now: float) -> dict[str, str]:
    """What is known only when a step starts; these variables win over those that the step sets itself.

    Args:
        facts: the build and stage as they are known at this time.
        step: the step that starts.
        failed: the names of the steps that failed so far and whose failure counts.
        now: unix seconds.
    """
    build = facts.build.model_copy(update={"status": "failure"}) if failed else facts.build
    variables = {
        **build_variables(build, now=now),
        **stage_variables(facts.stage, tuple(failed), now=now),
        "DRONE_STEP_NAME": step.name,
        "DRONE_STEP_NUMBER": str(step.number),
    }
    return _passable(variables) if facts.stage.type == "exec" else without_empty(_passable(variables))


def host_environment(facts: Facts, clone: Clone, options: Options) -> dict[str, str]:
    """What every step of an exec pipeline gets."""
    return _passable(
        {
            **options.host_environment,
            **options.environment,
            **facts.build.params,
            **_proxy_variables(options.proxies),
            **facts_variables(facts, now=options.now),
            **git_variables(facts.build, clone),
            **_folder_variables(options),
        }
    )


def container_environment(
    facts: Facts, pipeline: Pipeline, workspace: ContainerWorkspace, options: Options
) -> dict[str, str]:
    """What every step of a docker pipeline gets."""
    return _passable(
        {
            **options.environment,
            **facts.build.params,
            **pipeline.environment,
            **_proxy_variables(options.proxies),
            **facts_variables(facts, now=options.now),
            **git_variables(facts.build, pipeline.clone),
            "DRONE_WORKSPACE": workspace.full,
            "DRONE_WORKSPACE_BASE": workspace.base,
            "DRONE_WORKSPACE_PATH": workspace.path,
            **options.container.environment,
        }
    )


def without_empty(variables: Mapping[str, str]) -> dict[str, str]:
    """A container gets no plain variable that is empty: plugins take a variable that is there for a setting."""
    return {name: value for name, value in variables.items() if value}


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """The text with ``$NAME`` put in; an unknown one is empty."""
    return _REFERENCE.sub(lambda found: variables.get(found[1] or found[2], ""), text)


def _proxy_variables(source: Mapping[str, str]) -> dict[str, str]:
    """Both spellings of each, because programs differ in which one they read."""
    values = {name: source.get(name.upper()) or source.get(name) for name in _PROXIES}
    return {spelling: value for name, value in values.items() if value for spelling in (name, name.upper())}


def _folder_variables(options: Options) -> dict[str, str]:
    workspace = options.source or options.workspace
    home = dict.fromkeys(("HOME", "HOMEPATH", "USERPROFILE"), options.home)
    places = {**home, **dict.fromkeys(("DRONE_HOME", "DRONE_WORKSPACE"), workspace)}
    return {name: place for name, place in places.items() if place is not None}


def _passable(variables: Mapping[str, str]) -> dict[str, str]:
    """No process can be given a NUL, and a commit message may hold one."""
    return {name: value.replace("\0", "") for name, value in variables.items()}
