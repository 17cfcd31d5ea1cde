"""From the settings to what the runner gives to the containers of docker pipelines."""

from __future__ import annotations

from delegate_core.pipeline.container import RegistryCredentials
from delegate_core.pipeline.spec import Limits
from delegate_drone.compiler import CLONE_IMAGE, ContainerOptions
from delegate_drone.settings import DroneSettings

__all__ = ["container_options"]


def container_options(settings: DroneSettings, accounts: tuple[RegistryCredentials, ...] = ()) -> ContainerOptions:
    """The options of one stage; ``accounts`` are those that may pull its images, the most specific first."""
    return ContainerOptions(
        clone_image=settings.clone_image or CLONE_IMAGE,
        clone_on_host=settings.clone_on_host,
        registries=accounts,
        privileged_images=settings.privileged_images,
        plugin_volumes=settings.plugin_volumes,
        volumes=settings.volumes,
        networks=settings.networks,
        network_options=dict(settings.network_opts),
        show_pulls=settings.stream_pulls,
        limits=_limits(settings),
        shm_size=settings.shm_size or None,
        netrc_clone_only=settings.netrc_clone_only,
    )


def _limits(settings: DroneSettings) -> Limits:
    """Drone writes 0 where there is no limit."""
    return Limits(
        memory=settings.memory_limit or None,
        memory_swap=settings.memory_swap_limit or None,
        cpu_period=settings.cpu_period or None,
        cpu_quota=settings.cpu_quota or None,
        cpu_shares=settings.cpu_shares or None,
        cpu_set=",".join(settings.cpu_set) or None,
    )
