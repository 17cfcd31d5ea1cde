"""What goes wrong in the server, with the texts that it answers."""

from __future__ import annotations

__all__ = ["BadBodyError", "LockLostError", "NoRowError", "RestartedError", "ServerError", "StreamMissingError"]


class ServerError(Exception):
    """A failure whose text is the body of a 500."""


class NoRowError(ServerError):
    """There is no such row. The real server says it in its database library's words, and never with a 404."""

    def __init__(self) -> None:
        super().__init__("sql: no rows in result set")


class LockLostError(ServerError):
    """The row has moved on, or was never there: 409."""

    def __init__(self) -> None:
        super().__init__("Optimistic Lock Error")


class StreamMissingError(ServerError):
    """The step has no live log."""

    def __init__(self) -> None:
        super().__init__("stream: not found")


class BadBodyError(ServerError):
    """The body is not what the call takes; the text is in the words of Go's decoder."""


class RestartedError(Exception):
    """The server has restarted under a waiting call, whose connection breaks."""
