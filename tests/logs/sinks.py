"""A server's end of a log, and a clock's, for tests."""

from collections.abc import Callable, Sequence

import anyio

from delegate_core.logs import LogLine, Spool, Stored


class MemorySink:
    """Keeps what it is sent. It can refuse the first batches, or take none until it is opened."""

    def __init__(self, *, refuse: int = 0, fault: Exception | None = None, blocked: bool = False) -> None:
        self.batches: list[list[LogLine]] = []
        self.refused: list[list[LogLine]] = []
        self._refuse = refuse
        self._fault = fault or ConnectionError("the server said no to hunter2")
        self._open = anyio.Event()
        self._changed = anyio.Event()
        if not blocked:
            self._open.set()

    @property
    def lines(self) -> list[LogLine]:
        return [line for batch in self.batches for line in batch]

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]

    async def write(self, lines: Sequence[LogLine]) -> None:
        if refused := len(self.refused) < self._refuse:
            self.refused.append(list(lines))
        await self._open.wait()
        if not refused:
            self.batches.append(list(lines))
        self._tell()
        if refused:
            raise self._fault

    async def finish(self, spool: Spool) -> Stored:
        return Stored(stored=True, reason=f"{spool.lines} lines")

    def open(self) -> None:
        self._open.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until something is so after a batch."""
        with anyio.fail_after(40):
            while not reached():
                await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class ManualSleep:
    """A sleep that ends when the test says so; it remembers what was asked for."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._asleep = anyio.Event()
        self._morning = anyio.Event()

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        self._asleep.set()
        await self._morning.wait()

    async def until_asleep(self) -> None:
        with anyio.fail_after(40):
            await self._asleep.wait()

    def wake(self) -> None:
        """End the sleep that goes on."""
        self._morning.set()
        self._asleep, self._morning = anyio.Event(), anyio.Event()


async def no_sleep(_seconds: float) -> None:
    """Time passes at once."""
    await anyio.lowlevel.checkpoint()
