"""Where the accounts come from with which images are pulled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from pydantic import Field, TypeAdapter, ValidationError

from delegate_core.pipeline.container import RegistryCredentials
from delegate_drone.compiler.images import registry_host
from delegate_drone.dockerconfig import DockerConfig, DockerConfigError, parse_docker_config, pull_accounts
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
            pull_secrets: the texts of the manifest's ``image_pull_secrets`` by name, in its order.

        Raises:
            RegistriesError: a text cannot be read, or the extension failed. The stage must fail.
        """
        try:
            configs = [pull_accounts(pull_secrets or {}), await self._of_the_runner()]
        except DockerConfigError as error:
            raise RegistriesError(str(error)) from None
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
            raise RegistriesError(f"{self._config}: {reason}: give a readable --registry-config") from None
        return parse_docker_config(text, str(self._config))

    async def _stored(self, extension: Extension, details: Details) -> list[RegistryCredentials]:
        try:
            answer = await extension.ask(_ACCEPT, subject(details))
        except ExtensionFailed as error:
            raise RegistriesError(str(error)) from None
        return [_credentials(each) for each in _registries(answer, extension)]


def _registries(answer: Any, extension: Extension) -> list[_Registry]:
    try:
        return _LIST.validate_python(answer or [])
    except ValidationError:
        cure = "it should answer a list of {address, username, password}"
        raise RegistriesError(f"{extension.name} answered something that is no list of accounts: {cure}") from None


def _credentials(registry: _Registry) -> RegistryCredentials:
    return RegistryCredentials(
        address=registry_host(registry.address), username=registry.username, password=registry.password
    )
