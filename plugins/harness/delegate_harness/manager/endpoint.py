"""One endpoint as an ASGI application: its faults, the token check, its handler, its errors."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from .authority import Authority
from .effects import inflict
from .exchange import RefusalError, required
from .faults import Faults
from .state import ManagerState

__all__ = ["HANGUP_KEY", "Endpoint", "Handler", "Surroundings"]

Handler = Callable[[Request], Awaitable[Response]]
HANGUP_KEY = "hang_up"
"""Where the server puts, in the scope's state, what breaks the connection of a call at once."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every endpoint stands in."""

    state: ManagerState
    authority: Authority
    faults: Faults

    def route(self, name: str, method: str, path: str, handler: Handler) -> Route:
        """A route that asks for a delegate token and an account."""
        return Route(path, Endpoint(name, self, handler, guarded=True), methods=[method], name=name)

    def open_route(self, name: str, method: str, path: str, handler: Handler) -> Route:
        """A route that checks its callers itself."""
        return Route(path, Endpoint(name, self, handler, guarded=False), methods=[method], name=name)


class Endpoint:
    """Applies the faults ordered for its name, checks the token, then answers."""

    def __init__(self, name: str, surroundings: Surroundings, handler: Handler, *, guarded: bool) -> None:
        self._name = name
        self._around = surroundings
        self._handler = handler
        self._guarded = guarded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        request = Request(scope, receive)
        fault = self._around.faults.take(self._name)
        if fault is None:
            response: Response | None = await self._answer(request)
        else:
            response = await inflict(fault, request, self._around.state, self._answer)
        self._around.state.count_call(self._name)
        if response is None:
            await _hang_up(scope, receive)
        else:
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            if self._guarded:
                self._check(request)
            return await self._handler(request)
        except RefusalError as refusal:
            return refusal.reply()
        except ClientDisconnect:  # in the midst of its request: nobody reads the reply
            return RefusalError(HTTPStatus.BAD_REQUEST, "INVALID_ARGUMENT", "the request broke off").reply()
        except Exception:  # noqa: BLE001 - a defect of ours is a 500, as any server answers
            _log.exception("the embedded manager failed at %s", self._name)
            return RefusalError(HTTPStatus.INTERNAL_SERVER_ERROR, "DEFAULT_ERROR_CODE", "unexpected error").reply()

    def _check(self, request: Request) -> None:
        header = request.headers.get("authorization", "")
        skew = getattr(request.state, "skew", 0.0)
        self._around.authority.check(required(request, "accountId"), header, skew=skew)


async def _hang_up(scope: Scope, receive: Receive) -> None:
    """Break the connection, and return once the server has seen it broken."""
    scope["state"][HANGUP_KEY]()
    while (await receive())["type"] != "http.disconnect":
        pass
