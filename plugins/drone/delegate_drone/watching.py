"""Finding out that a build was cancelled, with a server that tells it only to who is listening at that moment.

The server answers a watch when the build is cancelled, or after half a minute with nothing. What is cancelled while no
watch is open is never told to one that is opened later. So a build has two watches, half a period apart, each opened
again the moment it ends; and after each fault, when nobody may have listened, the stage is asked for by a touch, some
seconds later because the server writes a stage only after it has told the code's host.
"""

from __future__ import annotations

import logging
from typing import Final, NamedTuple

import anyio
from anyio.abc import TaskGroup

from delegate_core.backoff import Backoff
from delegate_core.model import Gap, TaskCancelled
from delegate_drone.client import DroneClient
from delegate_drone.faults import DroneFault, ServerFault

__all__ = ["Watches"]

_log = logging.getLogger(__name__)

_STAGGER: Final = 15.0
"""Seconds between the first and the second watch of a build: half of what the server holds one."""

_SETTLING: Final = 10.0
"""Seconds after a gap until a cancellation that fell into it has surely been written to the stage."""

_HELD: Final = 10.0
"""Seconds: a server on Redis ends an idle watch with a 500 when its time is over; one that comes sooner is a fault."""

_SOON: Final = 0.5
"""Seconds: an empty answer that comes sooner was no long poll, and must not become a hot loop."""


_MOST: Final = 10.0
"""Seconds between two tries while watches fail."""


class _Times(NamedTuple):
    """Seconds; see the constants."""

    stagger: float
    settling: float
    held: float
    most: float


class Watches:
    """The watches of one session, by build. They go on between two calls of `wait`, so that nothing falls in between.

    Resource handling: they run within `serve`; a build is watched until no task of it is left.
    """

    def __init__(
        self,
        client: DroneClient,
        *,
        stagger: float = _STAGGER,
        settling: float = _SETTLING,
        held: float = _HELD,
        most: float = _MOST,
    ) -> None:
        self._client = client
        self._times = _Times(stagger, settling, held, most)
        self._builds: dict[int, _BuildWatch] = {}
        self._group: TaskGroup | None = None

    async def serve(self) -> None:
        """Watch what is to be watched, for ever."""
        async with anyio.create_task_group() as group:
            self._group = group
            try:
                for build in self._builds.values():
                    group.start_soon(build.run)
                await anyio.sleep_forever()
            finally:
                self._group = None

    async def wait(self, build_id: int, task_id: str) -> TaskCancelled | Gap:
        """Wait until the build is cancelled, or may have been."""
        build = self._builds.get(build_id)
        if build is None:
            build = _BuildWatch(self._client, build_id, self._times)
            self._builds[build_id] = build
            if self._group is not None:
                self._group.start_soon(build.run)
        return await build.news(task_id)

    def forget(self, build_id: int, task_id: str) -> None:
        """A task of this build has ended."""
        build = self._builds.get(build_id)
        if build is not None and build.left_by(task_id):
            del self._builds[build_id]


class _BuildWatch:
    """Two overlapping watches of one build, and what its tasks have not heard yet."""

    def __init__(self, client: DroneClient, build_id: int, times: _Times) -> None:
        self._client = client
        self._build_id = build_id
        self._times = times
        self._cancelled = False
        self._gaps = 0
        self._heard: dict[str, int] = {}
        self._changed = anyio.Event()
        self._scope: anyio.CancelScope | None = None
        self._doubtful = False
        """Whether nobody may have listened since the last gap was told, or is about to be."""
        self._settling = False

    async def news(self, task_id: str) -> TaskCancelled | Gap:
        heard = self._heard.setdefault(task_id, self._gaps)
        while not self._cancelled and self._gaps == heard:
            await self._changed.wait()
        if self._cancelled:
            return TaskCancelled("the build was cancelled")
        self._heard[task_id] = self._gaps
        return Gap()

    def left_by(self, task_id: str) -> bool:
        """Whether nobody is left; the watches are over then."""
        self._heard.pop(task_id, None)
        if not self._heard and self._scope is not None:
            self._scope.cancel()
        return not self._heard

    async def run(self) -> None:
        with anyio.CancelScope() as self._scope:
            async with anyio.create_task_group() as group:
                group.start_soon(self._watch, group, 0.0)
                group.start_soon(self._watch, group, self._times.stagger)

    async def _watch(self, group: TaskGroup, delay: float) -> None:
        """One chain of watches.

        Error handling: after a fault the next watch is opened with a back-off, and a gap is told some time later; where
        faults do not end, again and again.
        """
        await anyio.sleep(delay)
        faults, hurries = (
            Backoff(first=min(0.2, self._times.most), most=self._times.most),
            Backoff(first=0.1, most=10.0),
        )
        while not self._cancelled:
            begun = anyio.current_time()
            try:
                self._cancelled = await self._client.watch(self._build_id)
            except DroneFault as fault:
                _log.debug("watching build %d: %s", self._build_id, fault)
                if self._only_idle(fault, anyio.current_time() - begun):
                    faults.reset()
                    await anyio.sleep(faults.next())
                    continue
                await anyio.sleep(faults.next(fault.after))
                self._doubtful = True
                if not self._settling:
                    group.start_soon(self._tell_of_gaps)
                continue
            faults.reset()
            if anyio.current_time() - begun < _SOON:
                await anyio.sleep(hurries.next())
            else:
                hurries.reset()
        self._tell()

    def _only_idle(self, fault: DroneFault, waited: float) -> bool:
        """Whether the server has said, in its way, that nothing happened. It remembers cancellations then: no gap."""
        return isinstance(fault, ServerFault) and fault.is_own and waited >= self._times.held

    async def _tell_of_gaps(self) -> None:
        """Say that nobody may have listened, once a cancellation in the last such moment would have been written."""
        self._settling = True
        while self._doubtful:
            self._doubtful = False
            await anyio.sleep(self._times.settling)
            self._gaps += 1
            self._tell()
        self._settling = False

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
