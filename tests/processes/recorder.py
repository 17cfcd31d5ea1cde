"""A process under test, with what it printed."""

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from delegate_core.processes import OnStart, Process, ProcessExit, ProcessIdentity, ProcessSpec, Stream

DEADLINE = 30.0
PATH = "/usr/local/bin:/usr/bin:/bin"
ROOT = Path(__file__).parents[2]

needs_prlimit = pytest.mark.skipif(
    shutil.which("prlimit") is None, reason="without prlimit of util-linux, limits are set in the moment after a start"
)


def shell(script: str, folder: Path, **settings: Any) -> ProcessSpec:
    return command(["/bin/sh", "-c", script], folder, **settings)


def python(script: str, folder: Path, **settings: Any) -> ProcessSpec:
    return command([sys.executable, "-S", "-c", script], folder, **settings)


def command(argv: list[str], folder: Path, **settings: Any) -> ProcessSpec:
    return ProcessSpec(**{"argv": argv, "cwd": folder, "env": {"PATH": PATH}, "grace": 20.0, **settings})


class Recorder:
    """Runs one process and keeps its output."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.process = Process(spec)
        self.pieces: list[tuple[bytes, Stream]] = []
        self._more = anyio.Event()

    @property
    def text(self) -> str:
        return b"".join(piece for piece, _ in self.pieces).decode()

    @property
    def exit(self) -> ProcessExit:
        assert self.process.exit is not None
        return self.process.exit

    def write(self, piece: bytes, stream: Stream) -> None:
        self.pieces.append((piece, stream))
        self._more.set()
        self._more = anyio.Event()

    def of(self, stream: Stream) -> bytes:
        return b"".join(piece for piece, source in self.pieces if source == stream)

    async def run(self, on_start: OnStart | None = None) -> ProcessExit:
        with anyio.fail_after(DEADLINE):
            return await self.process.run(on_output=self.write, on_start=on_start)

    async def line(self, beginning: str) -> str:
        """The rest of the first complete line that begins like this, as soon as it was printed."""
        with anyio.fail_after(DEADLINE):
            while True:
                for line in self.text.splitlines(keepends=True):
                    if line.startswith(beginning) and line.endswith("\n"):
                        return line.removeprefix(beginning).strip()
                await self._more.wait()

    async def announced(self, *names: str) -> list[ProcessIdentity]:
        """The processes that printed their name and pid."""
        return [ProcessIdentity.of(int(await self.line(f"{name} ")), self.process.spec.mark) for name in names]


@asynccontextmanager
async def cancelled_at_the_end(recorder: Recorder) -> AsyncIterator[Recorder]:
    """The process runs in the body, and its run is cancelled after it; then it must be over."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(recorder.run)
        yield recorder
        tasks.cancel_scope.cancel()
    assert recorder.process.exit is not None


async def finished(spec: ProcessSpec) -> Recorder:
    recorder = Recorder(spec)
    await recorder.run()
    return recorder


def open_descriptors() -> list[str]:
    """What this process has open, by number."""
    return sorted(entry.name for entry in Path("/proc/self/fd").iterdir())
