"""A manifest, the build it is for, and all that is known about it before anything runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Final

from delegate_core.errors import SettingsError
from delegate_core.pipeline.spec import Stage
from delegate_drone.compiler import Facts, Options, compile_stage, secret_names, substitution_variables
from delegate_drone.dockerconfig import DockerConfig
from delegate_drone.local.choices import Choices
from delegate_drone.local.containers import accounts_for, container_options
from delegate_drone.local.engines import StepEngine, step_engines
from delegate_drone.local.facts import Pretence, pretend, this_platform
from delegate_drone.local.git import Checkout
from delegate_drone.local.lint import empty_file
from delegate_drone.local.selection import Candidate, candidates
from delegate_drone.manifest import Manifest, Pipeline, Problem, Secret, Severity, load_manifest

__all__ = ["BadManifest", "Inputs", "Workload", "open_workload"]

_PASSED_ON: Final = ("PATH", "USER")
"""What the steps see of the caller's environment, as of a runner's."""


class BadManifest(SettingsError):
    """The file has errors, so nothing of it runs."""

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        errors = sum(problem.severity is Severity.ERROR for problem in self.problems)
        super().__init__(f"{name} has {errors} error{'' if errors == 1 else 's'}: nothing was run")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What was read from files and from the environment.

    Args:
        environment: variables for every step.
        variables: what may be put in for ``${NAME}`` besides the build's own.
        secrets: by name; they win over those that the manifest has encrypted.
        key: what these were encrypted with; None: leave them alone.
        registries: accounts that may pull images.
    """

    environment: Mapping[str, str] = field(repr=False)
    variables: Mapping[str, str] = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    key: str | None = field(default=None, repr=False)
    registries: DockerConfig = field(default_factory=DockerConfig, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """All pipelines of one file, ready to be compiled. Secret values stay out of its repr."""

    choices: Choices
    checkout: Checkout
    pretence: Pretence
    name: str
    text: str = field(repr=False)
    warnings: tuple[Problem, ...]
    candidates: tuple[Candidate, ...]
    environment: Mapping[str, str] = field(repr=False)
    variables: Mapping[str, str] = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    engines: Mapping[str, StepEngine] = field(repr=False)
    registries: DockerConfig = field(repr=False)

    def facts(self, candidate: Candidate, ended: Mapping[str, str]) -> Facts:
        """What the compiler has to know of one pipeline, when others have ended with these statuses."""
        number = 1 + [each.name for each in self.candidates].index(candidate.name)
        return self.pretence.facts(candidate.name, candidate.pipeline.type, number, candidate.needs, ended)

    def compile(self, candidate: Candidate, places: Mapping[str, str], facts: Facts) -> Stage:
        """The stage of a pipeline, of a type that is interpreted here.

        Args:
            candidate: which.
            places: its engine's paths; see `StepEngine`.
            facts: what `facts` gave for it.

        Raises:
            SettingsError: it cannot be compiled, for a reason that only its own variables or secrets bring.
        """
        options = self._options(places)
        pipeline = self._pipeline(candidate, facts, options)
        accounts = accounts_for(pipeline, self.secrets, self.registries)
        options = replace(options, container=replace(options.container, registries=accounts))
        return compile_stage(pipeline, facts, options=options, secrets=self.secrets)

    def missing_secrets(self) -> tuple[str, ...]:
        """The secrets that what runs asks for and nobody gave, by name."""
        given = {name.lower() for name in self.secrets}
        running = [one.pipeline for one in self.candidates if one.runs]
        wanted = [secret_names(pipeline) for pipeline in running if isinstance(pipeline, Pipeline)]
        return tuple(dict.fromkeys(name for names in wanted for name in names if name.lower() not in given))

    def _pipeline(self, candidate: Candidate, facts: Facts, options: Options) -> Pipeline:
        """The pipeline once more, with the variables of its own stage put in."""
        variables = {**substitution_variables(facts, options), **self.variables}
        manifest = _load(self.choices, self.name, self.text, variables, at=candidate.pipeline.mark.line)
        found = next((each for each in manifest.pipelines if each.mark == candidate.pipeline.mark), None)
        if found is None:
            raise BadManifest(self.name, manifest.problems)
        return found

    def _options(self, places: Mapping[str, str]) -> Options:
        return _options(self.choices, self.checkout, self.pretence.now, self.environment, places)


def open_workload(
    choices: Choices, checkout: Checkout, source: tuple[str, str], inputs: Inputs, *, now: int
) -> Workload:
    """Read a manifest for a build.

    Args:
        choices: what the person wants.
        checkout: where.
        source: the manifest's name and text.
        inputs: what it is given.
        now: seconds since 1970.

    Raises:
        BadManifest: it has errors.
        SettingsError: the choices do not fit it.
    """
    name, text = source
    pretence = pretend(choices, checkout, now)
    options = _options(choices, checkout, now, inputs.environment, {})
    facts = pretence.facts(choices.pipeline or "default", "exec")
    manifest = _load(choices, name, text, {**substitution_variables(facts, options), **inputs.variables})
    _refuse_errors(name, manifest, choices.pipeline)
    engines = step_engines({pipeline.type for pipeline in manifest.pipelines})
    found = candidates(manifest, choices.pipeline, pretence.conditions(), engines, this_platform())
    if not found:
        raise SettingsError(f"{name} has no pipeline: a document of it has to be of kind pipeline")
    _refuse_unknown_steps(choices, found)
    opened = _decrypted(manifest, inputs.key) if inputs.key is not None else {}
    return Workload(
        choices=choices,
        checkout=checkout,
        pretence=pretence,
        name=name,
        text=text,
        warnings=tuple(problem for problem in manifest.problems if problem.severity is Severity.WARNING),
        candidates=found,
        environment=inputs.environment,
        variables=inputs.variables,
        secrets={**opened, **inputs.secrets},
        engines=engines,
        registries=inputs.registries,
    )


def _decrypted(manifest: Manifest, key: str) -> dict[str, str]:
    """The secrets that the manifest has encrypted.

    Raises:
        SettingsError: one cannot be decrypted.
    """
    from delegate_drone.encrypted import DecryptError, decrypt  # noqa: PLC0415 - loads the cryptography

    found = (document.content for document in manifest.documents if isinstance(document.content, Secret))
    secrets: dict[str, str] = {}
    for secret in found:
        try:
            secrets |= {secret.name: decrypt(secret.data, key.encode())} if secret.data else {}
        except DecryptError as error:
            raise SettingsError(f'--secret-key-file: secret "{secret.name}" cannot be decrypted: {error}') from None
    return secrets


def _load(choices: Choices, name: str, text: str, variables: Mapping[str, str], at: int | None = None) -> Manifest:
    return load_manifest(text, file=name, strict=choices.strict, variables=variables, trusted=choices.trusted, at=at)


def _refuse_errors(name: str, manifest: Manifest, chosen: str | None) -> None:
    """Errors of the file are the run's; where one pipeline was chosen, those of other documents are not."""
    if empty := list(empty_file(name, manifest)):
        raise BadManifest(name, empty)
    if not manifest.errors:
        return
    others = [each for each in manifest.documents if chosen is not None and each.name and each.name != chosen]
    elsewhere = {id(problem) for document in others for problem in document.problems}
    if any(id(problem) not in elsewhere for problem in manifest.errors):
        raise BadManifest(name, manifest.problems)


def _refuse_unknown_steps(choices: Choices, found: Iterable[Candidate]) -> None:
    """A misspelt name would choose nothing, and that would look like success."""
    pipelines = [one.pipeline for one in found if isinstance(one.pipeline, Pipeline)]
    known = ["clone", *(step.name for each in pipelines for step in (*each.services, *each.steps))]
    for name in (*choices.include, *choices.exclude):
        if name not in known:
            close = get_close_matches(name, known, n=1)
            cure = f'did you mean "{close[0]}"?' if close else "see `delegate plan`"
            raise SettingsError(f'there is no step "{name}" to include or exclude; {cure}')


def _options(
    choices: Choices, checkout: Checkout, now: int, environment: Mapping[str, str], places: Mapping[str, str]
) -> Options:
    given: dict[str, Any] = dict(places)
    if not choices.clone:
        given["source"] = str(checkout.folder)
    return Options(
        clone=choices.clone,
        include=choices.include,
        exclude=choices.exclude,
        environment=environment,
        host_environment={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        proxies=os.environ,
        container=container_options(choices),
        now=now,
        **given,
    )
