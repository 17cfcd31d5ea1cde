"""Locks between processes, on files that may be deleted by whoever holds them."""

import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import anyio

__all__ = ["FileLock", "locked", "try_locked"]

_PAUSE = 0.1
"""Seconds between two looks at a lock that is taken: flock can only be waited for in a thread that nothing cancels."""


class FileLock:
    """A lock that is held. The kernel lets go of it when this process ends, however it ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def delete(self) -> None:
        """Delete the lock's file; who waits for it finds that out."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go."""
        os.close(self._descriptor)


def _take(path: Path, *, exclusive: bool) -> FileLock | None:
    """The lock, or None while somebody else has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        if _is(path, descriptor):
            return FileLock(path, descriptor)
        os.close(descriptor)  # it was deleted between the two


def _is(path: Path, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False


@contextmanager
def try_locked(path: Path) -> Iterator[FileLock | None]:
    """The lock for ourselves alone, or None where somebody has it."""
    lock = _take(path, exclusive=True)
    try:
        yield lock
    finally:
        if lock is not None:
            lock.close()


@asynccontextmanager
async def locked(path: Path, *, exclusive: bool, on_wait: Callable[[], None]) -> AsyncIterator[FileLock]:
    """Wait for the lock and hold it; `on_wait` is called once if somebody else has it."""
    told = False
    while (lock := _take(path, exclusive=exclusive)) is None:
        if not told:
            on_wait()
            told = True
        await anyio.sleep(_PAUSE)
    try:
        yield lock
    finally:
        lock.close()
