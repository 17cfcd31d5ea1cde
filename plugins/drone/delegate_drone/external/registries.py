"""Where the accounts come from with which images are pulled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from pydantic import Field, TypeAdapter, ValidationError

from delegate_core.pipeline.container import RegistryCredentials
from delegate_drone.dockerconfig import DockerConfig, DockerConfigError, account_for, normal_host, parse_docker_config
from delegate_drone.external.client import Extension, subject
from delegate_drone.external.errors import ExtensionFailed, RegistriesError
from delegate_drone.wire import Details, WireModel

__all__ = ["Accounts", "RegistrySources"]

_ACCEPT = "application/vnd.drone.registry.v1+json"


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of a stage, the most specific first.

    Attributes:
        accounts: in the order in which they are looked at.
        warnings: what could not be used, a line each.
    """

    accounts: tuple[RegistryCredentials, ...] = field(default=(), repr=False)
    warnings: tuple[str, ...] = ()

    def account_for(self, image: str) -> RegistryCredentials | None:
        """The account to pull this image with; None: anonymously."""
        return account_for(image, self.accounts)


class _Registry(WireModel):
    """An account as the extension gives it."""

    address: str
    username: str = ""
    password: str = Field(default="", repr=False)


_LIST = TypeAdapter(list[_Registry])


class RegistrySources:
    """The accounts of the manifest's ``image_pull_secrets``, of the runner's docker config.json, of the extension.

    Args:
        config: the runner's config.json; read for each stage, as logins are renewed.
        extension: asked for each stage.
    """

    def __init__(self, config: Path | None = None, extension: Extension | None = None) -> None:
        self._config = config
        self._extension = extension

    async def resolve(self, details: Details, pull_secrets: Mapping[str, str] | None = None) -> Accounts:
        """The accounts of a stage.

        Args:
            details: the stage's.
            pull_secrets: the values of the manifest's ``image_pull_secrets`` by name, in its order. Of two with an
                account of the same registry the later one counts, as in Drone.

        Raises:
            RegistriesError: a text cannot be read, or the extension failed. The stage must fail.
        """
        secrets = [_parsed(text, f"secret {name}") for name, text in reversed([*(pull_secrets or {}).items()])]
        configs = [*secrets, await self._of_the_runner()]
        stored = await self._stored(self._extension, details) if self._extension else []
        accounts = [account for config in configs for account in config.accounts]
        warnings = [warning for config in configs for warning in config.warnings]
        return Accounts((*accounts, *stored), tuple(warnings))

    async def _of_the_runner(self) -> DockerConfig:
        if self._config is None:
            return DockerConfig()
        try:
            text = await anyio.Path(self._config).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise RegistriesError(f"{self._config}: {reason}: give a readable --docker-config") from None
        return _parsed(text, str(self._config))

    async def _stored(self, extension: Extension, details: Details) -> list[RegistryCredentials]:
        try:
            answer = await extension.ask(_ACCEPT, subject(details))
        except ExtensionFailed as error:
            raise RegistriesError(str(error)) from None
        return [_credentials(each) for each in _registries(answer, extension)]


def _parsed(text: str, origin: str) -> DockerConfig:
    try:
        config = parse_docker_config(text)
    except DockerConfigError as error:
        raise RegistriesError(f"{origin}: {error}") from None
    return DockerConfig(config.accounts, tuple(f"{origin}: {warning}" for warning in config.warnings))


def _registries(answer: Any, extension: Extension) -> list[_Registry]:
    try:
        return _LIST.validate_python(answer or [])
    except ValidationError:
        cure = "it should answer a list of {address, username, password}"
        raise RegistriesError(f"{extension.name} answered something that is no list of accounts: {cure}") from None


def _credentials(registry: _Registry) -> RegistryCredentials:
    return RegistryCredentials(
        address=normal_host(registry.address), username=registry.username, password=registry.password
    )
