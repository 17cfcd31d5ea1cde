"""Download a file: several addresses, tried again in rounds, checked while it comes, its progress in the task's log."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx

from delegate_core.artifacts.errors import ArtifactError
from delegate_core.artifacts.sources import shown
from delegate_core.backoff import Backoff
from delegate_core.http import TlsFailed, TlsOptions, faults
from delegate_core.http.httpx_transport import reason_of, ssl_context

__all__ = ["Fetching", "fetch"]

_CONNECT, _SILENCE = 10.0, 30.0
_ROUNDS = 4
_REDIRECTS = 5
_PASSING = frozenset({408, 425, 429, *range(500, 600)})
_STEPS = 10
_STEP_WITHOUT_SIZE = 16 * 1024 * 1024


class _Refused(Exception):
    """Trying this address again would not help."""


class _Passing(Exception):
    """It may work the next time."""


@dataclass(frozen=True, kw_only=True)
class Fetching:
    """One file to download.

    Attributes:
        urls: where it is.
        sha256: what it must be; None: whatever comes.
        size_limit: bytes that it may have.
        headers: of each request.
        tls: whom to trust.
        log: takes lines for people.
        pauses: between the rounds.
    """

    urls: Sequence[str]
    sha256: str | None
    size_limit: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: TlsOptions = field(default_factory=TlsOptions)
    log: Callable[[str], None]
    pauses: Backoff = field(default_factory=lambda: Backoff(first=0.5, most=10.0))


async def fetch(wanted: Fetching, file: Path) -> str:
    """Download into a file, from the first address that gives what is wanted.

    Each round asks every address that may still help; what passes (no connection, a time-out, a 5xx, a cut) is tried
    again in the next round after a growing pause, what does not (a 404, another digest, too large) is not.

    Returns:
        The address that gave it, as it may be shown.

    Raises:
        ArtifactError: no address gave it; each is named with its reason.
    """
    reasons: dict[str, str] = {}
    hopeful = list(dict.fromkeys(wanted.urls))
    async with _client(wanted) as client:
        for number in range(1, _ROUNDS + 1):
            for url in list(hopeful):
                try:
                    await _Attempt(client, wanted, url, file).make()
                except _Refused as error:
                    hopeful.remove(url)
                    reasons[url] = str(error)
                except _Passing as error:
                    reasons[url] = str(error)
                else:
                    return shown(url)
                wanted.log(f"{shown(url)}: {reasons[url]}")
            if not hopeful or number == _ROUNDS:
                break
            pause = wanted.pauses.next()
            wanted.log(f"trying again in {pause:.1f}s ({number + 1} of {_ROUNDS})")
            await anyio.sleep(pause)
    raise ArtifactError("cannot download: " + "; ".join(f"{shown(url)}: {why}" for url, why in reasons.items()))


def _client(wanted: Fetching) -> httpx.AsyncClient:
    timeout = httpx.Timeout(_SILENCE, connect=_CONNECT)
    return httpx.AsyncClient(verify=ssl_context(wanted.tls), timeout=timeout, max_redirects=_REDIRECTS)


@dataclass(slots=True)
class _Attempt:
    """One request of one address."""

    client: httpx.AsyncClient
    wanted: Fetching
    url: str
    file: Path

    async def make(self) -> None:
        try:
            await self._follow()
        except httpx.TimeoutException:
            raise _Passing(f"no answer for {_SILENCE:g}s") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeEncodeError):
            raise _Refused("cannot be asked: is the address right, and each header a line of ASCII?") from None
        except httpx.ConnectError as error:
            fault = faults.cannot_connect(self.url, reason_of(error))
            raise (_Refused if isinstance(fault, TlsFailed) else _Passing)(str(fault)) from None
        except httpx.TransportError as error:
            raise _Passing(reason_of(error)) from None

    async def _follow(self) -> None:
        """Follow redirects ourselves: none from https to http, and no header of ours to another host."""
        url = httpx.URL(self.url)
        for _ in range(_REDIRECTS + 1):
            headers = self.wanted.headers if _same_place(url, httpx.URL(self.url)) else {}
            # What is checked is what is stored on the server: no Content-Encoding may change it on the way.
            request = self.client.build_request("GET", url, headers={"accept-encoding": "identity", **headers})
            response = await self.client.send(request, stream=True)
            try:
                if not response.has_redirect_location:
                    await self._receive(response)
                    return
                target = url.join(response.headers["location"])
            finally:
                await response.aclose()
            if url.scheme == "https" and target.scheme != "https":
                raise _Refused("redirects from https to what is not")
            url = target
        raise _Refused(f"more than {_REDIRECTS} redirects")

    async def _receive(self, response: httpx.Response) -> None:
        status = response.status_code
        if status != 200:
            text = f"status {status} {response.reason_phrase}".strip()
            raise _Passing(text) if status in _PASSING else _Refused(text)
        total = int(text) if (text := response.headers.get("content-length", "")).isdigit() else None
        if total is not None and total > self.wanted.size_limit:
            raise _Refused(self._too_large(total))
        digest = await self._write(response, total)
        if self.wanted.sha256 is not None and digest != self.wanted.sha256:
            raise _Refused(f"its sha256 is {digest}, not {self.wanted.sha256}")

    async def _write(self, response: httpx.Response, total: int | None) -> str:
        digest, size, progress = hashlib.sha256(), 0, _Progress(self.wanted.log, shown(self.url), total)
        with self.file.open("wb") as file:
            async for chunk in response.aiter_raw():
                size += len(chunk)
                if size > self.wanted.size_limit:
                    raise _Refused(self._too_large(size))
                digest.update(chunk)
                file.write(chunk)
                progress.at(size)
        progress.done(size)
        return digest.hexdigest()

    def _too_large(self, size: int) -> str:
        return f"has {size:,} bytes or more, and {self.wanted.size_limit:,} are allowed; raise size_limit if it may"


def _same_place(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


class _Progress:
    """Lines that say how far it is: at each tenth, or at each 16 MiB of what has no size."""

    def __init__(self, log: Callable[[str], None], url: str, total: int | None) -> None:
        self._log = log
        self._total = total
        self._step = max(total // _STEPS, 1024 * 1024) if total else _STEP_WITHOUT_SIZE
        self._next = self._step
        self._since = time.monotonic()
        log(f"downloading {url}" + (f" ({_size(total)})" if total is not None else ""))

    def at(self, size: int) -> None:
        if size >= self._next:
            self._next = size - size % self._step + self._step
            self._log(f"  {_size(size)}" + (f", {size * 100 // self._total}%" if self._total else ""))

    def done(self, size: int) -> None:
        self._log(f"downloaded {_size(size)} in {time.monotonic() - self._since:.1f}s")


def _size(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MiB" if size >= 1024 * 1024 else f"{size / 1024:.1f} KiB"
