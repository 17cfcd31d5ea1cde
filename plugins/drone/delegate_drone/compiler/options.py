"""What the runner adds to a pipeline: its own variables, folders and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from delegate_core.pipeline.container import RegistryCredentials
from delegate_core.pipeline.spec import Limits
from delegate_drone.compiler.sharing import SharedVolume

__all__ = ["CLONE_IMAGE", "NOTHING", "ContainerOptions", "Options"]

CLONE_IMAGE = "drone/git:latest"
"""What Drone's own runner clones with."""

NOTHING: Mapping[str, str] = MappingProxyType({})
"""No variables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerOptions:
    """What the runner gives to the containers of a docker pipeline.

    Args:
        clone_image: the image of the clone step; it has to read the ``PLUGIN_*`` and ``DRONE_*`` variables.
        clone_on_host: the git of this machine clones instead; see `delegate_core.engines.mixed`.
        registries: accounts for images, those of the pipeline's own ``image_pull_secrets`` too, the first one that fits
            counts.
        privileged_images: plugins that run privileged without asking, besides Drone's own; names without tags.
        plugin_volumes: such a plugin may mount volumes and keep its privileges.
        volumes: host folders in every container.
        networks: networks of the host that every container joins.
        network_options: driver options of the network that each stage has for itself.
        show_pulls: a step's log tells how far the pull of its image is.
        limits: what a step may use at most, unless it says otherwise itself.
        shm_size: bytes of shared memory, unless the step says otherwise; None: the engine's default.
        netrc_clone_only: only the clone step gets the account for git.
        environment: what only the engine knows, as ``DRONE_DOCKER_NETWORK_ID``.
    """

    clone_image: str = CLONE_IMAGE
    clone_on_host: bool = False
    registries: tuple[RegistryCredentials, ...] = ()
    privileged_images: tuple[str, ...] = ()
    plugin_volumes: bool = False
    volumes: tuple[SharedVolume, ...] = ()
    networks: tuple[str, ...] = ()
    network_options: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    show_pulls: bool = True
    limits: Limits = field(default_factory=Limits)
    shm_size: int | None = None
    netrc_clone_only: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How this runner runs a pipeline.

    Args:
        home: the home folder of steps on the host; None: the engine sets what it makes.
        workspace: the folder an exec pipeline is checked out to; None as for ``home``.
        source: run in this existing folder in place: nothing is cloned.
        clone: whether to fetch the source, where the pipeline does not disable it.
        include: only steps and services of these names run; empty: all.
        exclude: steps and services of these names do not run, ``clone`` included.
        environment: the runner's own variables for every step.
        masked_environment: the same, but secret; they win over everything else.
        host_environment: what the host passes to steps on it, as ``PATH`` and ``USER``: exactly these.
        proxies: where to find the runner's proxy settings, in upper or lower case; nothing else of it is used.
        container: for docker pipelines.
        now: unix seconds, for the times of a build that has not started or not ended.
    """

    home: str | None = None
    workspace: str | None = None
    source: str | None = None
    clone: bool = True
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    masked_environment: Mapping[str, str] = field(default_factory=lambda: NOTHING, repr=False)
    host_environment: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    proxies: Mapping[str, str] = field(default_factory=lambda: NOTHING, repr=False)
    container: ContainerOptions = ContainerOptions()
    now: float = 0.0

    def selects(self, name: str) -> bool:
        """Whether ``include`` and ``exclude`` let the step of this name run."""
        return name not in self.exclude and (not self.include or name in self.include)
