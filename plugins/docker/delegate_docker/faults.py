"""What the client raises, as a text for people. No text holds a credential or a value of the environment."""

from __future__ import annotations

import aiohttp
from aiodocker.exceptions import DockerError

from delegate_core.logs import Mask

__all__ = ["FAULTS", "fault_text", "is_gone", "is_unreachable"]

FAULTS = (DockerError, aiohttp.ClientError, OSError, TimeoutError, ValueError)
"""What a call of the client may raise."""

_UNREACHABLE = 900
"""The client's own status where there was no answer at all."""

_EXTRA = "extra info:"
"""What an engine puts behind this is the whole request, environment included."""

_PARTS = (
    "failed to create shim task: ",
    "OCI runtime create failed: ",
    "runc create failed: ",
    "unable to start container process: ",
    "failed to create task for container: ",
)


def is_unreachable(error: BaseException) -> bool:
    """The engine did not answer: it is down, or the way to it."""
    if isinstance(error, DockerError):
        return error.status == _UNREACHABLE
    return isinstance(error, aiohttp.ClientError | OSError | TimeoutError)


def _system_error(error: BaseException) -> str:
    """What the operating system said of the connection, such as "Connection refused"; the client wraps it twice."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror and not isinstance(seen, aiohttp.ClientError):
            return seen.strerror
        inner = getattr(seen, "os_error", None)
        seen = inner if isinstance(inner, BaseException) and inner is not seen else seen.__cause__ or seen.__context__
    return ""


def is_gone(error: BaseException) -> bool:
    """The engine does not know what was named."""
    return isinstance(error, DockerError) and error.status == 404


def fault_text(error: BaseException, secrets: tuple[str, ...] = ()) -> str:
    """One line that says what went wrong, without any of these values."""
    if isinstance(error, TimeoutError):
        return "the engine did not answer in time"
    if is_unreachable(error) and (system := _system_error(error)):
        return system
    text = error.message if isinstance(error, DockerError) else str(error) or type(error).__name__
    text = " ".join(str(text).partition(_EXTRA)[0].split())
    for part in _PARTS:
        text = text.replace(part, "")
    return Mask(secrets).text(text).removesuffix(": unknown").rstrip(" .:")
