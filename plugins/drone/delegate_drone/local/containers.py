"""What the person at the terminal gives to the containers of docker pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from delegate_core.errors import SettingsError
from delegate_core.pipeline.container import RegistryCredentials
from delegate_drone.compiler import ContainerOptions, SharedVolume, pull_secrets
from delegate_drone.dockerconfig import DockerConfig, DockerConfigError, parse_docker_config, pull_accounts
from delegate_drone.local.choices import Choices
from delegate_drone.local.reading import read_text
from delegate_drone.manifest import Pipeline

__all__ = ["accounts_for", "container_options", "read_registries"]


def container_options(choices: Choices) -> ContainerOptions:
    """Without accounts, which each pipeline has its own of. A clone is that of a local repository: by the host's git.

    Raises:
        SettingsError: a volume is written in another way.
    """
    return ContainerOptions(
        clone_on_host=True,
        privileged_images=choices.privileged,
        volumes=tuple(map(_volume, choices.volume)),
        networks=choices.network,
    )


def read_registries(file: Path | None) -> DockerConfig:
    """The accounts of a docker config.json; None: none.

    Raises:
        SettingsError: it cannot be used. No account is in its text.
    """
    if file is None:
        return DockerConfig()
    try:
        return parse_docker_config(read_text(file), f"--registry {file}")
    except DockerConfigError as error:
        raise SettingsError(str(error)) from None


def accounts_for(
    pipeline: Pipeline, secrets: Mapping[str, str], given: DockerConfig
) -> tuple[RegistryCredentials, ...]:
    """The accounts for a pipeline's images: of its ``image_pull_secrets``, then those given.

    Raises:
        SettingsError: a secret is no docker config.json.
    """
    try:
        return (*pull_accounts(pull_secrets(pipeline, secrets)).accounts, *given.accounts)
    except DockerConfigError as error:
        raise SettingsError(f"image_pull_secrets: {error}") from None


def _volume(text: str) -> SharedVolume:
    """A relative path on the host is from this folder."""
    host, colon, rest = text.partition(":")
    absolute = str(Path(host).expanduser().absolute()) if host and colon else host
    try:
        return SharedVolume.parse(f"{absolute}{colon}{rest}")
    except ValueError as error:
        raise SettingsError(f"--volume: {error}") from None
