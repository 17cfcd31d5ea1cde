"""Who waits for whom: checked before anything runs, with errors that name the culprit and the cure.

The same graph orders the steps of a stage and the pipelines of a file: a vertex is anything with a name and the names
it depends on. References may point forwards. A graph that passed the check can always be walked to its end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import Protocol

from delegate_core.errors import DelegateError
from delegate_core.pipeline.spec import Step

__all__ = [
    "DependencyCycle",
    "DuplicateName",
    "Graph",
    "GraphError",
    "UnknownDependency",
    "Vertex",
    "in_sequence",
    "problems",
]


class Vertex(Protocol):
    """What a graph is made of: a step, or a pipeline."""

    @property
    def name(self) -> str:
        """Unique within its graph."""
        ...

    @property
    def depends_on(self) -> Sequence[str]:
        """The names of those that have to return first."""
        ...


class GraphError(DelegateError):
    """The dependencies cannot be followed, so nothing of it can run. ``vertex`` is the name to look for in the file."""

    def __init__(self, text: str, vertex: str) -> None:
        super().__init__(text)
        self.vertex = vertex


class DuplicateName(GraphError):
    """Two have one name, so nobody could tell which of them a dependency means."""

    def __init__(self, noun: str, name: str) -> None:
        super().__init__(f'two {noun}s are named "{name}": give each a name of its own', name)


class UnknownDependency(GraphError):
    """A dependency that is not there. ``nearest`` is the name that was probably meant, else None."""

    def __init__(self, noun: str, name: str, dependency: str, nearest: str | None) -> None:
        cure = f'did you mean "{nearest}"?' if nearest else f"there is no {noun} of that name"
        super().__init__(f'{noun} "{name}" depends on "{dependency}", which does not exist: {cure}', name)
        self.dependency = dependency
        self.nearest = nearest


class DependencyCycle(GraphError):
    """Each of ``path`` depends on the next, and the last is the first again: none could ever start."""

    def __init__(self, noun: str, path: Sequence[str]) -> None:
        super().__init__(_cycle_text(noun, path), path[0])
        self.path = tuple(path)


def _cycle_text(noun: str, path: Sequence[str]) -> str:
    if len(path) == 2:
        return f'{noun} "{path[0]}" depends on itself: remove that dependency'
    chain = " → ".join(f'"{name}"' for name in path)
    return f"the {noun}s wait for each other: {chain}: remove one of these dependencies"


class Graph:
    """Checked vertices and what each of them waits for.

    Args:
        vertices: in the order that decides between those that could go at the same time.
        noun: what errors call a vertex.

    Raises:
        GraphError: the first of `problems`.
    """

    def __init__(self, vertices: Iterable[Vertex], *, noun: str = "step") -> None:
        vertices = tuple(vertices)
        for problem in problems(vertices, noun=noun):
            raise problem
        self._needs = _edges(vertices)

    @property
    def names(self) -> tuple[str, ...]:
        """All vertices, in the order given."""
        return tuple(self._needs)

    def needs(self, name: str) -> tuple[str, ...]:
        """What has to return before ``name`` may start, each once."""
        return self._needs[name]

    def order(self) -> tuple[str, ...]:
        """All vertices, each after those that it needs; otherwise as near to the order given as that allows."""
        done: dict[str, None] = {}
        for name in self._needs:
            self._visit(name, done)
        return tuple(done)

    def without(self, names: Collection[str]) -> Graph:
        """The graph without these vertices: what needed one of them needs what that one needed."""
        bridged: dict[str, tuple[str, ...]] = {}
        for name in self.order():
            chains = (bridged[need] if need in names else (need,) for need in self._needs[name])
            bridged[name] = tuple(dict.fromkeys(need for chain in chains for need in chain))
        rest = Graph(())
        rest._needs = {name: bridged[name] for name in self._needs if name not in names}
        return rest

    def _visit(self, name: str, done: dict[str, None]) -> None:
        """Append ``name`` after all that it needs. No recursion: a serial pipeline may be long."""
        open_ = [name]
        while open_:
            missing = [need for need in self._needs[open_[-1]] if need not in done]
            if missing:
                open_.append(missing[0])
            else:
                done[open_.pop()] = None


def problems(vertices: Sequence[Vertex], *, noun: str = "step") -> tuple[GraphError, ...]:
    """All that keeps these from running: duplicate names, unknown dependencies, then one cycle if there is any.

    A cycle is looked for only where no name is used twice, for else it may be none.
    """
    duplicates = tuple(_duplicates(vertices, noun))
    cycle = () if duplicates else _cycle(vertices, noun)
    return (*duplicates, *_unknowns(vertices, noun), *cycle)


def in_sequence(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps one after another: each depends on the one before it, and on nothing else.

    This is the order of a Drone pipeline in which no step names a dependency; to choose it is the compiler's part.
    """
    before: Sequence[tuple[str, ...]] = [(), *((step.name,) for step in steps)]
    return tuple(replace(step, depends_on=needs) for step, needs in zip(steps, before, strict=False))


def _edges(vertices: Sequence[Vertex]) -> dict[str, tuple[str, ...]]:
    return {vertex.name: tuple(dict.fromkeys(vertex.depends_on)) for vertex in vertices}


def _duplicates(vertices: Sequence[Vertex], noun: str) -> Iterator[GraphError]:
    seen: dict[str, int] = {}
    for vertex in vertices:
        seen[vertex.name] = seen.get(vertex.name, 0) + 1
        if seen[vertex.name] == 2:
            yield DuplicateName(noun, vertex.name)


def _unknowns(vertices: Sequence[Vertex], noun: str) -> Iterator[GraphError]:
    known = dict.fromkeys(vertex.name for vertex in vertices)
    for vertex in vertices:
        for need in dict.fromkeys(vertex.depends_on):
            if need not in known:
                others = [name for name in known if name != vertex.name]
                yield UnknownDependency(noun, vertex.name, need, _nearest(need, others))


def _nearest(name: str, known: Sequence[str]) -> str | None:
    by_folded = {other.casefold(): other for other in reversed(known)}
    close = get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def _cycle(vertices: Sequence[Vertex], noun: str) -> Iterator[GraphError]:
    edges = _edges(vertices)
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        yield DependencyCycle(noun, _rotated(error.args[1], edges))


def _rotated(circle: Sequence[str], edges: Mapping[str, object]) -> list[str]:
    """The circle as a path of dependencies that begins and ends with whichever of it the file names first."""
    path = list(reversed(circle[1:]))
    first = next(name for name in edges if name in path)
    start = path.index(first)
    return [*path[start:], *path[:start], first]
