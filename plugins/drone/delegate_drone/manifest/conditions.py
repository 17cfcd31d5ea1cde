"""When a pipeline or step runs: conditions and their globs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypeAlias

from wcmatch import glob

__all__ = ["CONDITION_KEYS", "Condition", "Conditions", "RunPolicy", "matches_glob"]

CONDITION_KEYS = ("action", "branch", "cron", "event", "instance", "paths", "ref", "repo", "status", "target")
"""The keys that ``when`` and ``trigger`` know."""

RunPolicy: TypeAlias = Literal["on-success", "on-failure", "always"]
"""Whether a step runs after success, after a failure, or both."""

_MATCHED = ("action", "branch", "cron", "event", "instance", "ref", "repo", "target")
_FLAGS = glob.GLOBSTAR | glob.DOTGLOB | glob.FORCEUNIX
_MOST_ALTERNATIVES = 1000
_MOST_BRACES = 20
_PART = re.compile(r"\\.|\[[\^!]?\]?(?:\\.|[^\]\\])*\]|[^\\\[]", re.DOTALL)
_BRACES = re.compile(r"\{([^{}]*)\}")


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


def matches_glob(pattern: str, value: str) -> bool:
    """Whether a value matches a glob of Drone.

    ``*`` and ``?`` stay within a segment between slashes, ``**`` as a segment stands for any number of them,
    ``{a,b}``, ``[0-9]`` and ``[^a]`` as usual; case counts. A malformed pattern matches nothing.
    """
    if not _well_formed(pattern):
        return False
    alternatives = islice(_alternatives(pattern), _MOST_ALTERNATIVES)
    return any(_matches(alternative, value) for alternative in alternatives)


def _matches(pattern: str, value: str) -> bool:
    if not value:
        return not pattern.strip("*")
    return glob.globmatch(value, pattern.replace("[!", r"[\!"), flags=_FLAGS)


def _well_formed(pattern: str) -> bool:
    parts = _PART.findall(pattern)
    complete = sum(map(len, parts)) == len(pattern)
    return complete and parts.count("{") == parts.count("}") <= _MOST_BRACES


def _alternatives(pattern: str) -> Iterator[str]:
    found = _BRACES.search(pattern)
    if found is None:
        yield pattern
        return
    for choice in found[1].split(","):
        yield from _alternatives(pattern[: found.start()] + choice + pattern[found.end() :])
