"""What carries the calls to a control plane: one small protocol, two implementations, one tree of errors."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Literal

from delegate_core.http.errors import (
    BadReply,
    ConnectFailed,
    Interrupted,
    TimedOut,
    TlsFailed,
    TransportError,
)
from delegate_core.http.operations import Request, observing, operation
from delegate_core.http.reply import Reply
from delegate_core.http.tls import TlsOptions
from delegate_core.http.transport import Transport

__all__ = [
    "BadReply",
    "ConnectFailed",
    "Interrupted",
    "Reply",
    "Request",
    "TimedOut",
    "TlsFailed",
    "TlsOptions",
    "Transport",
    "TransportError",
    "TransportKind",
    "observing",
    "open_transport",
    "operation",
]

TransportKind = Literal["auto", "httpx", "reqwest"]


def open_transport(tls: TlsOptions, *, kind: TransportKind = "auto", trust_env: bool = True) -> Transport:
    """Open a pool of connections.

    Args:
        tls: whom to trust, and as whom to appear.
        kind: the implementation. `auto` is `reqwest` where pyreqwest can be imported (it is compiled, and not
            for every platform), else `httpx`. A long poll that may be cancelled wants `httpx`, which closes
            its connection at once: see `ReqwestTransport`.
        trust_env: use the proxies that the environment names.

    Raises:
        TlsFailed: the files of `tls` cannot be used.
        ImportError: pyreqwest was asked for by name and cannot be imported.
    """
    agent = f"delegate_core/{version('delegate-core')}"
    return _implementation(kind)(tls, trust_env=trust_env, user_agent=agent)


def _implementation(kind: TransportKind) -> Callable[..., Transport]:
    """Imported when it is chosen: httpx costs ten megabytes, and pyreqwest may be missing."""
    if kind != "httpx":
        try:
            from delegate_core.http.reqwest import ReqwestTransport  # noqa: PLC0415 - see above
        except ImportError:
            if kind == "reqwest":
                raise
        else:
            return ReqwestTransport
    from delegate_core.http.httpx_transport import HttpxTransport  # noqa: PLC0415 - see above

    return HttpxTransport
