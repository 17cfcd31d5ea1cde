"""The texts of transport errors, the same whichever library found the fault."""

from urllib.parse import urlsplit

from delegate_core.http.errors import (
    BadReply,
    ConnectFailed,
    Interrupted,
    TimedOut,
    TlsFailed,
    TransportError,
)

__all__ = [
    "UNUSABLE",
    "cannot_connect",
    "cannot_send",
    "closed",
    "cut_off",
    "endpoint",
    "not_http",
    "out_of_time",
    "too_large",
]

UNUSABLE = "an unusable address"
"""What `endpoint` calls a URL without a host or with an impossible port."""

_TLS_SIGNS = (
    "certificate",
    "ssl",
    "tls",
    "handshake",
    "corrupt message",
    "invalidcontenttype",
    "received fatal alert",
)
_UNRESOLVED_SIGNS = (
    "dns error",
    "name or service",
    "getaddrinfo",
    "nodename",
    "name resolution",
    "no address associated",
)


def endpoint(url: str) -> str:
    """The host and port a URL leads to, for messages: `manager.example:443`."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return UNUSABLE
    return f"{parts.hostname}:{port}" if parts.hostname and port else UNUSABLE


def cannot_connect(url: str, reason: str) -> TransportError:
    """The fault of a connection that did not come about, judged by the library's own words."""
    place, low = endpoint(url), reason.lower()
    if any(sign in low for sign in _TLS_SIGNS):
        return _untrusted(place, low, reason)
    if any(sign in low for sign in _UNRESOLVED_SIGNS):
        return ConnectFailed(f"{place}: the name is not resolved: is it spelled right, and does DNS work here?")
    if "refused" in low:
        return ConnectFailed(f"connection refused: is the server at {place} running?")
    if "proxy" in low or "tunnel" in low:
        return ConnectFailed(f"{place}: the proxy let nothing through ({reason}): check HTTPS_PROXY and NO_PROXY")
    return ConnectFailed(f"cannot connect to {place} ({reason}): check the address, the network and the proxy")


def _untrusted(place: str, low: str, reason: str) -> TlsFailed:
    if "alert" in low and "certificate" in low:
        return TlsFailed(f"{place} wants or refuses our certificate: give --client-certificate and --client-key")
    if "valid for name" in low or "mismatch" in low:
        return TlsFailed(f"{place}: its certificate is for another name ({reason}): check the address")
    if "certificate" in low:
        return TlsFailed(
            f"{place}: certificate verify failed ({reason}): give the server's CA with --ca-file, or --insecure"
        )
    return TlsFailed(f"{place} does not speak TLS as we do ({reason}): is it http instead of https?")


def out_of_time(url: str, seconds: float, *, sent: bool) -> TimedOut:
    """The fault of a call, or of its connecting, that took longer than `seconds`."""
    what = "no full reply" if sent else "no connection"
    return TimedOut(
        f"{endpoint(url)}: {what} within {seconds:g} s: is it overloaded, or blocked by a firewall?",
        sent=sent,
    )


def cut_off(url: str, reason: str, *, replied: bool) -> TransportError:
    """The fault of a connection lost on the way; a TLS alert that came late is a TLS fault all the same."""
    if "received fatal alert" in reason.lower() or "_alert_" in reason.lower():
        return _untrusted(endpoint(url), "alert certificate", reason)
    when = "in the middle of its reply" if replied else "before it replied"
    return Interrupted(
        f"{endpoint(url)} closed the connection {when}: it may be restarting; try again", replied=replied
    )


def not_http(url: str) -> BadReply:
    """The fault of an answer that is not HTTP, or damaged."""
    return BadReply(f"{endpoint(url)} answered something that is not HTTP, or damaged: is it the right port?")


def too_large(url: str, bound: int) -> BadReply:
    """The fault of a reply with a body beyond `bound` bytes."""
    return BadReply(f"{endpoint(url)} answered more than {bound} bytes: is it the right address?")


def cannot_send(url: str) -> ConnectFailed:
    """The fault of a request that no library would send. Says nothing of its headers: they carry tokens."""
    return ConnectFailed(
        f"a request to {endpoint(url)} cannot be made: give an address with http:// or https://, "
        "and no line break in a header"
    )


def closed(url: str, *, sent: bool) -> TransportError:
    """The fault of a call after `aclose`, or of one that `aclose` has ended."""
    text = f"{endpoint(url)}: this transport is closed; open another"
    return Interrupted(text, replied=False) if sent else ConnectFailed(text)
