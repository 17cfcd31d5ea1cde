"""Cycles in what depends on what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from delegate_drone.manifest.fields import nearest
from delegate_drone.manifest.models import Dependency
from delegate_drone.manifest.problems import Report

__all__ = ["find_cycle", "name_hint", "report_cycle"]

_SHOWN_NAMES = 8


def find_cycle(edges: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """One cycle, as the names in order and the first one again; empty if there is none. Unknown names are ignored."""
    remaining = {name: {other for other in others if other in edges} for name, others in edges.items()}
    free = [name for name, others in remaining.items() if not others]
    dependents: dict[str, list[str]] = {}
    for name, others in remaining.items():
        for other in others:
            dependents.setdefault(other, []).append(name)
    while free:
        done = free.pop()
        del remaining[done]
        for name in dependents.get(done, ()):
            remaining[name].discard(done)
            if not remaining[name]:
                free.append(name)
    return _walk_round(remaining)


def _walk_round(edges: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Follow edges among names that all have one, until a name comes again."""
    path: dict[str, None] = {}
    name = next(iter(edges), None)
    while name is not None and name not in path:
        path[name] = None
        name = min(other for other in edges[name] if other in edges)
    if name is None:
        return ()
    names = list(path)
    return (*names[names.index(name) :], name)


def report_cycle(
    cycle: tuple[str, ...], dependencies: Mapping[str, tuple[Dependency, ...]], what: str, report: Report
) -> None:
    """Report a cycle of ``what`` (step or pipeline) at the first of its names; an empty one is none."""
    if cycle:
        mark = next(dependency.mark for dependency in dependencies[cycle[0]] if dependency.name == cycle[1])
        message = f"{what}s wait for each other: {' -> '.join(cycle)}"
        report.error(f"{what}-cycle", mark, message, "remove one of these from depends_on")


def name_hint(wanted: str, names: Iterable[str]) -> str:
    """The name that an unknown one most likely means, else the names there are."""
    known = sorted(names)[:1000]
    meant = nearest(wanted, tuple(known))
    if meant:
        return f"did you mean `{meant}`?"
    return f"the names here are: {', '.join(known[:_SHOWN_NAMES])}{' ...' if len(known) > _SHOWN_NAMES else ''}"
