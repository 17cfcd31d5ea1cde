"""A client for the engine that the settings name: over a socket, over tcp with or without TLS, or over ssh."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiodocker import Docker

from delegate_core.errors import SettingsError
from delegate_docker.settings import DockerSettings
from delegate_docker.ssh import ssh_socket

__all__ = ["connected"]

_CONNECT_WITHIN = 10.0
"""Seconds to reach the engine. What it is asked may take as long as it takes: a pull, a step."""


class _Client(Docker):
    """The library's client, which would leave an answer open whose reader is cancelled."""

    @asynccontextmanager
    async def _query(self, *words: Any, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        response = await self._do_query(*words, **options)
        try:
            yield response
        finally:
            response.release()


@asynccontextmanager
async def connected(settings: DockerSettings) -> AsyncIterator[Docker]:
    """A client; nothing is sent yet.

    Raises:
        SettingsError: the certificates cannot be used.
    """
    if settings.host.startswith("ssh://"):
        async with ssh_socket(settings.host) as socket, _client(settings, f"unix://{socket}") as client:
            yield client
    else:
        async with _client(settings, settings.host) as client:
            yield client


@asynccontextmanager
async def _client(settings: DockerSettings, host: str) -> AsyncIterator[Docker]:
    host, connector = _connector(settings, host)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_WITHIN)
    version = f"v{settings.api_version}" if settings.api_version else "auto"
    session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)
    client = _Client(host, connector=connector, session=session, timeout=timeout, api_version=version)
    try:
        yield client
    finally:
        await client.close()
        await session.close()


def _connector(settings: DockerSettings, host: str) -> tuple[str, aiohttp.BaseConnector]:
    """The address as the client takes it, and what opens connections. Each step holds one or two, so no limit."""
    if host.startswith("unix://"):
        return "unix://localhost", aiohttp.UnixConnector(host.removeprefix("unix://"), limit=0)
    address = host.partition("://")[2]
    if settings.tls_verify or host.startswith("https://"):
        return f"https://{address}", aiohttp.TCPConnector(ssl=_tls(settings.cert_path), limit=0)
    return f"http://{address}", aiohttp.TCPConnector(limit=0)


def _tls(folder: Path | None) -> ssl.SSLContext:
    """Our certificate and the authority that vouches for the engine's; without a folder, the system's authorities."""
    context = ssl.create_default_context()
    if folder is None:
        return context
    try:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.load_cert_chain(str(folder / "cert.pem"), str(folder / "key.pem"))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"docker-cert-path {folder}: {error.strerror or error}: it must hold ca.pem, cert.pem and key.pem"
        ) from None
    return context
