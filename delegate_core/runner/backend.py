"""The chosen backend's session hooks as typed calls, with the defaults for those that it leaves out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar, cast

from delegate_core.errors import PluginError
from delegate_core.hooks import Implementation
from delegate_core.model import (
    Attempts,
    Credentials,
    Delivery,
    Ended,
    Entry,
    Event,
    Finish,
    Forget,
    Gap,
    JsonValue,
    Offer,
    Phase,
    Registration,
    Run,
    Session,
    SessionIdentity,
    Task,
    TaskCancelled,
    TaskResult,
)

if TYPE_CHECKING:
    from delegate_core.logs import LogSink
    from delegate_core.plugins import Plugins
    from delegate_core.runner.inbox import Inbox
    from delegate_core.settings import RunnerSettings

__all__ = ["Backend", "Save"]

T = TypeVar("T")

Save = Callable[[JsonValue], Awaitable[None]]
"""Journals a task's state."""


class Backend:
    """Calls of one backend's hooks. They are looked up once: these are on the way of every task."""

    def __init__(self, plugins: Plugins) -> None:
        needed = cast("dict[str, Implementation]", {hook: plugins.addressed(hook) for hook in _NEEDED})
        self._authenticate = needed["authenticate"]
        self._register = needed["register"]
        self._fetch = needed["fetch_tasks"]
        self._claim = needed["claim"]
        self._report = needed["report"]
        self._resume = plugins.addressed("resume")
        self._progress = plugins.addressed("progress")
        self._open_log = plugins.addressed("open_log")
        self._watch = plugins.addressed("watch")
        self._recover = plugins.addressed("recover")
        self._heartbeat = plugins.addressed("heartbeat")
        self._deregister = plugins.addressed("deregister")

    @property
    def watches(self) -> bool:
        """Whether each running task is to be watched."""
        return self._watch is not None

    async def authenticate(self, settings: RunnerSettings) -> Credentials:
        """Make the credentials."""
        return _checked(await self._authenticate(settings=settings), "authenticate", Credentials)

    async def register(self, registration: Registration, credentials: Credentials) -> Session:
        """Make a session."""
        return _checked(await self._register(registration=registration, credentials=credentials), "register", Session)

    async def resume(self, identity: SessionIdentity, session: Session) -> Session | None:
        """An earlier session, or None where it belongs to another account or server."""
        if identity.key == session.identity.key:
            return session
        if self._resume is not None:
            return cast("Session | None", await self._resume(identity=identity, session=session))
        same = (identity.server, identity.account) == (session.identity.server, session.identity.account)
        return session if same else None

    async def fetch_tasks(self, session: Session, inbox: Inbox) -> None:
        """Bring offers and cancellations to the inbox."""
        await self._fetch(session=session, inbox=inbox)

    async def claim(self, session: Session, offer: Offer, *, again: bool) -> Task | Ended | None:
        """Claim an offer."""
        answer = await self._claim(session=session, offer=offer, again=again)
        return None if answer is None else cast("Task | Ended", _checked(answer, "claim", Task, Ended))

    async def progress(self, session: Session, task: Task, event: Event, save: Save) -> JsonValue:
        """Tell the server of an event; the state as it was without an implementation."""
        if self._progress is None:
            return task.state
        return cast("JsonValue", await self._progress(session=session, task=task, event=event, save=save))

    async def open_log(self, session: Session, task: Task, stream: str) -> LogSink | None:
        """Open a log stream; None: logs stay here."""
        if self._open_log is None:
            return None
        return cast("LogSink | None", await self._open_log(session=session, task=task, stream=stream))

    async def watch(self, session: Session, task: Task) -> TaskCancelled | Gap:
        """Wait for the task's cancellation; for ever without an implementation."""
        if self._watch is None:
            await asyncio.get_running_loop().create_future()
            raise AssertionError("unreachable")
        answer = await self._watch(session=session, task=task)
        return cast("TaskCancelled | Gap", _checked(answer, "watch", TaskCancelled, Gap))

    async def report(
        self, session: Session, task: Task, result: TaskResult, save: Save, attempts: Attempts
    ) -> Delivery:
        """Deliver a result."""
        answer = await self._report(session=session, task=task, result=result, save=save, attempts=attempts)
        return _checked(answer, "report", Delivery)

    async def recover(self, session: Session, entry: Entry) -> Run | Finish | Forget:
        """Decide over an entry of an earlier life."""
        if self._recover is not None:
            answer = await self._recover(session=session, entry=entry)
            return cast("Run | Finish | Forget", _checked(answer, "recover", Run, Finish, Forget))
        if entry.phase is Phase.STARTED:
            return Finish(TaskResult.lost_in_crash())
        claimed = await self.claim(session, Offer(entry.task_id, entry.type, entry.offer), again=True)
        if isinstance(claimed, Ended):
            return Finish(claimed.result, claimed.task)
        return Forget("the server does not give it to us again") if claimed is None else Run(claimed)

    async def heartbeat(self, session: Session) -> None:
        """Tell the server that we live."""
        if self._heartbeat is not None:
            await self._heartbeat(session=session)

    async def deregister(self, session: Session) -> None:
        """Say goodbye."""
        if self._deregister is not None:
            await self._deregister(session=session)


def _checked(answer: object, hook: str, *kinds: type[T]) -> T:
    """The answer, if it is of a kind that the hook may give.

    Raises:
        PluginError: it is not. Trying again would not mend it.
    """
    if isinstance(answer, kinds):
        return answer
    wanted = " or ".join(kind.__name__ for kind in kinds)
    raise PluginError(f"the backend's {hook} hook answered {type(answer).__name__}; it must answer {wanted}")


_NEEDED = ("authenticate", "register", "fetch_tasks", "claim", "report")
