"""The document of a stage: found in the build's manifest by the stage's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from delegate_drone.manifest import Document, Foreign, Manifest, Pipeline, Problem, Secret, Severity, load_manifest
from delegate_drone.wire import Details

__all__ = ["StageDocument", "Unrunnable", "find_document"]

_UNNAMED = "default"
"""What a pipeline without a name is called; the server and the file may each say either."""

_OF_THE_SERVER = frozenset({"unknown-pipeline", "pipeline-cycle"})
"""Errors between pipelines. The server has settled the order of the stages before one came here."""


class Unrunnable(Exception):
    """The manifest keeps the stage from running. The text is for the build's author: what, where, how to mend it."""


@dataclass(frozen=True, slots=True)
class StageDocument:
    """What a stage is to run, and the manifest's secrets."""

    content: Pipeline | Foreign
    secrets: tuple[Secret, ...]


def find_document(details: Details, variables: Mapping[str, str]) -> StageDocument:
    """Read the manifest and find the stage's document in it.

    Args:
        details: the stage's.
        variables: to put in for ``${NAME}``.

    Raises:
        Unrunnable: it is not there, or has an error. An error of another document does not matter.
    """
    file = details.repository.config_path or ".drone.yml"
    manifest = load_manifest(details.config.text, file=file, variables=variables, trusted=details.repository.trusted)
    secrets = tuple(one.content for one in manifest.documents if isinstance(one.content, Secret))
    found = [one for one in manifest.documents if _is_stage(one, details)]
    for one in found:
        if isinstance(one.content, Pipeline | Foreign) and not _errors(one):
            return StageDocument(one.content, secrets)
    raise Unrunnable(_why(manifest, found, details, file))


def _is_stage(document: Document, details: Details) -> bool:
    """Whether it is the stage's by name, and by type as far as that could be read."""
    content = document.content
    if content is not None and not (isinstance(content, Pipeline | Foreign) and content.kind == "pipeline"):
        return False
    wanted = details.stage.type or "docker"
    return (document.name or _UNNAMED) == (details.stage.name or _UNNAMED) and (
        content is None or (content.type or "docker") == wanted
    )


def _errors(document: Document) -> list[Problem]:
    errors = (problem for problem in document.problems if problem.severity is Severity.ERROR)
    return [problem for problem in errors if problem.code not in _OF_THE_SERVER]


def _why(manifest: Manifest, found: list[Document], details: Details, file: str) -> str:
    """The stage's own errors; else those that made its document unreadable; else that it is not there."""
    errors = [error for document in found for error in _errors(document)] or list(manifest.errors)
    if not errors:
        name = details.stage.name or _UNNAMED
        return f"{file} has no pipeline named {name} of type {details.stage.type or 'docker'}"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    cure = f"; {errors[0].cure}" if errors[0].cure else ""
    return f"{errors[0]}{cure}{more}"
