"""What a manifest says, as frozen values. Every value knows where it stands in the file."""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from delegate_drone.manifest.conditions import Conditions
from delegate_drone.manifest.nodes import Mapping, Mark
from delegate_drone.manifest.values import EnvironmentValue, Setting, Value

__all__ = [
    "Clone",
    "Content",
    "Dependency",
    "Device",
    "Foreign",
    "Pipeline",
    "Platform",
    "Secret",
    "Signature",
    "Step",
    "Volume",
    "VolumeMount",
    "Workspace",
]

_NOTHING: AbstractMapping[str, str] = MappingProxyType({})
_ALWAYS = Conditions()


@dataclass(frozen=True, slots=True)
class Dependency:
    """A name under ``depends_on``."""

    name: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Platform:
    """Where a pipeline wants to run; empty means anywhere."""

    os: str = ""
    arch: str = ""
    variant: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Clone:
    """How the source is fetched. ``depth`` 0 is the whole history."""

    disable: bool = False
    depth: int = 0
    retries: int = 0
    skip_verify: bool = False
    trace: bool = False


@dataclass(frozen=True, slots=True)
class Workspace:
    """Folders of the source in a container."""

    base: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the host in a container: its name there, its path here."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """A volume of the pipeline mounted in a step."""

    name: str
    path: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume of the pipeline: ``host_path`` on the host, or temporary, ``medium`` memory or empty for disk."""

    name: str
    mark: Mark
    host_path: str | None = None
    temporary: bool = False
    medium: str = ""
    size_limit: int = 0
    """Bytes; 0 is no limit."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step or a service. Sizes are bytes, 0 for no limit; ``environment`` keeps the file's text."""

    name: str
    mark: Mark
    node: Mapping = field(repr=False, compare=False)
    image: str = ""
    commands: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    environment: AbstractMapping[str, EnvironmentValue] = field(default_factory=lambda: _NOTHING)
    settings: AbstractMapping[str, Setting] = field(default_factory=lambda: _NOTHING)
    dependencies: tuple[Dependency, ...] = ()
    detach: bool = False
    failure: str = ""
    pull: str = ""
    privileged: bool = False
    shell: str = ""
    user: str = ""
    working_dir: str = ""
    network_mode: str = ""
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    shm_size: int = 0
    mem_limit: int = 0
    memswap_limit: int = 0
    volumes: tuple[VolumeMount, ...] = ()
    when: Conditions = _ALWAYS

    @property
    def depends_on(self) -> tuple[str, ...]:
        """The names of the steps that come before."""
        return tuple(dependency.name for dependency in self.dependencies)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline of type ``exec`` or ``docker``; a document without a type is docker."""

    name: str
    type: str
    mark: Mark
    node: Mapping = field(repr=False, compare=False)
    steps: tuple[Step, ...] = ()
    services: tuple[Step, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    environment: AbstractMapping[str, str] = field(default_factory=lambda: _NOTHING)
    platform: Platform = Platform()
    clone: Clone = Clone()
    workspace: Workspace = Workspace()
    concurrency_limit: int = 0
    node_labels: AbstractMapping[str, str] = field(default_factory=lambda: _NOTHING)
    image_pull_secrets: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    trigger: Conditions = _ALWAYS

    kind = "pipeline"

    @property
    def depends_on(self) -> tuple[str, ...]:
        """The names of the pipelines that come before."""
        return tuple(dependency.name for dependency in self.dependencies)


@dataclass(frozen=True, slots=True)
class Secret:
    """``kind: secret``: encrypted ``data`` in the file, or where an external store keeps it."""

    name: str
    mark: Mark
    data: str = field(default="", repr=False)
    path: str = ""
    key: str = ""

    kind = "secret"
    type = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """``kind: signature``. Only the server verifies it."""

    mark: Mark
    hmac: str = ""
    name: str = ""

    kind = "signature"
    type = ""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A document of a kind or type that is not interpreted here, as typed values, for someone else to."""

    kind: str
    type: str
    name: str
    mark: Mark
    data: Value
    dependencies: tuple[Dependency, ...] = ()

    @property
    def depends_on(self) -> tuple[str, ...]:
        """The names of the pipelines that come before."""
        return tuple(dependency.name for dependency in self.dependencies)


Content: TypeAlias = Pipeline | Secret | Signature | Foreign
"""What one document says."""
