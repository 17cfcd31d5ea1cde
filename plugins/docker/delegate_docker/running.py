"""Seeing one container through: its output, its end, and how it came to that."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import anyio
from aiodocker.containers import DockerContainer
from aiodocker.stream import Stream

from delegate_core.engines.engine import Output
from delegate_core.pipeline.states import Broken, Ending, Exited, OutOfMemory
from delegate_docker.faults import FAULTS, fault_text, is_gone

__all__ = ["Running"]

_log = logging.getLogger(__name__)

_KILLED: Final = 10.0
"""Seconds that a killed container has to be gone, and its last output to arrive."""


_LOOK: Final = 0.2
"""Seconds between two looks at the grace of a container that is to end."""


class Running:
    """A container that is about to start.

    Args:
        container: created.
        output: takes what it prints.
        grace: seconds from the stop signal to the kill; asked when it comes to that.
        patience: seconds that the engine has to answer when the container is to end.
    """

    def __init__(
        self, container: DockerContainer, output: Output, grace: Callable[[], float], *, patience: float
    ) -> None:
        self._container = container
        self._output = output
        self._grace = grace
        self._patience = patience
        self._watching = anyio.CancelScope(shield=True)
        self._over = anyio.Event()
        self._fault: Exception | None = None

    async def to_its_end(self) -> Ending:
        """Start it and see it through. Being cancelled stops it: its stop signal, the grace, then a kill.

        Raises:
            DockerError: it could not be started.
        """
        stream = self._container.attach(stdout=True, stderr=True)
        async with stream:  # before it starts, so that no line is missed
            await self._container.start()
            async with anyio.create_task_group() as group:
                group.start_soon(self._watch, stream)
                try:
                    await self._over.wait()
                except anyio.get_cancelled_exc_class():
                    with anyio.CancelScope(shield=True):
                        await self._stop()
                    self._watching.cancel()  # of one that could not be ended, too: the engine may be gone for good
                    raise
        if self._fault is not None:
            raise self._fault
        return await self._ending()

    async def _watch(self, stream: Stream) -> None:
        """Pass on all that it prints, then wait for its end: it may close its output and go on."""
        with self._watching:
            try:
                while (message := await stream.read_out()) is not None:
                    self._output(message.data)
                await self._container.wait()
            except FAULTS as error:
                self._fault = error
            finally:
                self._over.set()

    async def _stop(self) -> None:
        await self._signal(await self._stop_signal())
        begun = anyio.current_time()
        while not self._over.is_set() and anyio.current_time() - begun < self._grace():
            with anyio.move_on_after(_LOOK):  # the grace may be cut short meanwhile
                await self._over.wait()
        if not self._over.is_set():
            await self._signal("SIGKILL")
            with anyio.move_on_after(min(_KILLED, self._patience)):
                await self._over.wait()

    async def _stop_signal(self) -> str:
        try:
            with anyio.fail_after(self._patience):
                signal: str = (await self._container.show())["Config"].get("StopSignal") or "SIGTERM"
        except FAULTS:
            return "SIGTERM"
        return signal

    async def _signal(self, name: str) -> None:
        try:
            with anyio.fail_after(self._patience):
                await self._container.kill(signal=name)
        except FAULTS as error:  # it has ended by itself, or the removal that follows will tell
            _log.debug("cannot send %s: %s", name, fault_text(error))

    async def _ending(self) -> Ending:
        try:
            state = (await self._container.show())["State"]
        except FAULTS as error:
            if is_gone(error):
                return Broken("its container was removed by somebody else while it ran")
            raise
        code = int(state["ExitCode"])
        if state.get("OOMKilled") and code != 0:
            return OutOfMemory()
        return Exited(code)
