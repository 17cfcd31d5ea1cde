"""The part of the step spec that only containers have."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Container", "Device", "Mount", "Pull", "RegistryCredentials"]


class Pull(StrEnum):
    """When an image is fetched. ``DEFAULT``: where it is missing, and always for the tag ``latest``."""

    DEFAULT = "default"
    ALWAYS = "always"
    IF_NOT_EXISTS = "if-not-exists"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryCredentials:
    """The account that may pull an image. ``address`` is the registry's host, without scheme."""

    address: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume of the stage at a path in the step's container."""

    volume: str
    path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the host at a path in the step's container."""

    host_path: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What a step has in addition where it runs in a container.

    Args:
        image: the full image reference, tag included.
        pull: when to fetch the image.
        credentials: the account to fetch it with; None: anonymously.
        entrypoint: replaces the image's. A step with commands needs none: the engine starts the shell.
        command: arguments to the entrypoint; replaces the image's.
        user: name or id to run as; empty: the image's.
        privileged: full access to the host. Only trusted pipelines may ask for it.
        mounts: volumes of the stage; the workspace is mounted without being listed.
        devices: devices of the host.
        networks: networks to join besides the stage's own.
        network_mode: replaces all networking (``host``); empty: the stage's network.
        dns: name servers.
        dns_search: search domains.
        hosts: further lines of the hosts file, each ``name:address``.
        shm_size: bytes of shared memory; None: the engine's default.
    """

    image: str
    pull: Pull = Pull.DEFAULT
    credentials: RegistryCredentials | None = None
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    privileged: bool = False
    mounts: tuple[Mount, ...] = ()
    devices: tuple[Device, ...] = ()
    networks: tuple[str, ...] = ()
    network_mode: str = ""
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    shm_size: int | None = None
