"""The file of ``delegate task``: one task, or a request with a task and its secret tasks.

See ``delegate_core.handlers.request`` for what it may hold.
"""

from __future__ import annotations

import json

from delegate_core.errors import SettingsError
from delegate_core.handlers.request import Request, RequestProblem, Trust
from delegate_core.model import Task

__all__ = ["read_task"]


def read_task(text: str, named: str, timeout: float | None, trust: Trust = "verified") -> Task:
    """The task that a file describes.

    Args:
        text: the file's content.
        named: the file, for errors.
        timeout: seconds, before those of the file.
        trust: which executables it may bring.

    Raises:
        SettingsError: what is wrong with it, and where; no value is shown, since it may be a secret.
    """
    try:
        task = Request.read(json.loads(text)).as_task(trust)
    except json.JSONDecodeError as error:
        raise SettingsError(f"{named}: no JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise SettingsError(f"{named}: nested too deeply") from None
    except RequestProblem as error:
        raise SettingsError("\n".join(f"{named}: {line}" for line in str(error).splitlines())) from None
    except ValueError:
        raise SettingsError(f"{named}: a number in it has thousands of digits") from None
    return task.model_copy(update={"timeout": _granted(timeout or task.timeout)})


def _granted(seconds: float | None) -> float | None:
    """What a server would have to grant, so that the task has so many seconds: a runner keeps a margin of it."""
    return seconds and max(seconds / 0.9 if seconds < 45 else seconds + 5.0, seconds)
