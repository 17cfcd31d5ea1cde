"""Why a pipeline or step does not run, in words."""

from __future__ import annotations

from collections.abc import Mapping

from delegate_drone.manifest import Condition, Conditions

__all__ = ["unmet"]

_MATCHED = ("event", "branch", "ref", "repo", "target", "instance", "cron", "action")
"""Those that a runner evaluates; the most telling first."""


def unmet(conditions: Conditions, facts: Mapping[str, str]) -> str:
    """The first condition that does not hold and what it met; empty if all hold."""
    for name in _MATCHED:
        condition: Condition = getattr(conditions, name)
        if not condition.matches(facts.get(name, "")):
            return f"{name} {_wanted(condition)}, and this is {facts.get(name) or 'none'}"
    return ""


def _wanted(condition: Condition) -> str:
    wanted = [f"must be {' or '.join(condition.include)}"] if condition.include else []
    avoided = [f"must not be {' or '.join(condition.exclude)}"] if condition.exclude else []
    return " and ".join(wanted + avoided)
