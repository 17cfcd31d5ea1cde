"""The errors and replies every endpoint shares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from . import wire

__all__ = ["JsonReply", "RefusalError", "parse", "required", "void"]

_Body = TypeVar("_Body", bound=BaseModel)


class RefusalError(Exception):
    """A reply that is an error, with the manager's body form.

    Attributes:
        status: HTTP status.
        code: The manager's error code.
        message: For people.
        headers: To send with it.
    """

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers

    def reply(self) -> Response:
        """The error as a reply."""
        return JsonReply(wire.failure(self.code, self.message), self.status, self.headers)


class JsonReply(Response):
    """A compact JSON reply."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode, without spaces."""
        return json.dumps(content, separators=(",", ":")).encode()


def void() -> Response:
    """What a method without a return value answers: 204, no body."""
    return Response(status_code=HTTPStatus.NO_CONTENT)


def required(request: Request, name: str) -> str:
    """A query parameter that must be there.

    Raises:
        RefusalError: 400 naming it.
    """
    value = request.query_params.get(name)
    if not value:
        raise RefusalError(HTTPStatus.BAD_REQUEST, "INVALID_ARGUMENT", f"query parameter {name} is missing")
    return value


async def parse(request: Request, model: type[_Body]) -> _Body:
    """The request's body.

    Raises:
        RefusalError: 400 naming the fields that do not fit; their values are left out.
    """
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
        raise RefusalError(HTTPStatus.BAD_REQUEST, "INVALID_ARGUMENT", f"unable to process JSON: {faults}") from None
