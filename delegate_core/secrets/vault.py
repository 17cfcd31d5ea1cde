"""The provider ``vault``: a field of a secret in a key-value store of a Vault server, version 1 or 2.

``vault:PATH#FIELD``, with the path as ``vault kv get PATH`` takes it; ``PATH?version=3#FIELD`` for an older version
(KV 2). Where the server is and who asks is in the variables that Vault's own tools read: ``VAULT_ADDR``,
``VAULT_TOKEN``, ``VAULT_NAMESPACE`` and ``VAULT_CACERT``. Without ``VAULT_TOKEN`` the token is read from the file
``VAULT_TOKEN_FILE`` or ``~/.vault-token``, at each use, so that a renewed one needs no restart.

Source: Vault's HTTP API, "KV secrets engine" versions 1 and 2, and ``/sys/internal/ui/mounts``, by which its own
command line learns where a path is mounted.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import anyio
import anyio.to_thread

from delegate_core.backoff import Backoff
from delegate_core.http import Reply, TlsOptions, Transport, TransportError, open_transport
from delegate_core.secrets.errors import SecretError

__all__ = ["from_vault"]

_TIMEOUT: Final = 10.0
"""Seconds for one call."""

_TRIES: Final = 3

_PATH: Final = re.compile(r"(?P<path>[^#?]+)(?:\?version=(?P<version>[1-9]\d*))?#(?P<field>.+)")


@dataclass(frozen=True, slots=True)
class _Place:
    path: str
    field: str
    version: str | None


@dataclass(frozen=True, slots=True)
class _Server:
    """Where Vault is, and who asks."""

    address: str
    token: str = field(repr=False)
    namespace: str
    ca_files: tuple[Path, ...]


async def from_vault(reference: str) -> str:
    """The value of a field: a text as it is, anything else as JSON.

    Raises:
        SecretError: it cannot be had.
    """
    place = _place(reference)
    server = await anyio.to_thread.run_sync(_server, dict(os.environ))
    try:
        transport = open_transport(TlsOptions(ca_files=server.ca_files), kind="httpx")
    except TransportError as error:
        raise SecretError(f"Vault: {error}") from None
    try:
        return await _Client(server, transport).read(place)
    finally:
        with anyio.CancelScope(shield=True):
            await transport.aclose()


def _place(reference: str) -> _Place:
    found = _PATH.fullmatch(reference)
    if found is None or ".." in found["path"].split("/") or not found["path"].strip("/"):
        raise SecretError(f"vault:{reference} names no field; write vault:PATH#FIELD, as in vault:secret/ci/npm#token")
    return _Place(found["path"].strip("/"), found["field"], found["version"])


def _server(environ: Mapping[str, str]) -> _Server:
    address = environ.get("VAULT_ADDR", "").rstrip("/")
    if not address.startswith(("http://", "https://")):
        raise SecretError(
            "Vault: the variable VAULT_ADDR must hold the server's address, as in https://vault.example:8200"
        )
    authorities = environ.get("VAULT_CACERT")
    return _Server(
        address,
        environ.get("VAULT_TOKEN", "").strip() or _token_file(environ),
        environ.get("VAULT_NAMESPACE", ""),
        (Path(authorities),) if authorities else (),
    )


def _token_file(environ: Mapping[str, str]) -> str:
    file = Path(environ.get("VAULT_TOKEN_FILE") or Path.home() / ".vault-token")
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if not token:
        raise SecretError(f"Vault: there is no token in the variable VAULT_TOKEN, and none in the file {file}")
    return token


class _Client:
    """Calls of one Vault server."""

    def __init__(self, server: _Server, transport: Transport) -> None:
        self._server = server
        self._transport = transport

    async def read(self, place: _Place) -> str:
        """A field's value."""
        mount, version = await self._mount(place.path)
        if version == 2:
            inside = place.path.removeprefix(mount).removeprefix("data/")
            query = f"?version={place.version}" if place.version else ""
            data = _of(_of(await self._get(f"{mount}data/{inside}", place, query), "data"), "data")
        else:
            data = _of(await self._get(place.path, place), "data")
            if isinstance(_of(_of(data, "metadata"), "version"), int):  # the path says data/ itself: a KV 2 answer
                data = _of(data, "data")
        if not isinstance(data, dict):
            raise SecretError(f"Vault: {place.path} holds no secret (was this version deleted?)")
        if place.field not in data:
            raise SecretError(f"Vault: {place.path} has no field {place.field!r}; it has: {', '.join(sorted(data))}")
        value = data[place.field]
        text = value if isinstance(value, str) else json.dumps(value)
        if not text or value is None:
            raise SecretError(f"Vault: the field {place.field!r} of {place.path} is empty")
        return text

    async def _mount(self, path: str) -> tuple[str, int]:
        """Where the path's store is mounted, with a slash at its end, and the store's version.

        A token may be too weak to ask, and old servers do not know the question: then the path is taken as it is.
        """
        reply = await self._call(f"sys/internal/ui/mounts/{path}")
        if reply.status in {403, 404}:
            return "", 1
        found = _of(self._checked(reply, path), "data")
        options = _of(found, "options")
        mount = _of(found, "path")
        is_second = _of(options, "version") == "2"
        return (mount, 2) if is_second and isinstance(mount, str) and path.startswith(mount) else ("", 1)

    async def _get(self, path: str, place: _Place, query: str = "") -> Any:
        return self._checked(await self._call(path, query), place.path)

    def _checked(self, reply: Reply, path: str) -> Any:
        match reply.status:
            case 200:
                try:
                    return reply.json()
                except TransportError as error:
                    raise SecretError(f"Vault: {error}") from None
            case 403:
                raise SecretError(f"Vault: the token may not read {path}, or has expired (status 403)")
            case 503:
                raise SecretError(f"Vault at {self._server.address}: sealed or in maintenance (status 503); unseal it")
            case 404:
                raise SecretError(f"Vault: there is no secret {path}; see `vault kv get {path}`")
            case status:
                raise SecretError(f"Vault at {self._server.address}: status {status} for {path}")

    async def _call(self, path: str, query: str = "") -> Reply:
        """One GET, again after a passing fault.

        Raises:
            SecretError: the server cannot be reached, or goes on failing.
        """
        pauses = Backoff(first=0.2, most=2.0)
        for left in reversed(range(_TRIES)):
            reply, fault = await self._try(f"{self._server.address}/v1/{quote(path)}{query}")
            if reply is not None and (reply.status not in _PASSING or not left):
                return reply
            if not left:
                raise SecretError(f"Vault: {fault}")
            await anyio.sleep(pauses.next())
        raise AssertionError  # the last try returns or raises

    async def _try(self, url: str) -> tuple[Reply | None, str]:
        headers = {"X-Vault-Token": self._server.token, "X-Vault-Request": "true"}
        if self._server.namespace:
            headers["X-Vault-Namespace"] = self._server.namespace
        try:
            return await self._transport.request("GET", url, headers=headers, timeout=_TIMEOUT), ""
        except TransportError as error:
            return None, str(error)


_PASSING: Final = frozenset({429, 500, 502, 503, 504})
"""Statuses that may be gone in a moment: a standby without its leader, a sealed server that is being unsealed."""


def _of(value: Any, key: str) -> Any:
    """A member of a JSON object; None where there is no such object."""
    return value.get(key) if isinstance(value, dict) else None
