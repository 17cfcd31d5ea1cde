"""One folder of what was fetched, each entry under a key made from what it is: shared by all runners of a user.

An entry is filled beside its place, checked, made durable, and renamed into it: one that is there is whole. While a
task uses it, it holds a lock that keeps it from being pruned; while it is filled, others wait instead of filling it
too. Locks are the kernel's, so that a killed runner leaves none behind; what it had half filled is deleted by the next.
"""

import json
import logging
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
import platformdirs

from delegate_core.artifacts.errors import ArtifactError
from delegate_core.artifacts.locking import locked, try_locked
from delegate_core.artifacts.manifest import glance, manifest, synced, total_size
from delegate_core.removal import PIT, clear, put_aside

__all__ = ["ArtifactCache", "CacheEntry", "Fill", "default_cache_folder"]

_log = logging.getLogger(__name__)

Fill = Callable[[Path], Awaitable[str]]
"""Puts an entry's content into an empty folder, and says where it came from, for people."""

_ENTRIES, _PARTIAL, _LOCKS = "entries", "partial", "locks"
_CONTENT, _RECORD, _USED = "content", "entry.json", "used"

_KEY = re.compile(r"[0-9a-f]{64}")

_TRIES = 3
"""How often an entry is filled that is pruned in the moment between its filling and its use."""


def default_cache_folder() -> Path:
    """``$XDG_CACHE_HOME/delegate/artifacts``."""
    return Path(platformdirs.user_cache_path("delegate")) / "artifacts"


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One entry, as `ArtifactCache.entries` shows it.

    Attributes:
        key: its name in the cache, 64 hexadecimal digits.
        source: where it came from, for people.
        size: bytes.
        created: seconds since 1970.
        used: when a task last began to use it, the same.
        in_use: a task uses it now.
    """

    key: str
    source: str
    size: int
    created: float
    used: float
    in_use: bool = False


class ArtifactCache:
    """The cache in one folder. Any number of processes may have it open.

    Args:
        folder: made at the first use, for its owner alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or default_cache_folder()).absolute()
        self._seen: dict[str, object] = {}
        """How entries looked when they were last read to the end."""

    @asynccontextmanager
    async def entry(self, key: str, fill: Fill, *, log: Callable[[str], None]) -> AsyncIterator[Path]:
        """The content of an entry, filled if need be, and kept while the block lasts.

        Raises:
            ArtifactError: the cache's folder cannot be used; and what `fill` raises.
        """
        self._make_folders()
        lock_file = self.folder / _LOCKS / key
        for _ in range(_TRIES):
            async with locked(lock_file, exclusive=False, on_wait=lambda: log("waiting for it to be fetched")):
                if await self._sound(key):
                    yield self._use(key)
                    return
            async with locked(lock_file, exclusive=True, on_wait=lambda: log("waiting for who fetches or uses it")):
                if not await self._sound(key):
                    if (self.folder / _ENTRIES / key).exists():
                        log("what is in the cache was changed or damaged: fetching it again")
                    await self._filled(key, fill)
        raise ArtifactError(f"{self.folder}: entry {key[:12]} vanished each time it was fetched; who prunes it?")

    def _make_folders(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in (_ENTRIES, _PARTIAL, _LOCKS):
                (self.folder / name).mkdir(mode=0o700, exist_ok=True)
            self._check_owner()
        except OSError as error:
            raise self._unusable(error) from None

    def _check_owner(self) -> None:
        """What another user could put here would be executed as ours."""
        for folder in (self.folder, *(self.folder / name for name in (_ENTRIES, _PARTIAL, _LOCKS))):
            status = folder.stat()
            if status.st_uid != os.geteuid() or status.st_mode & 0o022:
                raise ArtifactError(
                    f"the cache {folder} cannot be used: others may write to it; own it and chmod go-w it, or choose "
                    "another folder with --cache-dir"
                )

    def _unusable(self, error: OSError) -> ArtifactError:
        return ArtifactError(
            f"the cache {self.folder} cannot be used: {error.strerror or error}; make room, or choose another folder "
            "with --cache-dir"
        )

    def _use(self, key: str) -> Path:
        entry = self.folder / _ENTRIES / key
        (entry / _USED).touch()
        return entry / _CONTENT

    async def _sound(self, key: str) -> bool:
        """Whether the entry is there and as it was when it was filled."""
        entry = self.folder / _ENTRIES / key
        return entry.is_dir() and await anyio.to_thread.run_sync(self._unchanged, key)

    def _unchanged(self, key: str) -> bool:
        """Read all of it once in this process; later only look whether it was touched."""
        entry = self.folder / _ENTRIES / key
        try:
            look = glance(entry / _CONTENT)
            if self._seen.get(key) == look:
                return True
            sound = _record(entry)["manifest"] == manifest(entry / _CONTENT)
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("cache entry %s cannot be read: %s", key, error)
            return False
        if sound:
            self._seen[key] = look
        return bool(sound)

    async def _filled(self, key: str, fill: Fill) -> None:
        """Fill it beside its place and put it there at once. Our lock keeps everybody else away from both."""
        partial = self.folder / _PARTIAL / key
        try:
            await anyio.to_thread.run_sync(_remove, partial)
            (partial / _CONTENT).mkdir(parents=True, mode=0o700)
            source = await fill(partial / _CONTENT)
            await anyio.to_thread.run_sync(self._publish, key, partial, source)
        except OSError as error:
            raise self._unusable(error) from error
        except RecursionError:
            raise ArtifactError("its folders are nested too deeply") from None
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(_remove, partial)

    def _publish(self, key: str, partial: Path, source: str) -> None:
        content = partial / _CONTENT
        for path in content.rglob("*"):
            if path.is_file() and not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o555)
        record = {"source": source, "size": total_size(content), "created": time.time(), "manifest": manifest(content)}
        (partial / _RECORD).write_text(json.dumps(record), encoding="utf-8")
        (partial / _USED).touch()
        synced(partial)
        entry = self.folder / _ENTRIES / key
        _remove(entry)
        partial.rename(entry)
        self._seen[key] = glance(entry / _CONTENT)
        descriptor = os.open(entry.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    # ------------------------------------------------------------------ looking and pruning

    def entries(self) -> list[CacheEntry]:
        """What is there, the most recently used first.

        Raises:
            ArtifactError: the folder cannot be read.
        """
        try:
            found = [self._describe(self.folder / _ENTRIES / name) for name in self._names(_ENTRIES)]
        except OSError as error:
            raise self._unusable(error) from None
        return sorted(found, key=lambda entry: (-entry.used, entry.key))

    def _describe(self, entry: Path) -> CacheEntry:
        try:
            record = _record(entry)
            used = (entry / _USED).stat().st_mtime
            shown = str(record["source"]), int(record["size"]), float(record["created"]), used
        except (OSError, ValueError, KeyError, TypeError):
            shown = "damaged", total_size(entry), 0.0, 0.0
        with try_locked(self.folder / _LOCKS / entry.name) as lock:
            return CacheEntry(entry.name, *shown, in_use=lock is None)

    def prune(self, *, unused_for: float = 0.0, keep: int = 0, dry_run: bool = False) -> list[CacheEntry]:
        """Delete entries that no task uses, the longest unused first; also what killed runners left half filled.

        Args:
            unused_for: only those that were not used for so many seconds.
            keep: stop when what remains has at most so many bytes; 0: delete all that may be deleted.
            dry_run: delete nothing.

        Returns:
            What was, or would be, deleted.

        Raises:
            ArtifactError: something cannot be deleted.
        """
        entries = self.entries()
        left, now = sum(entry.size for entry in entries), time.time()
        gone = []
        for entry in reversed(entries):
            if entry.in_use or now - entry.used < unused_for or (keep and left <= keep):
                continue
            if dry_run or self._delete(entry.key):
                gone.append(entry)
                left -= entry.size
        if not dry_run:
            self._sweep()
        return gone

    def _sweep(self) -> None:
        """Delete what nobody fills any more, and locks without an entry."""
        for pit in (pit for kind in (_ENTRIES, _PARTIAL) for pit in (self.folder / kind).glob(f"{PIT}*")):
            clear(pit)
        for name in (*self._names(_PARTIAL), *self._names(_LOCKS)):
            if not (self.folder / _ENTRIES / name).exists():
                self._delete(name)

    def _names(self, kind: str) -> list[str]:
        """The keys there are. Whatever else lies in a folder that somebody named is not ours to delete."""
        return [path.name for path in (self.folder / kind).glob("*") if _KEY.fullmatch(path.name)]

    def _delete(self, key: str) -> bool:
        """Delete an entry, unless somebody has it."""
        try:
            with try_locked(self.folder / _LOCKS / key) as lock:
                if lock is None:
                    return False
                for kind in (_ENTRIES, _PARTIAL):
                    _remove(self.folder / kind / key)
                lock.delete()
        except OSError as error:
            raise self._unusable(error) from None
        self._seen.pop(key, None)
        return True


def _record(entry: Path) -> dict[str, Any]:
    record = json.loads((entry / _RECORD).read_text("utf-8"))
    if not isinstance(record, dict):
        raise ValueError("its record is no object")  # noqa: TRY004 - a damaged file, not a wrong argument
    return record


def _remove(path: Path) -> None:
    """Delete a folder, whatever a build has made of it."""
    with suppress(FileNotFoundError):
        clear(put_aside(path))
