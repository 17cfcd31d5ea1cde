"""What may keep a call from its reply.

TransportError            anything that did; `sent` says whether the server may have seen the request
  ConnectFailed           no connection: refused, not resolved, unusable address, refused by a proxy
  TlsFailed               no trusted connection: certificates, or the other side speaks no TLS
  TimedOut                the call's time was over
  Interrupted             the connection was lost after the request had or may have been sent
  BadReply                an answer that cannot be used: not HTTP, too large, not the JSON it should be
"""

__all__ = ["BadReply", "ConnectFailed", "Interrupted", "TimedOut", "TlsFailed", "TransportError"]


class TransportError(Exception):
    """Anything that kept a call from its reply.

    Args:
        message: one line: where, why, and what may help.
        sent: whether the request may have reached the server.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class ConnectFailed(TransportError):
    """No connection came about, so the server has not seen the request."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class TlsFailed(TransportError):
    """The connection was not trusted or not TLS, or the files that decide this cannot be used."""

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message, sent=sent)


class TimedOut(TransportError):
    """The call took longer than it may. `sent` is False only if connecting is what took so long."""


class Interrupted(TransportError):
    """The connection was lost: the request, or only its reply, may be lost.

    Args:
        message: one line.
        replied: the head of a reply had arrived.
    """

    def __init__(self, message: str, *, replied: bool) -> None:
        super().__init__(message, sent=True)
        self.replied = replied


class BadReply(TransportError):
    """An answer that cannot be used: not HTTP, too large, or not the JSON it should be."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=True)
