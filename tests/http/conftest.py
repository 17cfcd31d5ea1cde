from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest

from delegate_core.http import TlsOptions, Transport
from delegate_core.http.httpx_transport import HttpxTransport
from delegate_core.http.reqwest import ReqwestTransport

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class MakeTransport(Protocol):
    def __call__(self, tls: TlsOptions = ..., **options: Any) -> Transport: ...


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(params=[ReqwestTransport, HttpxTransport], ids=["reqwest", "httpx"])
def kind(request: pytest.FixtureRequest) -> type[Any]:
    chosen: type[Any] = request.param
    return chosen


@pytest.fixture
async def make_transport(kind: type[Any]) -> AsyncIterator[MakeTransport]:
    """Open transports of the kind under test; they are closed with the test."""
    async with AsyncExitStack() as opened:

        def make(tls: TlsOptions = TlsOptions(), **options: Any) -> Transport:  # noqa: B008 - frozen
            transport: Transport = kind(tls, **options)
            opened.push_async_callback(transport.aclose)
            return transport

        yield make


@pytest.fixture
def transport(make_transport: MakeTransport) -> Transport:
    return make_transport()
