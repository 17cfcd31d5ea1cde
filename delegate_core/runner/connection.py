"""The session: made at start, kept alive, made anew when the server moves us or has forgotten us."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio

from delegate_core.backoff import Backoff
from delegate_core.cancellation import raise_if_cancelled
from delegate_core.errors import DelegateError, Drain, Interrupt, Moved, RegistrationError, Retry, Stop
from delegate_core.model import Registration, Session
from delegate_core.runner.calls import Fault, describe
from delegate_core.runner.core import Core
from delegate_core.runner.inbox import Inbox
from delegate_core.runner.intake import Intake

__all__ = ["Connection"]

_log = logging.getLogger(__name__)

_MOVES = 5
"""How often in a row the server may send us elsewhere before that counts as a fault."""

_LASTING = 60.0
"""Seconds after which a session counts as one that works; the next one is then made without a long pause."""


class Connection:
    """Keeps one present session: registers, polls, sends heartbeats, and registers again when it has to.

    Earlier sessions stay open until the end, for the reports of the tasks that were claimed in them.
    """

    def __init__(self, core: Core, intake: Intake, registration: Registration) -> None:
        self._core = core
        self._intake = intake
        self._registration = registration
        self._outdated = False
        """Whether something was announced since the server was last told."""
        self._sessions: list[Session] = []
        self._again: Interrupt | None = None
        self._loops: anyio.CancelScope | None = None
        self.last_contact: float | None = None
        """When a call last succeeded, on the monotonic clock."""
        self.last_heartbeat: float | None = None
        self.last_poll: float | None = None
        self.trouble: str = ""
        """The last fault of registering, polling or the heartbeat; empty when all is well."""
        self.refused = False
        """Whether that was the server's refusal of our secret or token."""

    @property
    def session(self) -> Session | None:
        """The present session; None before the first registration."""
        return self._sessions[-1] if self._sessions else None

    # ------------------------------------------------------------------ registering

    async def open(self, patience: float | None) -> Session:
        """Register, for at most ``patience`` seconds; None: for ever.

        Raises:
            RegistrationError: it did not come about in time; the last fault is named.
            DelegateError: it never will.
            Interrupt: the server said stop or drain.
        """
        backoff = Backoff()
        with anyio.move_on_after(patience):
            while True:
                delay = await self._try_to_register(backoff)
                if delay is None:
                    return self._sessions[-1]
                await anyio.sleep(delay)
        raise RegistrationError(f"could not register within {patience:g}s: {self.trouble or 'no answer'}")

    async def _try_to_register(self, backoff: Backoff) -> float | None:
        """Seconds to wait before the next try, or None if it is done."""
        core = self._core
        try:
            credentials = await core.backend.authenticate(core.settings)
            self._outdated = False
            session = await core.backend.register(self._registration, credentials)
        except (DelegateError, Stop, Drain):
            raise
        except Fault as error:
            raise_if_cancelled()
            return self._after_refusal(error, backoff)
        self._sessions.append(session)
        self.touched()
        _log.info("registered: %s", session.description)
        return None

    def _after_refusal(self, error: BaseException, backoff: Backoff) -> float:
        """Seconds until the next try: none after a move, unless the server sends us from one address to the next."""
        self._failed(describe(error), error)
        if isinstance(error, Moved):
            self._move_to(error)
            if backoff.tries < _MOVES:
                backoff.tries += 1
                return 0.0
        delay = backoff.next(error.after if isinstance(error, Retry) else None)
        _log.warning("cannot register: %s; trying again in %.1fs", self.trouble, delay)
        return delay

    def _move_to(self, moved: Moved) -> None:
        _log.warning("the server sends us to %s", moved.url)
        self._registration = replace(self._registration, address=moved.url)

    # ------------------------------------------------------------------ living

    async def keep(self) -> None:
        """Poll and send heartbeats, on a new session whenever the present one has ended. Ends by cancellation."""
        pauses = Backoff()
        while True:
            session, since = self._sessions[-1], anyio.current_time()
            if not self._outdated:  # by what was announced while the server was answering
                with anyio.CancelScope() as self._loops:
                    async with anyio.create_task_group() as loops:
                        loops.start_soon(self._fetch, session)
                        loops.start_soon(self._beat, session)
                self._loops = None
            if anyio.current_time() - since > _LASTING:
                pauses.reset()
            await anyio.sleep(pauses.next())
            await self._renew()

    async def _renew(self) -> None:
        again, self._again = self._again, None
        if isinstance(again, Moved):
            self._move_to(again)
        try:
            await self.open(None)
        except Interrupt as interrupt:
            self._core.interrupted(interrupt, self._sessions[-1])
        except DelegateError as error:
            self._core.interrupted(Stop(str(error), error), self._sessions[-1])

    def announce(self, registration: Registration) -> None:
        """Register again with what a runner says of itself now. Tasks of the present session stay with it."""
        self._registration = replace(registration, address=self._registration.address)
        self._outdated = True
        if self._loops is not None:
            self._again = None
            self._loops.cancel()

    def interrupt(self, interrupt: Interrupt, session: Session) -> None:
        """End this session's loops and register again, if it is the present one."""
        if session is self._sessions[-1] and self._loops is not None:
            self._again = interrupt
            self._loops.cancel()

    async def _fetch(self, session: Session) -> None:
        """Let the backend bring offers. A passing fault is waited out; the call is made again when it returns."""
        inbox = Inbox(
            session,
            slots=self._core.slots,
            intake=self._intake,
            cancel=self._intake.cancel,
            polled=self._polled,
            failed=lambda fault: self._failed(f"polling: {describe(fault)}", fault),
        )
        await self._again_and_again(
            lambda: self._core.backend.fetch_tasks(session, inbox), "polling", session, lambda: self.last_poll
        )

    async def _beat(self, session: Session) -> None:
        """Send heartbeats, at the session's interval."""
        interval = session.heartbeat_interval
        if interval is None:
            return

        async def beat() -> None:
            while True:
                await self._core.backend.heartbeat(session)
                self.last_heartbeat = time.monotonic()
                self.touched()
                await anyio.sleep(interval)

        await anyio.sleep(interval)
        await self._again_and_again(beat, "heartbeat", session, lambda: self.last_heartbeat)

    async def _again_and_again(
        self,
        call: Callable[[], Awaitable[None]],
        what: str,
        session: Session,
        progress: Callable[[], float | None],
    ) -> None:
        """Call for ever; wait after each end, longer after each that brought no progress."""
        backoff = Backoff()
        while True:
            before = progress()
            fault: BaseException | None = None
            try:
                await call()
            except Interrupt as interrupt:
                self._core.interrupted(interrupt, session)
            except DelegateError as error:
                self._core.interrupted(Stop(str(error), error), session)
            except Fault as error:
                raise_if_cancelled()
                fault = error
            else:
                backoff.reset()
            if progress() != before:
                backoff.reset()
            await self._pause(fault, what, backoff)

    async def _pause(self, fault: BaseException | None, what: str, backoff: Backoff) -> None:
        delay = backoff.next(fault.after if isinstance(fault, Retry) else None)
        if fault is not None:
            self._failed(f"{what}: {describe(fault)}", fault)
            _log.warning("%s; trying again in %.1fs", self.trouble, delay)
        await anyio.sleep(delay)

    def _polled(self, found: int) -> None:  # noqa: ARG002 - for who watches the polls
        self.last_poll = time.monotonic()
        self._core.counters.polls += 1
        self.touched()

    def touched(self) -> None:
        """A call has succeeded: the server is there."""
        self.last_contact = time.monotonic()
        self.trouble, self.refused = "", False

    def _failed(self, trouble: str, fault: BaseException) -> None:
        """A call has failed in a way that may pass."""
        self.trouble, self.refused = trouble, bool(getattr(fault, "refused", False))

    # ------------------------------------------------------------------ leaving

    async def close(self) -> None:
        """Close all sessions' connections."""
        for session in self._sessions:
            try:
                await session.aclose()
            except Exception as error:  # noqa: BLE001 - a backend's fault may be anything, and the next one waits
                _log.warning("could not close the connection to %s: %s", session.description, describe(error))
