"""Typed calls to a Drone server: the runner's side of its RPC, version 2.

Nothing is tried again in here, since only the caller knows what a lost reply means for what it had asked. What goes
wrong is one of the faults of `delegate_drone.faults`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Self, TypeVar
from urllib.parse import quote_plus, urlsplit

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from delegate_core.errors import CredentialsError, SettingsError
from delegate_core.http import Reply, TlsOptions, Transport, TransportError, TransportKind, open_transport, operation
from delegate_drone.dump import HttpDump
from delegate_drone.faults import NotDrone, NotSent, ServerFault, Unanswered, Unusable, judged, place
from delegate_drone.wire import CardInput, Details, Filter, LogLine, Stage, Step, WireModel

__all__ = ["DroneClient", "parse_address"]

M = TypeVar("M", bound=WireModel)

PING_TIMEOUT = 10.0
TIMEOUT = 30.0
POLL_TIMEOUT = 45.0
"""The server answers a long poll after 30 seconds."""
UPLOAD_TIMEOUT = 120.0
DETAILS_TIMEOUT = 150.0
"""For details the server fetches the manifest and asks its own plugins, each of which may take a minute."""


def parse_address(address: str) -> str:
    """The server's address without what people paste along with it.

    Raises:
        SettingsError: it is no http or https address, or carries an account.
    """
    shown = address.rpartition("@")[2].strip()
    try:
        parts = urlsplit(address.strip())
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port or an IPv6 address that cannot be
        usable = False
    if not usable:
        raise SettingsError(f"server {shown!r} is no address; write it with its scheme, as https://drone.example")
    if "@" in parts.netloc:
        raise SettingsError(f"server {shown!r} carries a user or a password, which no Drone server asks for")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v2').removesuffix('/rpc')}"


def _checked(token: str) -> str:
    if not token or not token.isascii() or not token.isprintable() or token != token.strip():
        raise CredentialsError(
            "DRONE_RPC_SECRET is empty, or has a character that no header may carry (a line break, a space at an end, "
            "one that is not ASCII); take the server's DRONE_RPC_SECRET"
        )
    return token


class DroneClient:
    """A runner's calls to one server. Every call carries the token and has a timeout.

    Error handling: each method raises a `DroneFault`, and nothing else. Redirects are not followed. A reply may have
    any content type: this server names none.

    Args:
        address: as `parse_address` gives it.
        token: the server's DRONE_RPC_SECRET.
        calls: carries the short calls.
        polls: carries the long polls. When one is cancelled it must close its connection at once, or the server goes
            on offering stages to a poller that is gone.
        dump: is told of each call and reply.

    Raises:
        CredentialsError: no header can carry the token.
    """

    def __init__(
        self, address: str, token: str, *, calls: Transport, polls: Transport, dump: HttpDump | None = None
    ) -> None:
        self.address = address
        self._token = _checked(token)
        self._calls = calls
        self._polls = polls
        self._dump = dump

    @classmethod
    def open(
        cls,
        address: str,
        token: str,
        tls: TlsOptions,
        *,
        kind: TransportKind = "auto",
        trust_env: bool = True,
        dump: HttpDump | None = None,
    ) -> Self:
        """A client with connections of its own; close it with `aclose`. ``kind`` is what carries all but long polls.

        Raises:
            SettingsError: the address cannot be one.
            CredentialsError: the token cannot be one.
            TlsFailed: the files of ``tls`` cannot be used.
        """
        base, checked = parse_address(address), _checked(token)
        calls = open_transport(tls, kind=kind, trust_env=trust_env)
        polls = open_transport(tls, kind="httpx", trust_env=trust_env)
        return cls(base, checked, calls=calls, polls=polls, dump=dump)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._calls.aclose()
        await self._polls.aclose()

    # ------------------------------------------------------------------ the runner

    @operation("ping")
    async def ping(self) -> None:
        """Whether this is a Drone server that takes our token."""
        await self._call("POST", "/ping", timeout=PING_TIMEOUT)

    @operation("request")
    async def request(self, wanted: Filter) -> Stage | None:
        """Wait for a stage to accept, up to the server's 30 seconds; None: there was none.

        The stage is only offered: until somebody accepts it every poller is offered it. A broken server may answer
        "none" at once, so the caller pauses between two that were short.
        """
        body = wanted.wire()
        if not wanted.labels:
            del body["labels"]
        reply = await self._call("POST", "/stage", body=body, timeout=POLL_TIMEOUT, poll=True)
        if reply.status == 204 or reply.body.strip() in {b"", b"null"}:
            return None
        stage = _parsed(Stage, reply)
        return stage if stage.id else None

    @operation("watch")
    async def watch(self, build_id: int) -> bool:
        """Wait for the build to be cancelled, up to the server's 30 seconds; True: it was.

        Only a cancellation that comes while a watch is open is told. A server on Redis answers 500 where nothing
        happened. The server's own 200 is empty: what says more comes from somebody in between.
        """
        reply = await self._call("POST", f"/build/{build_id}/watch", timeout=POLL_TIMEOUT, poll=True)
        if reply.status == 200 and reply.body.strip():
            raise _unusable(reply, f"{len(reply.body)} bytes where nothing was to be said")
        return reply.status == 200

    # ------------------------------------------------------------------ a stage

    @operation("accept")
    async def accept(self, stage_id: int, machine: str) -> Stage:
        """Take a stage. Not idempotent: `LockLost` is also the answer to who has it already.

        Args:
            stage_id: of an offered stage.
            machine: who takes it, not empty: without a name it would stay free.
        """
        reply = await self._call("POST", f"/stage/{stage_id}?machine={quote_plus(machine)}")
        return _the_row(Stage, reply, stage_id, 0)

    @operation("details")
    async def details(self, stage_id: int) -> Details:
        """What there is to run. Never poll it: the server fetches the manifest each time, and since 2.28.2 ends a
        stage as errored if it cannot.
        """
        reply = await self._call("GET", f"/stage/{stage_id}", timeout=DETAILS_TIMEOUT)
        details = _parsed(Details, reply)
        if details.stage.id != stage_id:
            raise _unusable(reply, "not that stage's details")
        return details

    @operation("update_stage")
    async def update_stage(self, stage: Stage) -> Stage:
        """Overwrite the stage's row with all of ``stage``, if it still has that version.

        Running: its steps are inserted as new. Done: its steps' rows are overwritten first, one by one, and stay so
        even if the stage's own version turns out to be stale.

        Returns:
            ``stage`` with the versions and ids that the server has given; everything else is as sent.
        """
        reply = await self._call("PUT", f"/stage/{stage.id}", body=stage.wire())
        told = _the_row(Stage, reply, stage.id, stage.version)
        steps = _merged(stage.steps, {step.number: step for step in told.steps})
        if steps is None:
            raise _unusable(reply, "without all the steps")
        return stage.model_copy(update={"version": told.version, "updated": told.updated, "steps": steps})

    @operation("update_step")
    async def update_step(self, step: Step) -> Step:
        """Overwrite the step's row with all of ``step``, if it still has that version.

        Running or pending: its live log begins anew. Done: its live log ends.

        Returns:
            ``step`` with its new version.
        """
        reply = await self._call("PUT", f"/step/{step.id}", body=step.wire())
        return step.model_copy(update={"version": _the_row(Step, reply, step.id, step.version).version})

    # ------------------------------------------------------------------ a step's output

    @operation("log_write")
    async def send_lines(self, step_id: int, lines: Iterable[LogLine]) -> None:
        """Show lines live. A batch sent twice shows twice."""
        await self._call("POST", f"/step/{step_id}/logs/batch", body=_bare(lines))

    @operation("log_upload")
    async def upload(self, step_id: int, lines: Iterable[LogLine]) -> None:
        """Store a step's whole log, once: `AlreadyThere` is the answer to the second time."""
        await self._call("POST", f"/step/{step_id}/logs/upload", body=_bare(lines), timeout=UPLOAD_TIMEOUT)

    @operation("card")
    async def send_card(self, step_id: int, card: CardInput) -> None:
        """Store a step's card. It is shown once the step's own ``card_schema`` is set, too."""
        body = {key: value for key, value in card.wire().items() if value is not None}
        try:
            await self._call("POST", f"/step/{step_id}/card", body=body)
        except NotDrone:
            raise ServerFault(f"{self.address} takes no cards: it is older than Drone 2.5.0", 404) from None

    # ------------------------------------------------------------------ one call

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        timeout: float = TIMEOUT,  # noqa: ASYNC109 - the transport bounds it
        poll: bool = False,
    ) -> Reply:
        url = f"{self.address}/rpc/v2{path}"
        reply = await self._exchange(self._polls if poll else self._calls, method, url, body, timeout)
        fault = judged(reply, self._token)
        if fault:
            raise fault
        if reply.status == 204 and not poll:  # its own time for the call was over
            raise _unusable(reply, "nothing: it gave up half-way")
        return reply

    async def _exchange(
        self,
        transport: Transport,
        method: str,
        url: str,
        body: Any,
        timeout: float,  # noqa: ASYNC109 - the transport bounds it
    ) -> Reply:
        headers = {"X-Drone-Token": self._token}
        content = None if body is None else _encoded(body)
        if self._dump:
            self._dump.request(method, url, headers, content)
        try:
            reply = await transport.request(method, url, headers=headers, body=content, timeout=timeout)
        except TransportError as error:
            if self._dump:
                self._dump.fault(method, url, str(error))
            raise (Unanswered if error.sent else NotSent)(str(error)) from None
        if self._dump:
            self._dump.reply(reply)
        return reply


def _encoded(value: Any) -> bytes:
    """A value as JSON; half a surrogate pair, which has no UTF-8 form, is escaped."""
    try:
        return to_json(value, inf_nan_mode="strings")
    except PydanticSerializationError:
        return json.dumps(value).encode()


def _bare(lines: Iterable[LogLine]) -> list[dict[str, Any]]:
    return [{"pos": line.pos, "out": line.out, "time": line.time} for line in lines]


def _unusable(reply: Reply, what: str) -> Unusable:
    return Unusable(f"{place(reply)} answered {reply.status}, {what}: is it a Drone server, or a proxy?")


def _parsed(model: type[M], reply: Reply) -> M:
    """The object in a reply. A fault's text shows nothing of the body: it may hold secrets."""
    try:
        return model.model_validate_json(reply.body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
    at = f" (at {where})" if where else ""
    raise _unusable(reply, f"{len(reply.body)} bytes that are no {model.__name__.lower()}{at}")


R = TypeVar("R", Stage, Step)


def _the_row(model: type[R], reply: Reply, row_id: int, version: int) -> R:
    row = _parsed(model, reply)
    if row.id != row_id or row.version <= version:
        raise _unusable(reply, f"not that {model.__name__.lower()} with a new version")
    return row


def _merged(sent: Iterable[Step], told: dict[int, Step]) -> tuple[Step, ...] | None:
    """The steps with the server's ids and versions; None if it has left one out."""
    merged = []
    for step in sent:
        row = told.get(step.number)
        if row is None or not row.id or row.version <= 0:
            return None
        merged.append(step.model_copy(update={"id": row.id, "stage_id": row.stage_id, "version": row.version}))
    return tuple(merged)
