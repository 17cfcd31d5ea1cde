"""The transport over httpx: slower, pure Python, and always there."""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy

import anyio
import certifi
import httpx

from delegate_core.http import faults
from delegate_core.http.errors import TlsFailed, TransportError
from delegate_core.http.reply import Reply
from delegate_core.http.tls import TlsOptions, authorities, identity
from delegate_core.http.transport import LARGEST_BODY, Call, carry

__all__ = ["HttpxTransport", "Taking", "reason_of", "ssl_context"]

_BODILESS = frozenset({"GET", "HEAD"})
_CLOSED = frozenset({"closed", "disconnected"})
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=256, keepalive_expiry=60)


Taking = Callable[[int, Mapping[str, str]], Callable[[bytes], None] | None]
"""Status and headers of a reply in; what takes its body as it comes out, or None: it is read as a whole."""


class HttpxTransport:
    """Calls over an `httpx.AsyncClient`.

    Keep-alive: an idle connection that has become readable (closed by the server) is dropped before use. One
    closed in the very moment of writing surfaces, and a GET is then sent once more.

    Cancellation: raises at once and closes the connection.

    The proxies of the environment apply by httpx's rules: NO_PROXY takes names, their subdomains, addresses.

    Args:
        tls: whom to trust.
        trust_env: use the proxies that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name.
        user_agent: sent with every request.
        connect_timeout: seconds that connecting may take of a call's timeout.
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
        self._agent = user_agent
        self._connect_timeout = connect_timeout
        self._largest_body = largest_body
        self._extensions = {"timeout": httpx.Timeout(None, connect=connect_timeout).as_dict()}
        self._client = httpx.AsyncClient(
            verify=ssl_context(tls),
            trust_env=trust_env,
            limits=_LIMITS,
            # Our requests carry no cookie of the jar; refusing all keeps it from growing.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout: float,  # noqa: ASYNC109 - the protocol's: it becomes a scope below
        taking: Taking | None = None,
    ) -> Reply:
        """See `Transport.request`.

        Args:
            method: as there; so are the next.
            url: as there.
            headers: as there.
            body: as there.
            timeout: as there.
            taking: asked when the head of a reply is there; what it returns is given the body as it comes, which is
                then not kept, and not bounded.
        """

        async def attempt(call: Call, seconds: float) -> Reply:
            return await self._attempt(call, seconds, taking)

        return await carry(attempt, Call(method, url, headers, body), timeout)

    async def aclose(self) -> None:
        """See `Transport.aclose`."""
        await self._client.aclose()

    async def _attempt(self, call: Call, seconds: float, taking: "Taking | None") -> Reply:
        if self._client.is_closed:
            raise faults.closed(call.url, sent=False)
        body = _Body(call.body or b"")
        try:
            with anyio.fail_after(seconds):
                return await self._exchange(self._prepare(call, body), call, body, taking)
        except TimeoutError:
            raise faults.out_of_time(call.url, seconds, sent=body.begun) from None
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError):
            raise faults.cannot_send(call.url) from None
        except httpx.HTTPError as error:
            raise self._fault(error, call.url, body) from None

    def _prepare(self, call: Call, body: "_Body") -> httpx.Request:
        if faults.endpoint(call.url) == faults.UNUSABLE:  # httpx would go on to the socket with it
            raise faults.cannot_send(call.url)
        try:
            headers = self._complete(call, body)
            return httpx.Request(call.method, call.url, headers=headers, stream=body, extensions=self._extensions)
        except (httpx.InvalidURL, UnicodeEncodeError):
            raise faults.cannot_send(call.url) from None

    async def _exchange(self, request: httpx.Request, call: Call, body: "_Body", taking: "Taking | None") -> Reply:
        response = await self._client.send(request, stream=True, auth=None, follow_redirects=False)
        body.replied = True
        try:
            take = taking and taking(response.status_code, response.headers)
            content = await self._read(response, call.url) if take is None else await _pass_on(response, take)
        finally:
            await response.aclose()
        return Reply(response.status_code, dict(response.headers.items()), content, call.method, call.url)

    def _complete(self, call: Call, body: "_Body") -> dict[str, str]:
        """The headers with those that httpx leaves to whoever brings a stream of his own."""
        added = {"host": httpx.URL(call.url).netloc.decode(), "user-agent": self._agent}
        added["accept-encoding"] = "gzip, deflate"
        if body.data or call.method not in _BODILESS:
            added["content-length"] = str(len(body.data))
        return added | {name.lower(): value for name, value in call.headers.items()}

    async def _read(self, response: httpx.Response, url: str) -> bytes:
        parts, size = [], 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > self._largest_body:
                raise faults.too_large(url, self._largest_body)
            parts.append(chunk)
        return b"".join(parts)

    def _fault(self, error: httpx.HTTPError, url: str, content: "_Body") -> TransportError:
        reason = reason_of(error)
        match error:
            case httpx.ConnectTimeout():
                return faults.out_of_time(url, self._connect_timeout, sent=False)
            case httpx.ProxyError():
                return faults.cannot_connect(url, f"the proxy answered {reason}")
            case httpx.DecodingError():
                return faults.not_http(url)
            case httpx.RemoteProtocolError() if not _CLOSED.intersection(reason.lower().split()):
                return faults.not_http(url)
        if not content.begun:
            return faults.cannot_connect(url, reason)
        return faults.cut_off(url, reason, replied=content.replied)


async def _pass_on(response: httpx.Response, take: Callable[[bytes], None]) -> bytes:
    async for chunk in response.aiter_bytes():
        take(chunk)
    return b""


class _Body(httpx.AsyncByteStream):
    """A request's body, which also knows how far the exchange is: it is asked for once the head is sent."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.begun = False
        self.replied = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun = True
        yield self.data


def reason_of(error: BaseException) -> str:
    """The words of the first cause: httpx and anyio say no more than that something failed."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    if isinstance(error, BaseExceptionGroup):
        return reason_of(error.exceptions[0])
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return str(error) or type(error).__name__


def ssl_context(tls: TlsOptions) -> ssl.SSLContext:
    """What the standard library's TLS needs to do the same.

    Raises:
        TlsFailed: as `authorities` and `identity`, or a certificate is malformed.
    """
    context = _system_context()
    try:
        for pem in authorities(tls):
            context.load_verify_locations(cadata=pem.decode("ascii", "ignore"))
        if identity(tls) is not None and tls.client_certificate is not None:
            context.load_cert_chain(tls.client_certificate, tls.client_key)
    except (ssl.SSLError, OSError) as error:
        raise TlsFailed(f"a certificate or key cannot be used ({error}): give PEM files that belong together") from None
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _system_context() -> ssl.SSLContext:
    """The system's authorities (SSL_CERT_FILE and SSL_CERT_DIR move them), or certifi's where it has none."""
    paths = ssl.get_default_verify_paths()
    return ssl.create_default_context(cafile=None if paths.cafile or paths.capath else certifi.where())
