"""Reading the package of an acquired task, also where no parser takes what its author has put into it.

A task's data is its author's. Nested without measure, or with a number of thousands of digits, it is JSON that neither
pydantic nor Python reads. That must not keep the runner from seeing whose the task is: it would take the reply for a
lost one, and hold a slot for asking again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic import ValidationError

from delegate_harness.wire import AcquiredTask

__all__ = ["PackageError", "UnreadableTask", "read_package"]

_DEEPEST: Final = 4
"""Levels of the fields that tell whose a package is, and where its log goes."""

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|"|[\[{]|[\]}]|\d{1000,}+', re.DOTALL)


class PackageError(Exception):
    """What came is no package of a task. Says nothing of its content: it may hold secrets."""


class UnreadableTask(AcquiredTask):
    """A package whose data cannot be read. All else of it is there."""


def read_package(body: bytes) -> AcquiredTask:
    """The package that acquire answered with; without an id the task is not to be had.

    May take long where the body is large and its data unreadable, so it is for a thread then.

    Raises:
        PackageError: it is none.
    """
    try:
        return AcquiredTask.model_validate_json(body)
    except ValidationError:
        pass
    found = _parsed(body)
    if found is None:
        found = _parsed(_shallow(body))
        if not isinstance(found, dict):
            raise PackageError("no JSON")
        return UnreadableTask.model_validate({**found, "data": None})
    if not isinstance(found, dict):
        raise PackageError(f"no object but a {type(found).__name__}")
    return _validated(found)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _validated(found: dict[str, Any]) -> AcquiredTask:
    """Half a surrogate pair is valid JSON, and not to pydantic: a task must not be lost for it."""
    try:
        whole = json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")
        return AcquiredTask.model_validate_json(whole)
    except (ValidationError, RecursionError):
        return UnreadableTask.model_validate({**found, "data": None})


def _shallow(body: bytes) -> bytes:
    """The same JSON with null for what is nested deeper than a package's own fields, and 0 for endless numbers."""
    return b"".join(_kept(body))


def _kept(body: bytes) -> Iterator[bytes]:
    depth = start = 0
    for token in _TOKEN.finditer(body):
        match token[0][:1]:
            case b"[" | b"{":
                depth += 1
                if depth == _DEEPEST + 1:
                    yield body[start : token.start()] + b"null"
            case b"]" | b"}":
                if depth == _DEEPEST + 1:
                    start = token.end()
                depth -= 1
            case b'"':
                if len(token[0]) == 1:  # it never ends
                    return
            case _ if depth <= _DEEPEST:
                yield body[start : token.start()] + b"0"
                start = token.end()
    if depth <= _DEEPEST:
        yield body[start:]
