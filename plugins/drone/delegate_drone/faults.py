"""What may keep a call to the Drone server from what it asked for, and how a reply is judged.

::

    DroneFault
    ├── NotSent           no connection came about: the server has certainly not seen the call
    ├── Unanswered        the reply did not come, or was none: the server may have done what was asked
    │   └── Unusable      it came, and is not what that call is answered with
    ├── Settled           the server's own answer, which another try does not change
    │   ├── LockLost      the version sent is not the row's: somebody else, or a try of ours, has moved it
    │   ├── AlreadyThere  a row with this key exists
    │   ├── NoStream      the step has no live log: it is not running, or the server was restarted
    │   ├── NoSuchRow     the server does not know the stage, step, build or repository (any more)
    │   └── TooLarge      413: the server, or a proxy before it, takes nothing of that size
    ├── Misdirected       nothing to expect until a setting is changed, here or there
    │   ├── TokenRefused  401
    │   ├── SecretMissing 403: the server has no secret for runners
    │   ├── NotDrone      404 and 405 under /rpc/v2: another program, or a server too old
    │   └── Redirected    the address leads elsewhere
    └── ServerFault       any other error status, the server's or a proxy's

The server says nearly everything with a 500 and a raw text, so texts are what is judged here.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from delegate_core.http import Reply

__all__ = [
    "AlreadyThere",
    "DroneFault",
    "LockLost",
    "Misdirected",
    "NoStream",
    "NoSuchRow",
    "NotDrone",
    "NotSent",
    "Redirected",
    "SecretMissing",
    "ServerFault",
    "Settled",
    "TokenRefused",
    "TooLarge",
    "Unanswered",
    "Unusable",
    "judged",
    "place",
]

_SHOWN = 300
_LOOKED_AT = 8192
_ACCOUNT = re.compile(r"://[^/@\s]+@")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029\ufffd]+")


class DroneFault(Exception):
    """Anything that kept a call from what it asked for.

    Attributes:
        uncertain: the server may have done what was asked, or half of it.
        refused: it is our secret that the server does not take.
        after: seconds that the server asked to wait before the next try, if it did.
    """

    uncertain = False
    refused = False
    after: float | None = None


class NotSent(DroneFault):
    """No connection came about: refused, not resolved, not trusted. The server has not seen the call."""


class Unanswered(DroneFault):
    """The connection or the time was over before a usable reply: only the reply may be what is lost."""

    uncertain = True


class Unusable(Unanswered):
    """A reply came, and is not what that call is answered with: it may pass, as a proxy's does, or be so each time."""


class Settled(DroneFault):
    """The server's own answer; the same call gets it again."""


class LockLost(Settled):
    """The row has another version than the one sent; or the stage to accept has a machine."""


class AlreadyThere(Settled):
    """A row with this key exists: the step's log is stored, or the stage's steps are."""


class NoStream(Settled):
    """The step has no live log."""


class NoSuchRow(Settled):
    """The server does not know what the call was about."""


class TooLarge(Settled):
    """What was sent is larger than the server, or a proxy before it, takes."""


class Misdirected(DroneFault):
    """Another try helps only once somebody has changed a setting, which may happen while we run."""


class TokenRefused(Misdirected):
    """The token is not the server's."""

    refused = True


class SecretMissing(Misdirected):
    """The server has no secret for runners, and so refuses all of them."""

    refused = True


class NotDrone(Misdirected):
    """What answers there does not speak the runner's protocol."""


class Redirected(Misdirected):
    """The address leads elsewhere. A redirect is not followed: it would take the token along."""


class ServerFault(DroneFault):
    """An error status that says nothing more precise.

    Attributes:
        status: the HTTP status.
        is_own: the server's own error, and not one of a proxy that could not reach it.
    """

    def __init__(self, message: str, status: int, after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.after = after
        self.uncertain = status >= 500 or status == 408
        self.is_own = status in {500, 501}


def judged(reply: Reply, token: str) -> DroneFault | None:
    """What a reply says against a call; None if it says nothing against it.

    Args:
        reply: any; its method and URL are named in the fault.
        token: kept out of texts, should something echo it.
    """
    where = place(reply)
    if reply.status < 300:
        return _page(reply, where)
    if reply.status < 400:
        return _redirected(reply, where)
    return _settled(reply, where) or _misdirected(reply, where) or _server_fault(reply, where, token)


def place(reply: Reply) -> str:
    """Whom a reply is of and to what, for messages: ``drone.example: POST /rpc/v2/ping``."""
    parts = urlsplit(reply.url)
    return f"{parts.netloc.rpartition('@')[2]}: {reply.method} {parts.path}"


def _page(reply: Reply, where: str) -> DroneFault | None:
    """A page is never an answer of this server, so what was asked for may not even have reached it."""
    if not _is_page(reply):
        return None
    return Unanswered(
        f"{where} answered {reply.status} with an HTML page, perhaps of a proxy or a login: "
        "check DRONE_RPC_HOST, and the proxies that HTTPS_PROXY and NO_PROXY name"
    )


def _is_page(reply: Reply) -> bool:
    first = reply.body.lstrip()[:1]
    # Some gateway names every reply HTML; JSON is the server's answer even so.
    named_so = "html" in reply.headers.get("content-type", "") and first not in {b"{", b"["}
    return first == b"<" or (bool(reply.body) and named_so)


def _redirected(reply: Reply, where: str) -> DroneFault:
    scheme, host = _target(reply.headers.get("location", ""))
    if not host:
        return Redirected(f"{where} answered {reply.status}, which leads elsewhere: check DRONE_RPC_HOST")
    return Redirected(
        f"{where} answered {reply.status}, which leads to {host}: "
        f"set DRONE_RPC_PROTO={scheme or 'https'} and DRONE_RPC_HOST={host} if that is the server"
    )


def _target(location: str) -> tuple[str, str]:
    """The scheme and host that a redirect leads to; none where it is no address that a person could take over."""
    try:
        target = urlsplit(location)
    except ValueError:
        return "", ""
    host = target.netloc.rpartition("@")[2]
    return (target.scheme, host) if host.isascii() and host.isprintable() else ("", "")


_MEANINGS: tuple[tuple[type[Settled], tuple[str, ...], str], ...] = (
    (LockLost, ("optimistic lock error",), "the row has another version by now"),
    (NoStream, ("stream: not found",), "the step has no live log"),
    (AlreadyThere, ("unique constraint", "duplicate entry", "duplicate key"), "it is already there"),
    (NoSuchRow, ("no rows in result set",), "the server does not know it (any more)"),
)


def _settled(reply: Reply, where: str) -> DroneFault | None:
    if reply.status == 409:
        return LockLost(f"{where}: {_MEANINGS[0][2]}")
    if reply.status == 413:
        return TooLarge(
            f"{where} answered 413: it is too large for the server, or for a proxy before it; raise the limit there "
            "(nginx: client_max_body_size), or lower log_limit here"
        )
    if reply.status != 500:
        return None
    text = _text(reply).lower()
    for kind, signs, meaning in _MEANINGS:
        if any(sign in text for sign in signs):
            return kind(f"{where}: {meaning}")
    return None


def _misdirected(reply: Reply, where: str) -> DroneFault | None:
    match reply.status:
        case 401:
            return TokenRefused(f"{where} refused the token: is DRONE_RPC_SECRET here the same as the server's?")
        case 403:
            return SecretMissing(
                f"{where} answered 403: set DRONE_RPC_SECRET on the server, too (without it, it refuses every "
                "runner), or look for a proxy that refuses us"
            )
        case 404 | 405:
            return NotDrone(
                f"{where} answered {reply.status}: no Drone server, or one before 1.0? check DRONE_RPC_HOST"
            )
    return None


def _server_fault(reply: Reply, where: str, token: str) -> DroneFault:
    said = "an HTML page" if _is_page(reply) else _one_line(_text(reply), token)
    return ServerFault(
        f"{where} answered {reply.status}{': ' if said else ''}{said}", reply.status, _retry_after(reply)
    )


def _text(reply: Reply) -> str:
    return reply.body[:_LOOKED_AT].decode(errors="replace")


def _one_line(text: str, token: str) -> str:
    clean = _UNPRINTABLE.sub(" ", _ACCOUNT.sub("://******@", text)).strip()
    clean = "".join(char if char.isprintable() else " " for char in clean)  # what no version of Unicode knows, too
    return clean.replace(token, "******")[:_SHOWN] if token else clean[:_SHOWN]


def _retry_after(reply: Reply) -> float | None:
    """Seconds; a date, which the header may hold as well, is not worth its parser."""
    value = reply.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() else None
