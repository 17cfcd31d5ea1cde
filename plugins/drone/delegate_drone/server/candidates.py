"""The documents of a manifest that may become stages: what the server reads of a pipeline of any type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from delegate_drone.manifest import Condition, Conditions, Document, Foreign, Manifest, Pipeline, Platform
from delegate_drone.manifest.values import Value

__all__ = ["Candidate", "candidates"]

_CONDITIONS = ("action", "branch", "cron", "event", "ref", "repo", "status", "target")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pipeline as the server sees it.

    Attributes:
        clones: whether its runner fetches the source, as far as that is known here: for types exec and docker.
    """

    name: str
    type: str
    platform: Platform = field(default_factory=Platform)
    limit: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    trigger: Conditions = field(default_factory=Conditions)
    clones: bool = False


def candidates(manifest: Manifest) -> tuple[Candidate, ...]:
    """The documents of kind pipeline in the order of the file; other kinds are for the runners."""
    found = (_candidate(document) for document in manifest.documents)
    return tuple(candidate for candidate in found if candidate)


def _candidate(document: Document) -> Candidate | None:
    match document.content:
        case Pipeline() as pipeline:
            return _known(pipeline)
        case Foreign(kind="pipeline") as foreign:
            return _foreign(foreign)
        case _:
            return None


def _known(pipeline: Pipeline) -> Candidate:
    return Candidate(
        name=pipeline.name or "default",
        type=pipeline.type,
        platform=pipeline.platform,
        limit=pipeline.concurrency_limit,
        labels=pipeline.node_labels,
        depends_on=pipeline.depends_on,
        trigger=pipeline.trigger,
        clones=not pipeline.clone.disable,
    )


def _foreign(foreign: Foreign) -> Candidate:
    """What a document of another type says in the same words; what is of another shape is left out."""
    data = _map(foreign.data)
    limit = _map(data.get("concurrency")).get("limit")
    platform = {key: _text(value) for key, value in _map(data.get("platform")).items()}
    trigger = _map(data.get("trigger"))
    return Candidate(
        name=foreign.name or "default",
        type=foreign.type,
        platform=Platform(**{key: platform.get(key, "") for key in ("os", "arch", "variant", "version")}),
        limit=limit if isinstance(limit, int) else 0,
        labels={key: _text(value) for key, value in _map(data.get("node")).items()},
        depends_on=foreign.depends_on,
        trigger=Conditions(**{key: _condition(trigger[key]) for key in _CONDITIONS if key in trigger}),
    )


def _condition(value: Value) -> Condition:
    """``branch: main``, ``branch: [main, dev]`` or ``branch: {include: ..., exclude: ...}``."""
    if isinstance(value, Mapping):
        return Condition(_texts(value.get("include")), _texts(value.get("exclude")))
    return Condition(_texts(value))


def _texts(value: Value) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(map(_text, value)) if isinstance(value, tuple) else (_text(value),)


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _map(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}
