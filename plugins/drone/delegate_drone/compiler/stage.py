"""Compiles a whole pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Protocol

from delegate_core.pipeline.graph import Graph
from delegate_core.pipeline.spec import FailurePolicy, Netrc, Platform, RunPolicy, Stage, Step, Workspace
from delegate_drone.compiler.containers import ContainerSteps
from delegate_drone.compiler.facts import Facts
from delegate_drone.compiler.host import HostSteps
from delegate_drone.compiler.naming import free_name
from delegate_drone.compiler.options import NOTHING, Options
from delegate_drone.compiler.ordering import CLONE, linked
from delegate_drone.compiler.secrets import KnownSecrets
from delegate_drone.compiler.volumes import Volumes
from delegate_drone.compiler.workspace import ContainerWorkspace
from delegate_drone.manifest import Pipeline
from delegate_drone.manifest import Step as ManifestStep

__all__ = ["compile_stage"]

_DEFAULT_OPTIONS = Options()
_DEFAULT_NAME = "default"
_FAILURES = {
    "ignore": FailurePolicy.IGNORE,
    **dict.fromkeys(("fail-fast", "fast", "fast-fail"), FailurePolicy.FAST),
}


class _Compiler(Protocol):
    def clone(self, name: str) -> Step: ...

    def step(self, step: ManifestStep) -> Step: ...


def compile_stage(
    pipeline: Pipeline, facts: Facts, *, options: Options = _DEFAULT_OPTIONS, secrets: Mapping[str, str] = NOTHING
) -> Stage:
    """The pipeline, ready for an engine.

    Args:
        pipeline: of type ``exec`` or ``docker``, its variables substituted (see `substitution_variables`).
        facts: the build that it runs for.
        options: what the runner adds.
        secrets: values by name, at least those of `secret_names` that are known and may be used.

    Raises:
        GraphError: two steps have one name, or dependencies are unknown or go in a circle.
    """
    known = KnownSecrets(secrets)
    stage = _host_stage if pipeline.type == "exec" else _container_stage
    compiled = stage(pipeline, facts, options, known)
    Graph(compiled.steps)
    return compiled


def _host_stage(pipeline: Pipeline, facts: Facts, options: Options, secrets: KnownSecrets) -> Stage:
    compiler = HostSteps(pipeline, facts, options, secrets)
    return replace(
        _bare_stage(pipeline, facts),
        steps=_steps(pipeline, facts, options, compiler),
        workspace=Workspace(source=options.source),
        netrc=_netrc(facts),
    )


def _container_stage(pipeline: Pipeline, facts: Facts, options: Options, secrets: KnownSecrets) -> Stage:
    workspace = ContainerWorkspace.of(pipeline.workspace)
    if options.source is not None:
        workspace = workspace.in_place()
    volumes = Volumes.of(pipeline, options.container.volumes)
    netrc, given = _netrc(facts), options.container
    compiler = ContainerSteps(pipeline, facts, options, secrets, workspace=workspace, volumes=volumes, netrc=netrc)
    return replace(
        _bare_stage(pipeline, facts),
        steps=_steps(pipeline, facts, options, compiler),
        workspace=workspace.spec(options.source),
        netrc=netrc if given.clone_on_host or not given.netrc_clone_only else None,
        volumes=volumes.all,
        networks=given.networks,
        network_options=given.network_options,
        show_pulls=given.show_pulls,
    )


def _bare_stage(pipeline: Pipeline, facts: Facts) -> Stage:
    asked = pipeline.platform
    minutes = facts.repository.timeout
    return Stage(
        name=pipeline.name or _DEFAULT_NAME,
        platform=Platform(os=asked.os, arch=asked.arch, variant=asked.variant, version=asked.version),
        concurrency=pipeline.concurrency_limit if pipeline.concurrency_limit > 0 else None,
        timeout=minutes * 60.0 if minutes > 0 else None,
    )


def _netrc(facts: Facts) -> Netrc | None:
    account = facts.netrc
    if account is None or not account.machine:
        return None
    return Netrc(machine=account.machine, login=account.login, password=account.password)


def _steps(pipeline: Pipeline, facts: Facts, options: Options, compiler: _Compiler) -> tuple[Step, ...]:
    conditions = facts.conditions()
    sources = [*_services(pipeline), *pipeline.steps]
    steps = [_governed(source, compiler.step(source), conditions, options) for source in sources]
    wanted = options.clone and CLONE not in options.exclude
    fetches = wanted and options.source is None and not pipeline.clone.disable
    return linked(steps, clone=compiler.clone(CLONE) if fetches else None)


def _services(pipeline: Pipeline) -> Iterator[ManifestStep]:
    """A service runs beside the steps, and needs no name."""
    if pipeline.type == "exec":
        return
    taken = {CLONE, *(step.name for step in (*pipeline.services, *pipeline.steps))}
    for service in pipeline.services:
        yield replace(service, name=service.name or free_name("service", taken), detach=True)


def _governed(source: ManifestStep, step: Step, conditions: Mapping[str, str], options: Options) -> Step:
    """The step with when it runs, what its failure means and what it waits for."""
    runs = options.selects(source.name) and source.when.match(conditions)
    return replace(
        step,
        detach=source.detach,
        run=RunPolicy(source.when.run_policy) if runs else RunPolicy.NEVER,
        failure=_FAILURES.get(source.failure.lower(), FailurePolicy.FAIL),
        depends_on=source.depends_on,
    )
