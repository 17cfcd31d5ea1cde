"""Wake one coroutine from any thread, and only when there is a reason to."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

__all__ = ["Doorbell"]


class Doorbell:
    """Lets one coroutine at a time wait until something holds that other threads bring about.

    Whoever changes something rings. Without a waiter that costs next to nothing, and the waiter is woken only
    when what it waits for holds.
    """

    def __init__(self) -> None:
        self._waiter: _Waiter | None = None

    def ring(self) -> None:
        """Say that something has changed, from any thread."""
        waiter = self._waiter
        if waiter is not None and not waiter.called and waiter.holds():
            waiter.called = True  # and not forgotten here: it may have gone meanwhile, and another one come
            with suppress(RuntimeError):  # the loop has just been closed: nobody waits any more
                waiter.loop.call_soon_threadsafe(waiter.woken.set)

    async def wait(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds()` is true; it is called in the ringing thread too."""
        while not holds():
            waiter = self._waiter = _Waiter(holds)
            try:
                # Looked at again, as it may have come true before the waiter was to be seen.
                if not holds():
                    await waiter.woken.wait()
            finally:
                self._waiter = None


@dataclass(eq=False, slots=True)
class _Waiter:
    holds: Callable[[], bool]
    called: bool = False
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
