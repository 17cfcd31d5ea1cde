"""The manager as an ASGI application."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from . import agent, logservice, taskcalls
from .authority import Authority
from .endpoint import Surroundings
from .exchange import RefusalError
from .faults import Faults
from .logstore import LogStore
from .logtokens import LogTokens
from .state import ManagerState

__all__ = ["Parts", "build_app"]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is put together from."""

    state: ManagerState
    logs: LogStore
    log_tokens: LogTokens
    faults: Faults = field(default_factory=Faults)

    @classmethod
    def around(cls, state: ManagerState) -> Parts:
        """The parts that go with a state: an empty log store, a fresh signing key, no fault."""
        return cls(state, LogStore(state.clock), LogTokens(secrets.token_bytes(32), state.clock))


def build_app(parts: Parts) -> Starlette:
    """The application: what delegates call, and the log service under ``/log-service``."""
    around = Surroundings(parts.state, Authority(parts.state.accounts, parts.state.clock), parts.faults)
    return Starlette(
        routes=[
            *taskcalls.routes(around, parts.log_tokens),
            *logservice.routes(around, parts.logs, parts.log_tokens),
            *agent.routes(around, parts.log_tokens),
        ],
        exception_handlers={HTTPException: _no_such_call},
    )


async def _no_such_call(_request: Request, error: Exception) -> Response:
    """A path or a method that the manager does not have."""
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    headers = error.headers if isinstance(error, HTTPException) else None
    phrase = HTTPStatus(status).phrase
    return RefusalError(status, "INVALID_REQUEST", f"HTTP {status} {phrase}", headers=headers).reply()
