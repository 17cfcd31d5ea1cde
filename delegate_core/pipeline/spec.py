"""The step spec: what any engine executes and any backend compiles to.

A `Stage` is one pipeline run on one machine; a `Step` is one process or container of it. What only containers have is
in `Container`: a step without one runs on the host. All values are frozen, and everything in them is final: variables
are substituted, conditions are evaluated (an unmet one is `RunPolicy.NEVER`), secrets are resolved. Secret values
never show in a repr.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from delegate_core.pipeline.container import Container

__all__ = [
    "FailurePolicy",
    "HostVolume",
    "Limits",
    "Netrc",
    "Platform",
    "RunPolicy",
    "Secret",
    "Shell",
    "Stage",
    "Step",
    "TemporaryVolume",
    "Volume",
    "Workspace",
]


class RunPolicy(StrEnum):
    """When a step runs, decided as soon as its dependencies have returned."""

    ON_SUCCESS = "on-success"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"
    NEVER = "never"
    """It is absent: no number, no report. Whatever depends on it waits for its dependencies instead."""


class FailurePolicy(StrEnum):
    """What a step's failure means to its stage."""

    FAIL = "fail"
    IGNORE = "ignore"
    FAST = "fast"
    """The stage fails and ends now: what runs is killed, what waits is skipped."""


class Shell(StrEnum):
    """What interprets a step's commands."""

    SH = "sh"
    BASH = "bash"
    PWSH = "pwsh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """One resolved secret of a step.

    Args:
        name: what the pipeline calls it; may be shown.
        value: what it is. An empty value still defines ``variable``.
        variable: the environment variable that carries it; None: it is only masked.
        mask: hide the value in what the stage prints.
    """

    name: str
    value: str = field(repr=False)
    variable: str | None = None
    mask: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Netrc:
    """The account with which git reaches the repository's host."""

    machine: str
    login: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a step may use at most; None is no limit. Sizes are bytes, CPU time is microseconds.

    Args:
        memory: main memory.
        memory_swap: main memory and swap together.
        processes: processes and threads at one time.
        cpu_period: length of a scheduling period.
        cpu_quota: CPU time within one period.
        cpu_shares: weight against other containers; 1024 is usual.
        cpu_set: the CPUs to run on, as ``0-2,4``.
    """

    memory: int | None = None
    memory_swap: int | None = None
    processes: int | None = None
    cpu_period: int | None = None
    cpu_quota: int | None = None
    cpu_shares: int | None = None
    cpu_set: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One process or container of a stage.

    Args:
        name: unique within the stage; any text.
        commands: lines for the shell, one script that stops at the first failure. A container without them runs its
            entrypoint; on the host an empty script succeeds.
        shell: what interprets the commands.
        environment: exactly what the process sees, besides the secrets. No secret is in it.
        secrets: values to mask, and variables that come from secrets.
        working_dir: where it starts: absolute, or relative to the workspace; None: the workspace. A detached container
            without commands then starts where its image says.
        limits: what it may use at most.
        container: what only containers have; None: it runs on the host.
        detach: dependents go on as soon as it has started, and it is ended when nothing else is left to do.
        run: when it runs.
        failure: what its failure means to the stage.
        depends_on: names of the steps that have to return first.
    """

    name: str
    commands: tuple[str, ...] = ()
    shell: Shell = Shell.SH
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()
    working_dir: str | None = None
    limits: Limits = Limits()
    container: Container | None = None
    detach: bool = False
    run: RunPolicy = RunPolicy.ON_SUCCESS
    failure: FailurePolicy = FailurePolicy.FAIL
    depends_on: tuple[str, ...] = ()

    def overlaid(self, environment: Mapping[str, str]) -> Step:
        """The same step with these variables over its own: what is known only when it starts."""
        return replace(self, environment={**self.environment, **environment})

    def variables(self) -> dict[str, str]:
        """The whole environment of the process, for an engine only: secrets are in it and win over plain values."""
        from_secrets = {secret.variable: secret.value for secret in self.secrets if secret.variable is not None}
        return {**self.environment, **from_secrets}


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporaryVolume:
    """A volume that lives as long as its stage, in memory or on disk; ``size_limit`` is bytes, None is no limit."""

    name: str
    in_memory: bool = False
    size_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostVolume:
    """A folder or file of the host."""

    name: str
    path: str
    read_only: bool = False


Volume = TemporaryVolume | HostVolume


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Where the repository is checked out and the steps start.

    Args:
        base: the folder that all containers share; empty on the host, where the engine makes one.
        path: the repository's folder below ``base``; empty: ``base`` itself.
        source: an existing folder to use in place, never cleaned; None: a new one that ends with the stage.
    """

    base: str = ""
    path: str = ""
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The machine that a stage asks for, in Go's words: ``linux``, ``arm64``, ``v8``. Empty: any."""

    os: str = ""
    arch: str = ""
    variant: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One pipeline, ready to run.

    Args:
        name: the pipeline's name.
        steps: in the file's order, clone and services first. Their ``depends_on`` is the whole order of the run:
            see `delegate_core.pipeline.graph.in_sequence`.
        workspace: where the steps start.
        netrc: the account for git, put into the stage's own home; None: none.
        volumes: what steps may mount, by name.
        networks: networks of the host that every container joins besides the stage's own.
        network_options: driver options of the stage's own network.
        show_pulls: a step's log tells how far the pull of its image is.
        platform: the machine that it needs.
        concurrency: how many runs of this pipeline the control plane admits at one time; None: any number. It says
            nothing about the steps, which run as parallel as their graph allows.
        timeout: seconds for the whole stage; None: no limit.
    """

    name: str
    steps: tuple[Step, ...] = ()
    workspace: Workspace = Workspace()
    netrc: Netrc | None = None
    volumes: tuple[Volume, ...] = ()
    networks: tuple[str, ...] = ()
    network_options: Mapping[str, str] = field(default_factory=dict)
    show_pulls: bool = True
    platform: Platform = Platform()
    concurrency: int | None = None
    timeout: float | None = None

    def masks(self) -> tuple[str, ...]:
        """Every value that nothing of this stage may show: a step can print what another one was given."""
        return tuple(dict.fromkeys(value for value in self._secret_values() if value))

    def _secret_values(self) -> Iterator[str]:
        if self.netrc is not None:
            yield self.netrc.password
        for step in self.steps:
            yield from (secret.value for secret in step.secrets if secret.mask)
            if step.container is not None and step.container.credentials is not None:
                yield step.container.credentials.password
