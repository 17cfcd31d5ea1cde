"""Finds variables that Drone fills in although the shell was meant to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from delegate_drone.manifest.models import Pipeline, Step
from delegate_drone.manifest.nodes import Scalar, walk
from delegate_drone.manifest.problems import Report
from delegate_drone.manifest.steps import all_steps, entry
from delegate_drone.manifest.substitution import Expansion, SubstitutionError, expansions, parse
from delegate_drone.manifest.variables import place_in

__all__ = ["lint_variables"]

_BUILD_VARIABLE = re.compile(r"(?:DRONE|CI|GIT)(?:_|$)|PLUGIN_")


def _value(step: Step, name: str) -> tuple[Scalar, ...]:
    found = entry(step.node, name)
    return tuple(walk(found.value)) if found else ()


def lint_variables(pipeline: Pipeline, known: frozenset[str], report: Report) -> None:
    """Warn of ``${NAME}`` where NAME is no variable of the build.

    Args:
        pipeline: what is looked at, with or without variables put in.
        known: variables that the build has beside Drone's own.
        report: where the warnings go.
    """
    for step in () if report.full else all_steps(pipeline):
        own = _assigned(step)
        for key in ("commands", "environment", "settings"):
            seen: set[str] = set()
            for scalar in _value(step, key):
                for expansion in _unknown(scalar, known | seen):
                    seen.add(expansion.name)
                    _report_eaten(expansion, scalar, key=key, own=expansion.name in own, report=report)


def _assigned(step: Step) -> frozenset[str]:
    """The variables that a step gives a value itself."""
    found = re.findall(r"\b([A-Za-z_]\w*)=", "\n".join(step.commands))
    return frozenset(found) | frozenset(step.environment)


def _unknown(scalar: Scalar, known: frozenset[str]) -> Iterator[Expansion]:
    written = scalar.text if scalar.written is None else scalar.written
    try:
        found = list(expansions(parse(written))) if "${" in written else []
    except SubstitutionError:  # reported where variables are put in
        return
    first = {part.name: part for part in reversed(found)}
    yield from (part for name, part in first.items() if name not in known and not _BUILD_VARIABLE.match(name))


def _report_eaten(expansion: Expansion, scalar: Scalar, *, key: str, own: bool, report: Report) -> None:
    name = expansion.name
    outcome = "its default" if expansion.operator in {":-", ":=", "=", ":?", ":+"} else "empty"
    message = f"${{{name}}} is filled in before the step runs, and is {outcome} unless the build has a `{name}`"
    if own:
        message += "; the value that this step gives it is not seen"
    cure = f"write $${{{name}}} for the shell to see it" if key != "settings" else "name a variable of the build"
    report.warning("eaten-variable", place_in(scalar, expansion.offset), message, cure)
