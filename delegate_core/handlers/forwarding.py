"""HTTP services as handlers: each task is one request to a service on this machine or elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from urllib.parse import urlsplit

import anyio
from pydantic import AfterValidator, Field

from delegate_core.backoff import Backoff
from delegate_core.errors import PluginError
from delegate_core.handlers.base import Execute, TaskHandler
from delegate_core.handlers.context import TaskContext
from delegate_core.handlers.eventstream import CONTENT_TYPE, BadEvent, EventStream
from delegate_core.handlers.exchange import Answer, request_body, result_of, task_headers, within_time
from delegate_core.handlers.options import ExchangeOptions, checked, values
from delegate_core.http import Reply, TlsOptions, TransportError
from delegate_core.http.tls import authorities, identity
from delegate_core.model import Task, TaskResult
from delegate_core.settings import RunnerSettings, UserPath
from delegate_core.settings.secretfrom import SecretUnavailable, secret_names

if TYPE_CHECKING:
    from delegate_core.http.httpx_transport import HttpxTransport

__all__ = ["ForwardHandler", "ForwardOptions", "forward"]

_LONGEST = 7 * 24 * 3600.0
"""Seconds for a task without a deadline."""


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isascii() or not url.isprintable():
        raise ValueError("an address like http://127.0.0.1:8000/path is needed")
    if parts.username or parts.password:
        raise ValueError("no user or password in an address, which is logged; give headers with a secret")
    return url


class ForwardOptions(ExchangeOptions):
    """What may be declared of an HTTP service, besides what all kinds share.

    Attributes:
        forward: its address, with path and query.
        retries: further tries while the service has certainly not seen the request, such as a refused connection.
        ca_files: certificate authorities to trust besides the runner's.
        client_certificate: PEM file of the certificate that the service is shown.
        client_key: PEM file of its key.
    """

    forward: Annotated[str, AfterValidator(_address)]
    retries: Annotated[int, Field(ge=0, le=100)] = 5
    ca_files: tuple[UserPath, ...] = ()
    client_certificate: UserPath | None = None
    client_key: UserPath | None = None

    def tls(self, settings: RunnerSettings) -> TlsOptions:
        """Whom to trust, and as whom to appear. The runner's own certificate is for its server only."""
        trusted = (*settings.ca_files, *self.ca_files)
        return TlsOptions(trusted, self.client_certificate, self.client_key, settings.insecure)


class ForwardHandler(TaskHandler):
    """Sends each task to an HTTP service and makes its response the result.

    A request that the service may have seen is never sent again: a task runs once. Cancelling closes the connection.
    """

    kind: ClassVar[str] = "forward"

    def __init__(self, task_type: str, options: ForwardOptions) -> None:
        super().__init__(task_type, limit=options.limit, announce=options.announce)
        self.options = options

    @property
    def origin(self) -> str:
        """The service's address."""
        parts = urlsplit(self.options.forward)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"

    def renamed(self, task_type: str) -> ForwardHandler:
        """The same service for another task type."""
        return ForwardHandler(task_type, self.options)

    def check(self) -> None:
        """Whether its certificates can be used."""
        tls = self.options.tls(RunnerSettings())
        try:
            authorities(tls)
            identity(tls)
        except TransportError as error:
            raise PluginError(f"handler {self.task_type!r}: {error}") from None

    def secrets(self) -> frozenset[str]:
        """Those of its options."""
        return frozenset(secret_names(self.options))

    @asynccontextmanager
    async def opened(self, settings: RunnerSettings) -> AsyncIterator[Execute]:
        """With a pool of connections, and the authorities that the runner trusts."""
        from delegate_core.http.httpx_transport import HttpxTransport  # noqa: PLC0415 - imports an HTTP library

        transport = HttpxTransport(self.options.tls(settings), largest_body=self.options.output_limit)

        async def execute(task: Task, context: TaskContext) -> TaskResult:
            return await within_time(self.options, lambda: self._execute(task, context, transport))

        try:
            yield execute
        finally:
            with anyio.CancelScope(shield=True):
                await transport.aclose()

    async def execute(self, task: Task, context: TaskContext) -> TaskResult:
        """Send one task over a connection of its own."""
        async with self.opened(RunnerSettings()) as execute:
            return await execute(task, context)

    async def _execute(self, task: Task, context: TaskContext, transport: HttpxTransport) -> TaskResult:
        answer = _Answer(context, self.options.output_limit)
        try:
            headers = {**task_headers(task, context), **await values(self.options.headers, context)}
            reply = await self._reply(task, context, headers, transport, answer)
            if answer.stream is not None:
                return answer.stream.result()
        except (TransportError, SecretUnavailable) as error:
            return TaskResult.failed(str(error))
        except BadEvent as error:
            return TaskResult.failed(f"{self.origin}: {error}")
        context.log(f"{self.origin} answered with status {reply.status}")
        return result_of(Answer(reply.status, list(reply.headers.items()), reply.body), self.options, context)

    async def _reply(
        self, task: Task, context: TaskContext, headers: dict[str, str], transport: HttpxTransport, answer: _Answer
    ) -> Reply:
        """Send it, again while the service cannot have seen it."""
        pauses, body = Backoff(first=0.2, most=10.0), request_body(self.options, task)
        if body is not None and not any(name.lower() == "content-type" for name in headers):
            headers = {**headers, "Content-Type": "application/json"}
        for tried in range(self.options.retries + 1):
            seconds = context.remaining()
            try:
                return await transport.request(
                    self.options.method,
                    self.options.forward,
                    headers=headers,
                    body=body,
                    timeout=_LONGEST if seconds is None else seconds + 1,  # our own scope ends it first
                    taking=answer.begin,
                )
            except TransportError as error:
                if error.sent or tried == self.options.retries:
                    raise
                pause = pauses.next()
                context.log(f"{error}; trying again in {pause:.1f}s", level="warning")
                await anyio.sleep(pause)
        raise AssertionError("the last try returns or raises")


class _Answer:
    """An answer that may come in pieces."""

    def __init__(self, context: TaskContext, limit: int) -> None:
        self._context = context
        self._limit = limit
        self.stream: EventStream | None = None

    def begin(self, status: int, headers: Mapping[str, str]) -> Callable[[bytes], None] | None:
        """Its head is there: is what follows a stream of events?"""
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if not 200 <= status < 300 or kind != CONTENT_TYPE:
            return None
        self.stream = EventStream(self._context, self._limit)
        return self.stream.feed


def forward(task_type: str, url: str, **options: Any) -> ForwardHandler:
    """A handler that sends its tasks to an HTTP service.

    ::

        forward("translate", "http://127.0.0.1:9000/translate", timeout=60)

    Args:
        task_type: the type, or a pattern.
        url: the service's address.
        options: the fields of `ForwardOptions`.

    Raises:
        PluginError: an option cannot be used.
    """
    return ForwardHandler(task_type, checked(ForwardOptions, task_type, {"forward": url, **options}))
