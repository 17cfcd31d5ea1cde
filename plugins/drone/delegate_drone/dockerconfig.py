"""Docker's ``config.json``: the accounts of registries, and whose account an image needs."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from delegate_core.pipeline.container import RegistryCredentials

__all__ = ["DockerConfig", "DockerConfigError", "account_for", "image_host", "normal_host", "parse_docker_config"]

_DOCKER_HUB = "docker.io"
_HUB_NAMES = frozenset({"index.docker.io", "registry-1.docker.io", _DOCKER_HUB})


class DockerConfigError(Exception):
    """The text is no docker configuration. The message shows nothing of it."""


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """The accounts of a file in its order, and what of the file could not be used, a line each."""

    accounts: tuple[RegistryCredentials, ...] = ()
    warnings: tuple[str, ...] = ()


def parse_docker_config(text: str) -> DockerConfig:
    """Read ``auths``: ``auth`` (base64 of ``user:password``) goes before ``username`` and ``password``.

    An entry that cannot be used is left out and named in a warning, and so are credential helpers: they are programs
    of another machine.

    Raises:
        DockerConfigError: it is no JSON object, or its ``auths`` is none.
    """
    try:
        content = json.loads(text)
    except ValueError:
        raise DockerConfigError("it is not JSON: give the text of a docker config.json") from None
    auths = (content.get("auths") or {}) if isinstance(content, dict) else None
    if not isinstance(auths, dict):
        raise DockerConfigError("it has no `auths` object: give the text of a docker config.json")
    read = [_account(key, entry) for key, entry in auths.items()]
    problems = [each for each in read if isinstance(each, str)]
    accounts = tuple(each for each in read if isinstance(each, RegistryCredentials))
    return DockerConfig(accounts, (*problems, *_helpers(content)))


def normal_host(address: str) -> str:
    """A registry's host and port: without scheme, path and capitals, and with one name for Docker Hub."""
    host = address.partition("://")[2] or address
    host = host.strip("/").partition("/")[0].lower()
    return _DOCKER_HUB if host in _HUB_NAMES else host


def image_host(image: str) -> str:
    """The registry that an image comes from. ``plugins/git`` and ``alpine:3`` are of Docker Hub."""
    first, slash, _ = image.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return normal_host(first) if named else _DOCKER_HUB


def account_for(image: str, accounts: Iterable[RegistryCredentials]) -> RegistryCredentials | None:
    """The first account of the image's registry; None: it is pulled anonymously."""
    host = image_host(image)
    return next((account for account in accounts if normal_host(account.address) == host), None)


def _account(key: str, entry: Any) -> RegistryCredentials | str | None:
    """The account, what is wrong with it, or None for a mere mark that a helper knows it (an empty entry)."""
    if not isinstance(entry, Mapping):
        return f"{normal_host(key)}: its entry is no object: it is left out"
    if not entry:
        return None
    try:
        username, password = _decoded(entry["auth"]) if entry.get("auth") else _plain(entry)
    except ValueError as error:
        return f"{normal_host(key)}: {error}: it is left out; log in again with a user name and password"
    return RegistryCredentials(address=normal_host(key), username=username, password=password)


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
        yield f"credHelpers {program} for {normal_host(str(host))} {cure}"
