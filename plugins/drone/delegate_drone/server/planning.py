"""Which pipelines of a manifest become stages of a build, and what they wait for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from delegate_drone.manifest import Condition

from .candidates import Candidate
from .hooks import Hook
from .records import Repository, Stage

__all__ = ["find_cycle", "mismatch", "plan"]


def plan(chosen: Sequence[Candidate], everything: Sequence[Candidate], repository: Repository) -> list[Stage]:
    """The stages of a build, numbered from 1 in the order of the file.

    Args:
        chosen: the pipelines whose triggers match.
        everything: all of the manifest, with no cycle among them.
        repository: whose throttle holds.
    """
    return [
        _stage(number, candidate, _dependencies(candidate, chosen, everything), repository)
        for number, candidate in enumerate(chosen, start=1)
    ]


def _stage(number: int, candidate: Candidate, depends_on: list[str], repository: Repository) -> Stage:
    status = candidate.trigger.status
    return Stage(
        repo_id=repository.id,
        number=number,
        name=candidate.name,
        kind="pipeline",
        type=candidate.type or "docker",
        status="waiting_on_dependencies" if depends_on else "pending",
        os=candidate.platform.os or "linux",
        arch=candidate.platform.arch or "amd64",
        variant=candidate.platform.variant,
        kernel=candidate.platform.version,
        limit=candidate.limit,
        throttle=repository.throttle,
        on_success=status.matches("success"),
        on_failure=status != Condition() and status.matches("failure"),
        depends_on=depends_on,
        labels=dict(candidate.labels),
    )


def _dependencies(candidate: Candidate, chosen: Sequence[Candidate], everything: Sequence[Candidate]) -> list[str]:
    """The stages it waits for: a pipeline that did not match is replaced by those that it would have waited for."""
    names = {each.name for each in chosen}
    edges = {each.name: each.depends_on for each in everything}
    found: dict[str, None] = {}
    seen: set[str] = set()
    open_names = list(reversed(candidate.depends_on))
    while open_names:
        name = open_names.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in names:
            found[name] = None
        else:
            open_names.extend(reversed(edges.get(name, ())))
    return list(found)


def find_cycle(everything: Sequence[Candidate]) -> bool:
    """Whether pipelines wait for each other."""
    remaining = {each.name: set(each.depends_on) for each in everything}
    while free := [name for name, others in remaining.items() if not others & remaining.keys()]:
        for name in free:
            del remaining[name]
    return bool(remaining)


def mismatch(candidate: Candidate, hook: Hook, slug: str) -> str:
    """The first condition of a pipeline's trigger that does not hold, for a person; empty if all do."""
    for name, value in _facts(hook, slug).items():
        condition: Condition = getattr(candidate.trigger, name)
        if not condition.matches(value):
            return f"pipeline `{candidate.name}`: {name} is {value or 'empty'}, its trigger wants {_wish(condition)}"
    return ""


def _facts(hook: Hook, slug: str) -> Mapping[str, str]:
    return {
        "branch": hook.target,
        "event": hook.event,
        "action": hook.action,
        "ref": hook.ref,
        "repo": slug,
        "target": hook.deploy_to,
        "cron": hook.cron,
    }


def _wish(condition: Condition) -> str:
    parts = [", ".join(condition.include), f"none of {', '.join(condition.exclude)}" if condition.exclude else ""]
    return " and ".join(part for part in parts if part)
