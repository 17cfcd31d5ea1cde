"""The place of a soak: what the runner takes of the machine, and what there is to find out why a task has not ended."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from delegate_core.testing.proxy import Exchange, FaultProxy, Hold
from tests.reliability.runners import Running
from tests.reliability.sides import Side

__all__ = ["KEPT", "Scene"]

KEPT = 200_000
"""Exchanges that the proxy keeps, so that the calls of a task that does not end can be read."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One runner at work, its folder, and the way to its server."""

    folder: Path
    runner: Running
    proxy: FaultProxy
    side: Side

    def figures(self) -> dict[str, float]:
        """What it takes now, by the names of `growth`."""
        process = psutil.Process(self.runner.pid)
        with process.oneshot():
            return {
                "memory (KiB)": process.memory_info().rss / 1024,
                "descriptors": float(process.num_fds()),
                "threads": float(process.num_threads()),
                "processes": float(len(process.children(recursive=True))),
                "files": float(sum(self.kinds_of_files().values())),
            }

    def kinds_of_files(self) -> Counter[str]:
        """How many files of each kind there are; numbers are left out of their names."""
        paths = (Path(place, file) for place, _, files in os.walk(self.folder) for file in files)
        return Counter(re.sub(r"\d+", "N", str(path.relative_to(self.folder))) for path in paths)

    def keep(self, task_ids: list[str]) -> Path:
        """Keep what tells why these tasks have not ended: console, state folder, and their calls; where that is."""
        kept = Path(tempfile.mkdtemp(prefix="soak-failed-"))
        shutil.copytree(self.folder, kept, dirs_exist_ok=True, ignore_dangling_symlinks=True)
        for task_id in task_ids:
            (kept / f"calls-of-{task_id}.txt").write_text("\n".join(self._calls_of(task_id)) + "\n")
        (kept / "last-calls.txt").write_text("\n".join(map(_told, list(self.proxy.exchanges)[-200:])) + "\n")
        return kept

    def _calls_of(self, task_id: str) -> Iterator[str]:
        for each in self.proxy.exchanges:
            if self.side.task_of(each.request) == task_id or f'"id":{task_id},' in _answer(each):
                yield _told(each)


def _told(exchange: Exchange) -> str:
    """One call in a line or two."""
    request, order = exchange.request, exchange.order
    done = "" if order is None else f" [{'held' if isinstance(order, Hold) else order.mishap.value}]"
    said = request.body[:300].decode(errors="replace")
    return f"{request.method} {request.target}{done} {said}\n    -> {_answer(exchange) or 'no reply'}"


def _answer(exchange: Exchange) -> str:
    reply = exchange.reply
    return "" if reply is None else f"{reply.status} {reply.body[:300].decode(errors='replace')}"
