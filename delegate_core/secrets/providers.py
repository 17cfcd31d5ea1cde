"""The providers that are there without a plugin: ``env``, ``file`` and ``vault``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import anyio.to_thread

from delegate_core.secrets.errors import SecretError
from delegate_core.secrets.vault import from_vault
from delegate_core.settings.secretfrom import SecretFrom, SecretUnavailable

__all__ = ["builtin"]


async def builtin(provider: str, reference: str) -> str | None:
    """The secret, as the hook ``resolve_secret`` says; None: it is another's provider.

    Raises:
        SecretError: it cannot be had.
    """
    resolve = _PROVIDERS.get(provider)
    return None if resolve is None else await resolve(reference)


async def _from_environment(name: str) -> str:
    return await _read(SecretFrom(environment=name))


async def _from_file(path: str) -> str:
    return await _read(SecretFrom(file=Path(path)))


async def _read(place: SecretFrom) -> str:
    try:
        return await anyio.to_thread.run_sync(place.read)
    except SecretUnavailable as error:
        raise SecretError(str(error)) from None


_PROVIDERS: Final[Mapping[str, Callable[[str], Awaitable[str]]]] = {
    "env": _from_environment,
    "file": _from_file,
    "vault": from_vault,
}
