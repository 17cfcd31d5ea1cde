"""Builds of an invented repository."""

from __future__ import annotations

from typing import Any

from delegate_drone.manifest import Mark
from delegate_drone.manifest import Secret as SecretDocument
from delegate_drone.wire import Build, Details, Repository, Secret

KEY = "0123456789abcdef0123456789abcdef"


def details(
    event: str = "push",
    *,
    fork: str = "",
    private: bool = False,
    key: str = KEY,
    secrets: tuple[Secret, ...] = (),
    **repository: Any,
) -> Details:
    return Details(
        build=Build(number=7, event=event, source_repo=fork, target="main"),
        repository=Repository(slug="octo/hello", private=private, secret=key, signer="sign-key", **repository),
        secrets=secrets,
    )


def document(name: str, *, data: str = "", path: str = "", key: str = "", line: int = 3) -> SecretDocument:
    return SecretDocument(name, Mark(line, 1), data=data, path=path, key=key)
