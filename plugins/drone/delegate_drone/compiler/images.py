"""Image references: their full form, the registry they belong to, and which of them are trusted."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["PRIVILEGED_PLUGINS", "full_reference", "is_among", "registry_host"]

PRIVILEGED_PLUGINS = ("plugins/docker", "plugins/acr", "plugins/ecr", "plugins/gcr", "plugins/heroku", "plugins/gar")
"""They build images, which needs a privileged container; a pipeline does not have to ask for it."""

_HUB = "docker.io"
_HUB_NAMES = frozenset({_HUB, "index.docker.io", "registry-1.docker.io"})


def full_reference(image: str) -> str:
    """``golang`` is ``docker.io/library/golang:latest``; a digest stands for a tag. An empty one stays empty."""
    if not image:
        return ""
    name, at, digest = image.partition("@")
    host, path = _split(name)
    base, colon, tag = path.rpartition(":")
    path, tag = (base, tag) if colon else (path, "")
    if host == _HUB and "/" not in path:
        path = f"library/{path}"
    suffix = f":{tag}" if tag else ("" if at else ":latest")
    return f"{host}/{path}{suffix}{at}{digest}"


def registry_host(address: str) -> str:
    """The host of a registry's address, as it stands in a full reference; also of a URL with scheme and path."""
    host = address.partition("://")[2] or address
    host = host.strip("/").partition("/")[0].lower()
    return _HUB if host in _HUB_NAMES else host


def is_among(image: str, trusted: Iterable[str]) -> bool:
    """Whether an image is one of these, whatever its tag."""
    return bool(image) and _untagged(image) in {_untagged(each) for each in trusted if each}


def _split(name: str) -> tuple[str, str]:
    """The registry's host, and the rest. A first part without dot or port is a user of the hub."""
    first, slash, rest = name.partition("/")
    is_host = bool(slash) and (any(sign in first for sign in ".:") or first == "localhost" or first != first.lower())
    if not is_host:
        return _HUB, name
    return (_HUB if first in _HUB_NAMES else first), rest


def _untagged(image: str) -> str:
    name = full_reference(image).partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]
