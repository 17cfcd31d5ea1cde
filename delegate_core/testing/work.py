"""Handlers whose runs a test can count, hold and let go."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import anyio
from pydantic import BaseModel

from delegate_core.handlers import TaskContext
from delegate_core.model import JsonValue
from delegate_core.processes import ProcessSpec

__all__ = ["Exact", "Work"]

_TREE = "sleep 300 & echo $! > pids; echo $$ >> pids; echo ready; wait"


class Exact(BaseModel):
    """The data of type ``exact``: a number."""

    number: int


class Work:
    """Handlers of every kind, by type in `handlers`.

    ``echo`` and ``sync`` answer their data, ``exact`` wants a number, ``say`` logs the texts in its data, ``fail`` and
    ``sync-fail`` raise, ``hold`` and ``sync-hold`` run until `let_go` or their cancellation, ``tree`` runs two
    processes, one started by the other, until they are ended, and says when both run.
    """

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        """How many runs have begun, by type."""
        self.most: Counter[str] = Counter()
        """The most runs at one time, by type, and of all under the empty type."""
        self.pids: list[int] = []
        """The processes of ``tree``, when both live."""
        self._now: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._free = threading.Event()
        self._changed = anyio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def handlers(self) -> Mapping[str, Callable[..., Any]]:
        """The handlers by task type."""
        return {
            "echo": self._echo,
            "sync": self._sync,
            "exact": self._exact,
            "say": self._say,
            "fail": self._fail,
            "sync-fail": self._sync_fail,
            "hold": self._hold,
            "hold-too": self._hold_too,
            "sync-hold": self._sync_hold,
            "tree": self._tree,
        }

    def let_go(self) -> None:
        """End what is held, now and from here on."""
        self._free.set()
        self._note()

    async def wait(self, condition: Callable[[Work], Any]) -> None:
        """Wait until a condition on the runs holds."""
        self._loop = asyncio.get_running_loop()
        while not condition(self):
            await self._changed.wait()

    def _note(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    @contextmanager
    def _run(self, kind: str) -> Iterator[None]:
        with self._lock:
            self.runs[kind] += 1
            for counted in (kind, ""):
                self._now[counted] += 1
                self.most[counted] = max(self.most[counted], self._now[counted])
        try:
            yield
        finally:
            with self._lock:
                for counted in (kind, ""):
                    self._now[counted] -= 1

    async def _held(self, kind: str) -> JsonValue:
        with self._run(kind):
            self._note()
            await self.wait(lambda now: now._free.is_set())  # noqa: SLF001 - our own
        return {"held": True}

    # ------------------------------------------------------------------ the handlers

    async def _echo(self, data: Any) -> Any:
        with self._run("echo"):
            return data

    def _sync(self, data: Any) -> Any:
        with self._run("sync"):
            return data

    async def _exact(self, data: Exact) -> JsonValue:
        with self._run("exact"):
            return {"number": data.number}

    async def _say(self, data: dict[str, list[str]], context: TaskContext) -> JsonValue:
        with self._run("say"):
            for text in data["texts"]:
                context.log(text)
            return {"said": list(data["texts"])}

    async def _fail(self) -> None:
        with self._run("fail"):
            raise RuntimeError("the machine is on fire")

    def _sync_fail(self) -> None:
        with self._run("sync-fail"):
            raise RuntimeError("the machine is under water")

    async def _hold(self) -> JsonValue:
        return await self._held("hold")

    async def _hold_too(self) -> JsonValue:
        return await self._held("hold-too")

    def _sync_hold(self, context: TaskContext) -> JsonValue:
        """Does not look at its cancellation: it ends when it is let go."""
        with self._run("sync-hold"):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._note)
            context.log("held")
            self._free.wait()
        return {"held": True}

    async def _tree(self, context: TaskContext) -> JsonValue:
        folder = context.folder

        def printed(data: bytes, _stream: str) -> None:
            if b"ready" in data:
                context.log("both run")
                self.pids = [int(line) for line in (folder / "pids").read_text().split()]
                self._note()

        with self._run("tree"):
            spec = ProcessSpec(argv=["/bin/sh", "-c", _TREE], cwd=folder, env=context.environment())
            ended = await context.run(spec, on_output=printed)
        return {"exit_code": ended.exit_code}
