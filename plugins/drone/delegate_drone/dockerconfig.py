"""Docker's ``config.json``: the accounts of registries."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from delegate_core.pipeline.container import RegistryCredentials
from delegate_drone.compiler.images import registry_host

__all__ = ["DockerConfig", "DockerConfigError", "parse_docker_config", "pull_accounts"]


class DockerConfigError(Exception):
    """The text is no docker configuration. The message shows nothing of it."""


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """The accounts of a file in its order, and what of the file could not be used, a line each."""

    accounts: tuple[RegistryCredentials, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def passwords(self) -> tuple[str, ...]:
        """Of all accounts."""
        return tuple(account.password for account in self.accounts)


def parse_docker_config(text: str, origin: str) -> DockerConfig:
    """Read ``auths``: ``auth`` (base64 of ``user:password``) goes before ``username`` and ``password``.

    An entry that cannot be used is left out and named in a warning, and so are credential helpers: they are programs
    of another machine.

    Args:
        text: of the file.
        origin: what to call it.

    Raises:
        DockerConfigError: it is no JSON object, or its ``auths`` is none.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise DockerConfigError(f"{origin}: it is not JSON: give the text of a docker config.json") from None
    auths = (content.get("auths") or {}) if isinstance(content, dict) else None
    if not isinstance(auths, dict):
        raise DockerConfigError(f"{origin}: it has no `auths` object: give the text of a docker config.json")
    read = [_account(key, entry) for key, entry in auths.items()]
    problems = [each for each in read if isinstance(each, str)]
    accounts = tuple(each for each in read if isinstance(each, RegistryCredentials))
    return DockerConfig(accounts, tuple(f"{origin}: {each}" for each in (*problems, *_helpers(content))))


def pull_accounts(secrets: Mapping[str, str]) -> DockerConfig:
    """The accounts of a manifest's ``image_pull_secrets``: the texts by name, in its order.

    Of two with an account of the same registry the later one counts, as in Drone. A secret that is not there, as for
    the pull request of a stranger, is named in a warning: the image may be free to all.

    Raises:
        DockerConfigError: a text cannot be read.
    """
    configs = [_of_secret(name, text) for name, text in reversed([*secrets.items()])]
    accounts = tuple(account for config in configs for account in config.accounts)
    return DockerConfig(accounts, tuple(warning for config in configs for warning in config.warnings))


def _of_secret(name: str, text: str) -> DockerConfig:
    if not text.strip():
        return DockerConfig((), (f"image_pull_secrets: secret {name} is not given: images are pulled without it",))
    return parse_docker_config(text, f"secret {name}")


def _account(key: str, entry: Any) -> RegistryCredentials | str | None:
    """The account, what is wrong with it, or None for a mere mark that a helper knows it (an empty entry)."""
    if not isinstance(entry, Mapping):
        return f"{registry_host(key)}: its entry is no object: it is left out"
    if not entry:
        return None
    try:
        username, password = _decoded(entry["auth"]) if entry.get("auth") else _plain(entry)
    except ValueError as error:
        return f"{registry_host(key)}: {error}: it is left out; log in again with a user name and password"
    return RegistryCredentials(address=registry_host(key), username=username, password=password)


def _decoded(auth: Any) -> tuple[str, str]:
    try:
        text = base64.b64decode(str(auth), validate=True).decode().rstrip("\0")
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("its auth is not base64 of user:password") from None
    username, colon, password = text.partition(":")
    if not colon or not username:
        raise ValueError("its auth is not base64 of user:password")
    return username, password


def _plain(entry: Mapping[str, Any]) -> tuple[str, str]:
    username, password = entry.get("username"), entry.get("password")
    if not isinstance(username, str) or not isinstance(password, str) or not username:
        raise ValueError("it has neither auth nor username and password")
    return username, password


def _helpers(content: Mapping[str, Any]) -> Iterator[str]:
    """Both keys name programs that keep the passwords elsewhere."""
    cure = "is not asked: put the accounts themselves under auths"
    if content.get("credsStore"):
        yield f"credsStore {content['credsStore']} {cure}"
    helpers = content.get("credHelpers")
    for host, program in helpers.items() if isinstance(helpers, Mapping) else ():
        yield f"credHelpers {program} for {registry_host(str(host))} {cure}"
