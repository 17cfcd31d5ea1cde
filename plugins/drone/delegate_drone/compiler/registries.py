"""Which account pulls an image."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from delegate_core.pipeline.container import RegistryCredentials
from delegate_drone.compiler.images import full_reference, registry_host
from delegate_drone.compiler.secrets import KnownSecrets

__all__ = ["credentials_for", "docker_config", "pull_credentials"]


def credentials_for(image: str, accounts: Iterable[RegistryCredentials]) -> RegistryCredentials | None:
    """The first account of the image's registry."""
    host = registry_host(full_reference(image))
    return next((account for account in accounts if registry_host(account.address) == host), None)


def pull_credentials(
    names: Iterable[str], secrets: KnownSecrets, others: Iterable[RegistryCredentials]
) -> tuple[RegistryCredentials, ...]:
    """The accounts of ``image_pull_secrets``, those of later names first, then the runner's own."""
    texts = [secrets.find(name) or "" for name in names]
    return (*(account for text in reversed(texts) for account in docker_config(text)), *others)


def docker_config(text: str) -> tuple[RegistryCredentials, ...]:
    """The accounts in the text of docker's ``config.json``. What cannot be read holds none: the pull will say so."""
    try:
        config = json.loads(text)
    except ValueError:
        return ()
    auths = config.get("auths") if isinstance(config, dict) else None
    return tuple(_accounts(auths)) if isinstance(auths, dict) else ()


def _accounts(auths: Mapping[str, Any]) -> Iterator[RegistryCredentials]:
    for address, entry in auths.items():
        username, password = _login(entry) if isinstance(entry, dict) else ("", "")
        if username or password:
            yield RegistryCredentials(address=registry_host(address), username=username, password=password)


def _login(entry: Mapping[str, Any]) -> tuple[str, str]:
    """``auth`` is base64 of user and password, and counts before the two in clear text."""
    if auth := entry.get("auth"):
        try:
            username, _, password = base64.b64decode(str(auth), validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return "", ""
        return username, password.rstrip("\0")
    return str(entry.get("username") or ""), str(entry.get("password") or "")
