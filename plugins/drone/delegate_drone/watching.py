"""Finding out that a build was cancelled, with a server that tells it only to who is listening at that moment.

The server answers a watch when the build is cancelled, or after half a minute with nothing. What is cancelled while no
watch is open is never told to one that is opened later. So a build has two watches, half a period apart, each opened
again the moment it ends; and after each fault, when nobody may have listened, the stage is asked for by a touch, some
seconds later because the server writes a stage only after it has told the code's host. So it is where nobody watched at
all for a while, as between two sessions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
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

_LONGEST: Final = 60.0
"""Seconds that a server may have us wait for the next watch: so long, nobody hears of a cancellation."""


class _Times(NamedTuple):
    """Seconds; see the constants."""

    stagger: float
    settling: float
    held: float
    most: float


class Watches:
    """The watches of one runner, by build. They go on between two calls of `wait`, so that nothing falls in between.

    Resource handling: they run within `serve`, also those of tasks that were claimed in an earlier session; a build is
    watched until no task of it is left.
    """

    def __init__(
        self,
        *,
        stagger: float = _STAGGER,
        settling: float = _SETTLING,
        held: float = _HELD,
        most: float = _MOST,
    ) -> None:
        self._times = _Times(stagger, settling, held, most)
        self._builds: dict[int, _BuildWatch] = {}
        self._start: Callable[[_BuildWatch], object] | None = None

    async def serve(self, client: DroneClient) -> None:
        """Watch what is to be watched, for ever. What waits already was not watched until now, which is a gap."""
        async with anyio.create_task_group() as group:
            for build in self._builds.values():
                group.start_soon(partial(build.run, client, late=True))
            self._start = lambda build: group.start_soon(build.run, client)
            try:
                await anyio.sleep_forever()
            finally:
                self._start = None

    async def wait(self, build_id: int, task_id: str) -> TaskCancelled | Gap:
        """Wait until the build is cancelled, or may have been."""
        build = self._builds.get(build_id)
        if build is None:
            build = self._builds[build_id] = _BuildWatch(build_id, self._times)
            if self._start is not None:
                self._start(build)
        return await build.news(task_id)

    def forget(self, build_id: int, task_id: str) -> None:
        """A task of this build has ended."""
        build = self._builds.get(build_id)
        if build is not None and build.left_by(task_id):
            del self._builds[build_id]


class _BuildWatch:
    """Two overlapping watches of one build, and what its tasks have not heard yet."""

    def __init__(self, build_id: int, times: _Times) -> None:
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

    async def run(self, client: DroneClient, *, late: bool = False) -> None:
        """Watch; ``late``: there was a time without a watch before this."""
        self._settling = False  # whoever was about to tell of a gap has been ended with the watches
        with anyio.CancelScope() as self._scope:
            async with anyio.create_task_group() as group:
                group.start_soon(self._watch, client, group, 0.0)
                group.start_soon(self._watch, client, group, self._times.stagger)
                if late or self._doubtful:
                    self._doubt(group)

    async def _watch(self, client: DroneClient, group: TaskGroup, delay: float) -> None:
        """One chain of watches.

        Error handling: after a fault the next watch is opened with a back-off, and a gap is told some time later; where
        faults do not end, again and again.
        """
        await anyio.sleep(delay)
        faults, hurries = (
            Backoff(first=min(0.2, self._times.most), most=self._times.most, longest=_LONGEST),
            Backoff(first=0.1, most=10.0),
        )
        while not self._cancelled:
            begun = anyio.current_time()
            try:
                self._cancelled = await client.watch(self._build_id)
            except DroneFault as fault:
                _log.debug("watching build %d: %s", self._build_id, fault)
                if self._only_idle(fault, anyio.current_time() - begun):
                    faults.reset()
                    await anyio.sleep(faults.next())
                    continue
                await anyio.sleep(faults.next(fault.after))
                self._doubt(group)
                continue
            faults.reset()
            if anyio.current_time() - begun < _SOON:
                await anyio.sleep(hurries.next())
            else:
                hurries.reset()
        self._tell()

    def _doubt(self, group: TaskGroup) -> None:
        self._doubtful = True
        if not self._settling:
            self._settling = True
            group.start_soon(self._tell_of_gaps)

    def _only_idle(self, fault: DroneFault, waited: float) -> bool:
        """Whether the server has said, in its way, that nothing happened. It remembers cancellations then: no gap."""
        return isinstance(fault, ServerFault) and fault.is_own and waited >= self._times.held

    async def _tell_of_gaps(self) -> None:
        """Say that nobody may have listened, once a cancellation in the last such moment would have been written."""
        while self._doubtful:
            self._doubtful = False
            await anyio.sleep(self._times.settling)
            self._gaps += 1
            self._tell()
        self._settling = False

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
