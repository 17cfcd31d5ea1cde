"""Rules between the documents of a file: names and order of pipelines."""

from __future__ import annotations

from collections.abc import Mapping

from delegate_drone.manifest.graphs import find_cycle, name_hint, report_cycle
from delegate_drone.manifest.models import Foreign, Pipeline
from delegate_drone.manifest.problems import Report

__all__ = ["lint_names"]


def lint_names(documents: list[tuple[Pipeline | Foreign, Report]], also: frozenset[str]) -> None:
    """Rules across documents: names that are taken, unknown ``depends_on``, cycles.

    Args:
        documents: the pipelines of all types, each with the report of its document.
        also: names of pipelines that could not be read.
    """
    first: dict[str, Pipeline | Foreign] = {}
    for document, report in documents:
        earlier = first.setdefault(document.name or "default", document)
        if earlier is not document:
            _duplicate(document, earlier, report)
    for document, report in documents:
        _unknown_pipelines(document, frozenset(first) | also, report)
    _pipeline_cycle(first, documents)


def _duplicate(document: Pipeline | Foreign, earlier: Pipeline | Foreign, report: Report) -> None:
    """Two of one name and type: only the first is ever found. Two of different types are found by their runners."""
    message = f"the name `{document.name or 'default'}` is taken by the pipeline on line {earlier.mark.line}"
    note = report.error if document.type == earlier.type else report.warning
    note("duplicate-pipeline", document.mark, message, "give each pipeline a name of its own")


def _unknown_pipelines(document: Pipeline | Foreign, known: frozenset[str], report: Report) -> None:
    for dependency in document.dependencies:
        if dependency.name not in known:
            message = f"pipeline `{document.name}` depends on `{dependency.name}`, which this file has not"
            cure = "" if report.full else name_hint(dependency.name, known)
            report.error("unknown-pipeline", dependency.mark, message, cure)


def _pipeline_cycle(
    first: Mapping[str, Pipeline | Foreign], documents: list[tuple[Pipeline | Foreign, Report]]
) -> None:
    cycle = find_cycle({name: document.depends_on for name, document in first.items()})
    for document, report in documents:
        if cycle and document is first.get(document.name or "default") and (document.name or "default") in cycle:
            start = cycle.index(document.name or "default")
            turned = (*cycle[:-1][start:], *cycle[:-1][:start], cycle[start])
            report_cycle(turned, {turned[0]: document.dependencies}, "pipeline", report)
