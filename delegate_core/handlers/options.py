"""What may be declared of a handler that is no Python function: the fields that all kinds share."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ByteSize, ConfigDict, Field, ValidationError

from delegate_core.errors import PluginError
from delegate_core.handlers.context import TaskContext
from delegate_core.settings import PositiveDuration
from delegate_core.settings.secretfrom import Value, text_of

__all__ = ["ExchangeOptions", "Headers", "Value", "checked", "problems", "values"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "proxy"})


def _header_names(headers: dict[str, Value]) -> dict[str, Value]:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
            raise ValueError(f"{name!r} cannot be a header of a task's request")
        if isinstance(value, str) and not (value.isascii() and value.isprintable()):
            raise ValueError(f"the header {name} has characters that no header may have")
    return headers


def _request_target(path: str) -> str:
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
        raise ValueError(f"{path!r}: a path begins with / and has no spaces; write others as %20")
    return path


Headers = Annotated[dict[str, Value], AfterValidator(_header_names)]


class ExchangeOptions(BaseModel):
    """Options of every handler that takes a task as a request and answers with a response.

    Attributes:
        limit: tasks of this handler at the same time.
        announce: for a pattern, the task types that a server is told of.
        timeout: seconds that one task may take; the server's own limit goes on counting.
        output_limit: bytes that a response may have.
        method: of the request.
        headers: of the request; a value may be a secret.
        send: what the request's body is: the task's ``data``, or the whole ``task``: its id, type and data.
        result: what the result's data is: the ``body``, decoded, or the whole ``response``: status, headers, body.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1)] | None = None
    announce: tuple[str, ...] = ()
    timeout: PositiveDuration | None = None
    output_limit: Annotated[ByteSize, Field(gt=0)] = ByteSize(16 * 1024 * 1024)
    method: Literal["POST", "PUT", "PATCH", "GET", "DELETE"] = "POST"
    headers: Headers = {}
    send: Literal["data", "task"] = "task"
    result: Literal["body", "response"] = "body"


Path = Annotated[str, AfterValidator(_request_target)]

O = TypeVar("O", bound=BaseModel)  # noqa: E741 - options


def checked(model: type[O], task_type: str, given: dict[str, Any]) -> O:
    """The options of a handler.

    Raises:
        PluginError: everything that is wrong with them.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise PluginError("\n".join(f"handler {task_type!r}: {each}" for each in problems(error))) from None


def problems(error: ValidationError) -> list[str]:
    """Each wrong option by its path, without values: they may be secrets."""
    return [
        f"{'.'.join(str(part) for part in each['loc'] if part not in _TAGS) or 'it'}: "
        f"{each['msg'].removeprefix('Value error, ')}"
        for each in error.errors(include_url=False, include_input=False, include_context=False)
    ]


_TAGS = frozenset({"<path>", "<download>", "<git>", "<text>", "<secret>"})
"""What pydantic puts into a path to say which choice it tried."""


async def values(declared: dict[str, Value], context: TaskContext) -> dict[str, str]:
    """Texts and secrets as they are at this moment; secrets are masked from here on.

    Raises:
        SecretUnavailable: one cannot be had.
    """
    return {name: await text_of(value, context) for name, value in declared.items()}
