"""When a pipeline or step runs: conditions of globs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from delegate_drone.manifest.globs import matches_glob

__all__ = ["CONDITION_KEYS", "Condition", "Conditions", "RunPolicy"]

CONDITION_KEYS = ("action", "branch", "cron", "event", "instance", "paths", "ref", "repo", "status", "target")
"""The keys that ``when`` and ``trigger`` know."""

RunPolicy: TypeAlias = Literal["on-success", "on-failure", "always"]
"""Whether a step runs after success, after a failure, or both."""

_MATCHED = ("action", "branch", "cron", "event", "instance", "ref", "repo", "target")


@dataclass(frozen=True, slots=True)
class Condition:
    """Patterns to meet and patterns to avoid. Without any, everything matches."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def matches(self, value: str) -> bool:
        """Whether no ``exclude`` matches, and some ``include`` does if there is any."""
        if any(matches_glob(pattern, value) for pattern in self.exclude):
            return False
        return not self.include or any(matches_glob(pattern, value) for pattern in self.include)


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a ``when`` or ``trigger``; all must hold. ``paths`` is for the server alone."""

    action: Condition = Condition()
    branch: Condition = Condition()
    cron: Condition = Condition()
    event: Condition = Condition()
    instance: Condition = Condition()
    paths: Condition = Condition()
    ref: Condition = Condition()
    repo: Condition = Condition()
    status: Condition = Condition()
    target: Condition = Condition()

    def match(self, facts: Mapping[str, str]) -> bool:
        """Whether all conditions but ``status`` and ``paths`` hold for a build.

        Args:
            facts: the build's values by condition name: ``branch`` is its target branch, ``repo`` the slug,
                ``instance`` the server's host name, ``target`` what it deploys to. A missing one is empty.
        """
        return all(self._condition(name).matches(facts.get(name, "")) for name in _MATCHED)

    @property
    def run_policy(self) -> RunPolicy:
        """What ``status`` asks for; without it, or where it names neither status, a step runs on success."""
        if self.status == Condition() or not self.status.matches("failure"):
            return "on-success"
        return "always" if self.status.matches("success") else "on-failure"

    def _condition(self, name: str) -> Condition:
        found = getattr(self, name)
        return found if isinstance(found, Condition) else Condition()
