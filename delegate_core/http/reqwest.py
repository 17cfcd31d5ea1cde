"""The transport over pyreqwest (Rust): several times the calls a second of httpx at a fraction of its CPU."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta

import anyio.lowlevel
import certifi
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import (
    BodyDecodeError,
    BuilderError,
    ClientClosedError,
    ConnectError,
    DecodeError,
    PyreqwestError,
    ReadTimeoutError,
    RequestError,
    RequestTimeoutError,
)
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from delegate_core.http import faults
from delegate_core.http.errors import TlsFailed, TransportError
from delegate_core.http.reply import Reply
from delegate_core.http.tls import TlsOptions, authorities, identity
from delegate_core.http.transport import LARGEST_BODY, Call, carry

__all__ = ["ReqwestTransport"]

_IDLE_CONNECTIONS = 256
_IDLE_TIME = timedelta(seconds=60)
_CONNECTING = "client error (Connect)"
_NO_AUTHORITIES = "No CA certificates were loaded"
_CUT_SHORT = ("end of file", "eof", "reset", "broken pipe", "closed")


class ReqwestTransport:
    """Calls over pyreqwest's asynchronous client, on its own thread and with its own pool.

    Keep-alive: reqwest takes no connection that it has seen closed, and sends again by itself what it had not
    yet begun to write. A connection closed in the very moment of writing surfaces, and a GET is
    then sent once more.

    Cancellation: raises at once. But pyreqwest (0.15) does not abort an exchange that it has begun: the
    connection is released with the late reply or when the call's `timeout` is over, whichever is first. A call
    that is meant to wait long and to be cancelled (a long poll) belongs on `HttpxTransport`.

    The proxies of the environment apply by reqwest's rules: NO_PROXY takes names, their subdomains, addresses
    and networks (10.0.0.0/8).

    Args:
        tls: whom to trust.
        trust_env: use the proxies that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name.
        user_agent: sent with every request.
        connect_timeout: seconds that connecting, TLS included, may take of a call's timeout.
        largest_body: bytes of a decompressed body beyond which a reply is refused.

    Raises:
        TlsFailed: the files of `tls` cannot be used.
    """

    def __init__(
        self,
        tls: TlsOptions,
        *,
        trust_env: bool = True,
        user_agent: str = "delegate_core",
        connect_timeout: float = 10.0,
        largest_body: int = LARGEST_BODY,
    ) -> None:
        self._closed = False
        self._connect_timeout = connect_timeout
        self._largest_body = largest_body

        def builder() -> ClientBuilder:
            made = _builder(tls).user_agent(user_agent).connect_timeout(timedelta(seconds=connect_timeout))
            return made if trust_env else made.no_proxy()

        self._client = _build(builder)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout: float,  # noqa: ASYNC109 - the protocol's: reqwest keeps it
    ) -> Reply:
        """See `Transport.request`."""
        return await carry(self._attempt, Call(method, url, headers, body), timeout)

    async def aclose(self) -> None:
        """See `Transport.aclose`."""
        if self._closed:
            return
        self._closed = True
        client = self._client
        del self._client  # its idle connections are closed when it goes itself
        await client.close()

    async def _attempt(self, call: Call, seconds: float) -> Reply:
        if self._closed:  # a closed client may still go as far as the socket
            raise faults.closed(call.url, sent=False)
        try:
            async with self._prepare(call, seconds) as response:
                content = await self._read(response, call.url)
                return Reply(response.status, _read_headers(response, call.url), content, call.method, call.url)
        except asyncio.CancelledError:
            # pyreqwest raises a CancelledError of its own for the one that reached it; anyio would not know it again.
            await anyio.lowlevel.checkpoint_if_cancelled()
            raise
        except BuilderError:
            raise faults.cannot_send(call.url) from None
        except PyreqwestError as error:
            raise self._fault(error, call.url, seconds) from None

    def _prepare(self, call: Call, seconds: float) -> StreamRequest:
        try:
            builder = self._client.request(call.method, call.url).headers(call.headers)
            if call.body is not None:
                builder = builder.body_bytes(call.body)
            return builder.timeout(timedelta(seconds=seconds)).build_streamed()
        except ValueError:
            raise faults.cannot_send(call.url) from None

    async def _read(self, response: Response, url: str) -> bytes:
        announced = response.get_header("content-length")
        if announced is not None and int(announced) <= self._largest_body:
            return (await response.bytes()).to_bytes()
        parts, size, reader = [], 0, response.body_reader
        while (chunk := await reader.read_chunk()) is not None:
            size += len(chunk)
            if size > self._largest_body:
                raise faults.too_large(url, self._largest_body)
            parts.append(chunk.to_bytes())
        return b"".join(parts)

    def _fault(self, error: PyreqwestError, url: str, timeout: float) -> TransportError:
        causes = _causes(error)
        match error:
            case RequestTimeoutError():
                sent = isinstance(error, ReadTimeoutError) or _CONNECTING not in causes
                return faults.out_of_time(url, timeout if sent else self._connect_timeout, sent=sent)
            case ConnectError() if _CONNECTING in causes:
                return faults.cannot_connect(url, causes[-1])
            case ClientClosedError():
                return faults.closed(url, sent=True)
            case BodyDecodeError() if any(sign in causes[-1].lower() for sign in _CUT_SHORT):
                return faults.cut_off(url, causes[-1], replied=True)
            case DecodeError():
                return faults.not_http(url)
        return faults.cut_off(url, causes[-1], replied="client error (SendRequest)" not in causes)


def _builder(tls: TlsOptions) -> ClientBuilder:
    """Everything but addresses: HTTP/1.1 without redirects, with connections to spare."""
    builder = (
        ClientBuilder()
        .follow_redirects(False)
        .referer(False)
        .pool_max_idle_per_host(_IDLE_CONNECTIONS)
        .pool_idle_timeout(_IDLE_TIME)
        .danger_accept_invalid_certs(tls.insecure)
    )
    for pem in authorities(tls):
        builder = builder.add_root_certificate_pem(pem)
    own = identity(tls)
    return builder if own is None else _identified(builder, own)


def _identified(builder: ClientBuilder, own: bytes) -> ClientBuilder:
    try:
        return builder.identity_pem(own)
    except ValueError:
        raise TlsFailed("the client certificate or its key is malformed: give PEM files") from None


def _build(builder: Callable[[], ClientBuilder]) -> Client:
    """With the system's authorities (SSL_CERT_FILE and SSL_CERT_DIR move them), or certifi's where it has none."""
    try:
        try:
            return builder().build()
        except BuilderError as error:
            if _NO_AUTHORITIES not in _last(error):
                raise
            return builder().add_root_certificate_pem(certifi.contents().encode()).build()
    except (BuilderError, ValueError) as error:
        raise TlsFailed(
            f"a certificate or key cannot be used ({_last(error)}): give PEM files that belong together"
        ) from None


def _headers(response: Response) -> dict[str, str]:
    raw = response.headers.dict_multi_value()
    return {name: value if isinstance(value, str) else ", ".join(value) for name, value in raw.items()}


def _read_headers(response: Response, url: str) -> dict[str, str]:
    """The headers; one with more than ASCII makes pyreqwest refuse all of them."""
    try:
        return _headers(response)
    except ValueError:
        raise faults.not_http(url) from None


def _causes(error: PyreqwestError) -> list[str]:
    details = error.details if isinstance(error, RequestError | BuilderError) else None
    found = (details["causes"] if details else None) or []
    return [cause["message"] for cause in found] or [error.message]


def _last(error: Exception) -> str:
    return _causes(error)[-1] if isinstance(error, PyreqwestError) else str(error)
