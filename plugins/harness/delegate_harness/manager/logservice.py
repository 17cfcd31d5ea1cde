"""The log service's calls: live streams, final logs, upload links."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from urllib.parse import urlencode

import anyio
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from .endpoint import Handler, Surroundings
from .exchange import JsonReply, void
from .logstore import DEFAULT_TTL_SECONDS, LogStore, LogStream, parse_lines
from .logtokens import LogTokenError, LogTokens

__all__ = ["routes"]

_BASE = "/log-service"
_MOST_TTL_SECONDS = 24 * 3600
_LINK_SECONDS = 3600
_PING_SECONDS = 30.0
_LONGEST_TAIL_SECONDS = 3600.0
_EOF = "event: error\ndata: eof\n\n"
_Keyed = Callable[[Request, str, str], Awaitable[Response]]


def routes(around: Surroundings, store: LogStore, tokens: LogTokens) -> list[BaseRoute]:
    """The routes of the log service."""
    calls = _LogCalls(store, tokens, around.state.clock)
    table: list[tuple[str, str, str, Handler]] = [
        ("log-write", "PUT", "/stream", calls.for_key(calls.write)),
        ("log-open", "POST", "/stream", calls.for_key(calls.open)),
        ("log-close", "DELETE", "/stream", calls.close),
        ("log-tail", "GET", "/stream", calls.for_key(calls.tail)),
        ("blob-put", "POST", "/blob", calls.for_key(calls.put_blob)),
        ("blob-get", "GET", "/blob", calls.for_key(calls.get_blob)),
        ("blob-link", "POST", "/blob/link/upload", calls.for_key(calls.link)),
        ("blob-upload", "PUT", "/blob/link/upload", calls.upload),
    ]
    return [
        around.open_route(name, method, _BASE + path, _with_log_errors(handler))
        for name, method, path, handler in table
    ]


class _LogServiceError(Exception):
    """An error reply in the log service's own form."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status

    def reply(self) -> Response:
        return JsonReply({"error_msg": str(self)}, self.status)


def _with_log_errors(handler: Handler) -> Handler:
    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except _LogServiceError as refusal:
            return refusal.reply()

    return handle


class _LogCalls:
    def __init__(self, store: LogStore, tokens: LogTokens, clock: Callable[[], float]) -> None:
        self._store = store
        self._tokens = tokens
        self._clock = clock

    def for_key(self, call: _Keyed) -> Handler:
        """A handler that has checked the token and found the key."""

        async def handle(request: Request) -> Response:
            account_id = self._account(request)
            return await call(request, account_id, _asked(request, "key"))

        return handle

    async def open(self, request: Request, account_id: str, key: str) -> Response:
        self._store.open(account_id, key, _ttl(request))
        return void()

    async def write(self, request: Request, account_id: str, key: str) -> Response:
        try:
            self._store.write(account_id, key, parse_lines(await request.body()))
        except ValidationError as error:
            raise _LogServiceError(HTTPStatus.BAD_REQUEST, f"{error.error_count()} lines are malformed") from None
        except KeyError:
            raise _LogServiceError(HTTPStatus.BAD_REQUEST, "stream: not found") from None
        return void()

    async def close(self, request: Request) -> Response:
        account_id = self._account(request)
        snapshot = request.query_params.get("snapshot") == "true"
        try:
            for key in self._keys_to_close(request, account_id):
                self._store.close(account_id, key, snapshot=snapshot)
        except KeyError:
            raise _LogServiceError(HTTPStatus.INTERNAL_SERVER_ERROR, "stream: not found") from None
        return void()

    async def tail(self, _request: Request, account_id: str, key: str) -> Response:
        try:
            stream = self._store.stream(account_id, key)
        except KeyError:
            raise _LogServiceError(HTTPStatus.NOT_FOUND, "stream: not found") from None
        return StreamingResponse(_tail(stream), media_type="text/event-stream")

    async def put_blob(self, request: Request, account_id: str, key: str) -> Response:
        self._store.put_blob(account_id, key, await request.body())
        return void()

    async def get_blob(self, _request: Request, account_id: str, key: str) -> Response:
        try:
            return Response(self._store.blob(account_id, key), media_type="text/plain")
        except KeyError:
            raise _LogServiceError(HTTPStatus.NOT_FOUND, "no such log") from None

    async def link(self, request: Request, account_id: str, key: str) -> Response:
        expires = self._clock() + _LINK_SECONDS
        query = urlencode({"link": self._tokens.issue_link(account_id, key, expires)})
        link = str(request.base_url.replace(path=f"{_BASE}/blob/link/upload", query=query))
        return JsonReply({"link": link, "expires": int(_LINK_SECONDS * 1e9)})

    async def upload(self, request: Request) -> Response:
        try:
            account_id, key = self._tokens.link_target(_asked(request, "link"))
        except LogTokenError as error:
            raise _LogServiceError(HTTPStatus.FORBIDDEN, str(error)) from None
        self._store.put_blob(account_id, key, await request.body())
        return Response(status_code=HTTPStatus.OK)

    def _account(self, request: Request) -> str:
        """The account asked for, if the token is for it."""
        account_id = _asked(request, "accountID")
        token = request.headers.get("x-harness-token") or request.query_params.get("X-Harness-Token")
        if not token:
            raise _LogServiceError(HTTPStatus.BAD_REQUEST, "no token in header")
        try:
            owner = self._tokens.account_of(token)
        except LogTokenError as error:
            raise _LogServiceError(HTTPStatus.FORBIDDEN, str(error)) from None
        if owner != account_id:
            raise _LogServiceError(HTTPStatus.FORBIDDEN, "the token is for another account")
        return account_id

    def _keys_to_close(self, request: Request, account_id: str) -> list[str]:
        query = request.query_params
        if query.get("keyList"):
            return [key for key in query["keyList"].split(",") if key]
        key = _asked(request, "key")
        return self._store.open_keys(account_id, key) if query.get("prefix") == "true" else [key]


def _asked(request: Request, name: str) -> str:
    value = request.query_params.get(name)
    if not value:
        raise _LogServiceError(HTTPStatus.BAD_REQUEST, f"no {name} in the query")
    return value


def _ttl(request: Request) -> float:
    told = request.query_params.get("timeout_seconds")
    if told is None:
        return DEFAULT_TTL_SECONDS
    if not told.isdecimal() or not 0 < int(told) <= _MOST_TTL_SECONDS:
        raise _LogServiceError(HTTPStatus.BAD_REQUEST, f"timeout_seconds must be 1 to {_MOST_TTL_SECONDS}, not {told}")
    return float(told)


async def _tail(stream: LogStream) -> AsyncIterator[str]:
    """Server-sent events: what the ring holds, then each new line, until the stream is closed."""
    position = 0
    deadline = anyio.current_time() + _LONGEST_TAIL_SECONDS
    yield ": ping\n\n"
    while anyio.current_time() < deadline:
        for line in stream.since(position):
            yield f"data: {line.model_dump_json()}\n\n"
        position = stream.written
        if stream.closed:
            break
        with anyio.move_on_after(_PING_SECONDS) as quiet:
            await stream.changed()
        if quiet.cancelled_caught:
            yield ": ping\n\n"
    yield _EOF
