"""The steps of an exec pipeline, and the clone step of a docker pipeline where git of the host does it: processes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from delegate_core.pipeline.spec import RunPolicy, Secret, Step
from delegate_drone.compiler.clone import clone_commands
from delegate_drone.compiler.environment import expanded, host_environment
from delegate_drone.compiler.facts import Facts
from delegate_drone.compiler.options import Options
from delegate_drone.compiler.secrets import KnownSecrets
from delegate_drone.manifest import Pipeline
from delegate_drone.manifest import Step as ManifestStep

__all__ = ["HostSteps"]

_PATH = "PATH"


class HostSteps:
    """Compiles one pipeline's steps. What only containers have is ignored; the lint says so."""

    def __init__(self, pipeline: Pipeline, facts: Facts, options: Options, secrets: KnownSecrets) -> None:
        self._clone = pipeline.clone
        self._facts = facts
        self._secrets = secrets
        self._environment = host_environment(facts, pipeline.clone, options)
        self._masked = tuple(
            Secret(name=name, value=value, variable=name) for name, value in options.masked_environment.items()
        )

    def clone(self, name: str, folder: str = "") -> Step:
        """The step that fetches the source: into the workspace, or a folder below it."""
        commands = clone_commands(self._facts.build, self._facts.repository, self._clone)
        if folder:
            quoted = shlex.quote(folder)
            commands = (f"mkdir -p -- {quoted}", f"cd -- {quoted}", *commands)
        environment = dict(self._environment)
        return Step(name=name, commands=commands, environment=environment, secrets=self._masked, run=RunPolicy.ALWAYS)

    def step(self, step: ManifestStep) -> Step:
        """What runs for a step of the manifest."""
        own = self._secrets.resolve(step.environment)
        return Step(
            name=step.name,
            commands=step.commands,
            environment={**self._environment, **self._with_path(own.plain)},
            secrets=(*own.secrets, *self._masked),
        )

    def _with_path(self, plain: Mapping[str, str]) -> Mapping[str, str]:
        """``$PATH`` in a step's own ``PATH`` is the one that it would have without; no other variable is expanded."""
        if _PATH not in plain:
            return plain
        return {**plain, _PATH: expanded(plain[_PATH], self._environment)}
