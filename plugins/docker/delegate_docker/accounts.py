"""With which account an image is pulled: the step's own, else that of Docker's config.json for its registry."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from delegate_core.pipeline.container import RegistryCredentials

__all__ = ["known_account", "registry_of"]

_HUB = "docker.io"
_HUB_NAMES = frozenset({_HUB, "index.docker.io", "registry-1.docker.io"})


def registry_of(image: str) -> str:
    """The registry's host in an image reference."""
    first, slash, _ = image.partition("/")
    is_host = bool(slash) and (any(sign in first for sign in ".:") or first == "localhost")
    return first if is_host and first not in _HUB_NAMES else _HUB


def known_account(image: str, file: Path) -> RegistryCredentials | None:
    """The account that Docker's configuration has for the image's registry; None where it has none, or is unreadable.

    Credential helpers are not asked.
    """
    try:
        accounts = json.loads(file.read_text("utf-8")).get("auths", {})
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    wanted = registry_of(image)
    for address, account in accounts.items() if isinstance(accounts, Mapping) else ():
        if _host(address) == wanted and isinstance(account, Mapping):
            return _account(wanted, account)
    return None


def _host(address: str) -> str:
    host = (address.partition("://")[2] or address).partition("/")[0].lower()
    return _HUB if host in _HUB_NAMES else host


def _account(address: str, account: Mapping[str, str]) -> RegistryCredentials | None:
    try:
        text = base64.b64decode(account.get("auth", ""), validate=True).decode()
    except ValueError:
        return None
    username, _, password = text.partition(":")
    username, password = account.get("username") or username, account.get("password") or password
    return RegistryCredentials(address=address, username=username, password=password) if username else None
