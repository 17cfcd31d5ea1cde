"""Which pipelines of a file would run, in which order, and why the others would not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final, TypeAlias

from delegate_core.errors import SettingsError
from delegate_core.pipeline.graph import Graph, GraphError
from delegate_drone.local.engines import missing_engine
from delegate_drone.local.reasons import unmet
from delegate_drone.manifest import Foreign, Manifest, Pipeline

__all__ = ["AnyPipeline", "Candidate", "candidates", "title", "without_engine"]

_LINUX: Final = "linux"
_MACOS: Final = "darwin"

AnyPipeline: TypeAlias = Pipeline | Foreign
"""A pipeline, also of a type that is not interpreted here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One pipeline of the file.

    Args:
        pipeline: what the file says.
        name: what it is called here.
        needs: the candidates that have to be over first; pipelines that are left out are bridged.
        left_out: why it does not belong to this build; empty if it does.
        missing: why it cannot run here although it should; empty if it can.
    """

    pipeline: AnyPipeline
    name: str
    needs: tuple[str, ...] = ()
    left_out: str = ""
    missing: str = ""

    @property
    def runs(self) -> bool:
        """It belongs to this build, and there is an engine for it."""
        return not self.left_out and not self.missing

    def skipped_because(self, failed: Collection[str]) -> str:
        """Why it is skipped, now that all it needs is over, given the pipelines that failed; empty: it runs.

        As on a Drone server, one failed pipeline makes the whole build fail for all that waits for anything.
        """
        if not self.needs:
            return ""
        if failed and self._policy == "on-success":
            first = next((name for name in self.needs if name in failed), next(iter(failed)))
            return f'pipeline "{first}" did not succeed'
        return "no pipeline has failed" if not failed and self._policy == "on-failure" else ""

    @property
    def _policy(self) -> str:
        return self.pipeline.trigger.run_policy if isinstance(self.pipeline, Pipeline) else "on-success"

    def waiting_for(self, absent: Collection[str]) -> Candidate:
        """The same, once it is known which pipelines cannot run here: after these nothing runs that wants success."""
        lost = next((name for name in self.needs if name in absent), None)
        if lost is None or self.missing or self._policy != "on-success":
            return self
        return replace(self, missing=f'pipeline "{lost}", which it depends on, cannot run here')


def title(pipeline: AnyPipeline) -> str:
    """What a pipeline is called: one without a name is ``default``, as for the Drone server."""
    return pipeline.name or "default"


def candidates(
    manifest: Manifest,
    chosen: str | None,
    facts: Mapping[str, str],
    types: Collection[str],
    platform: tuple[str, str],
) -> tuple[Candidate, ...]:
    """The pipelines of a manifest without errors, each after those that it needs.

    Args:
        manifest: the file.
        chosen: only this one, whatever its trigger, dependencies and platform say; None: all.
        facts: what triggers are compared with.
        types: the types that an engine is installed for.
        platform: operating system and architecture of this machine, in Go's words.

    Raises:
        SettingsError: there is no such pipeline, or they cannot be ordered.
    """
    pipelines = _pipelines(manifest)
    if chosen is not None:
        only = _named(chosen, pipelines)
        return (Candidate(pipeline=only, name=title(only), missing=_missing(only, types)),)
    reasons = {title(each): _left_out(each, facts) for each in pipelines}
    order, graph = _ordered(pipelines, {name for name, reason in reasons.items() if reason})
    by_name = {title(each): each for each in pipelines}
    found = (
        Candidate(
            pipeline=by_name[name],
            name=name,
            needs=() if reasons[name] else graph.needs(name),
            left_out=reasons[name],
            missing=_missing(by_name[name], types) or _elsewhere(by_name[name], platform),
        )
        for name in order
    )
    return tuple(_without_absent(found))


def without_engine(ordered: Iterable[Candidate], type_: str, reason: str) -> tuple[Candidate, ...]:
    """The same candidates, now that the engine for one type turns out not to be there."""
    found = (replace(one, missing=reason) if one.runs and one.pipeline.type == type_ else one for one in ordered)
    return tuple(_without_absent(found))


def _without_absent(ordered: Iterable[Candidate]) -> Iterator[Candidate]:
    absent: set[str] = set()
    for candidate in ordered:
        judged = candidate.waiting_for(absent)
        if judged.missing and not judged.left_out:
            absent.add(judged.name)
        yield judged


def _pipelines(manifest: Manifest) -> tuple[AnyPipeline, ...]:
    contents = (document.content for document in manifest.documents if document.sound)
    return tuple(each for each in contents if isinstance(each, Pipeline | Foreign) and each.kind == "pipeline")


def _named(name: str, pipelines: Sequence[AnyPipeline]) -> AnyPipeline:
    found = next((each for each in pipelines if title(each) == name), None)
    if found is not None:
        return found
    names = [title(each) for each in pipelines]
    close = get_close_matches(name, names, n=1)
    known = f'did you mean "{close[0]}"?' if close else f"the file has {', '.join(names) or 'none'}"
    raise SettingsError(f'there is no pipeline "{name}"; {known}')


def _left_out(pipeline: AnyPipeline, facts: Mapping[str, str]) -> str:
    if isinstance(pipeline, Foreign):
        return ""
    reason = unmet(pipeline.trigger, facts)
    return f"its trigger does not match: {reason}" if reason else ""


def _missing(pipeline: AnyPipeline, types: Collection[str]) -> str:
    return "" if pipeline.type in types else missing_engine(pipeline.type)


def _elsewhere(pipeline: AnyPipeline, platform: tuple[str, str]) -> str:
    """Why it is one for other machines; what it does not say, it does not ask for."""
    if not isinstance(pipeline, Pipeline):
        return ""
    system, architecture = platform
    if pipeline.type == "docker" and system == _MACOS:
        system = _LINUX  # the engine of a Mac runs Linux
    asked = (pipeline.platform.os or system, pipeline.platform.arch or architecture)
    if asked == (system, architecture):
        return ""
    return f"it is for {'/'.join(asked)}, and this is {system}/{architecture}; --pipeline runs it all the same"


@dataclass(frozen=True, slots=True)
class _Vertex:
    name: str
    depends_on: tuple[str, ...]


def _ordered(pipelines: Sequence[AnyPipeline], left_out: set[str]) -> tuple[tuple[str, ...], Graph]:
    """All names, each after those it depends on, and the graph of those that belong to the build."""
    try:
        graph = Graph((_Vertex(title(each), each.depends_on) for each in pipelines), noun="pipeline")
    except GraphError as error:
        raise SettingsError(str(error)) from None
    return graph.order(), graph.without(left_out)
