"""What a step costs on the host engine: against the bare shell, by log throughput, and in memory.

Run it with ``python benchmarks/pipeline.py``. Each figure is the median of several runs; the range stands behind it.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import anyio

from delegate_core.engines.driver import Driver
from delegate_core.engines.host import HostEngine
from delegate_core.engines.surroundings import LocalSurroundings
from delegate_core.logs import Mask, Spool, TaskLog
from delegate_core.pipeline.graph import in_sequence
from delegate_core.pipeline.spec import Stage, Step
from delegate_core.pipeline.states import StageStatus, StepState

STEPS = 50
LOG_BYTES = 64 * 1024 * 1024
MEMORY_BYTES = 1024 * 1024 * 1024
RUNS = 3
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


class Log:
    """What a runner does with a step's output, but for the sending: masked, cut into lines, spooled."""

    def __init__(self, folder: Path, mask: Mask) -> None:
        self._log = TaskLog(Spool(folder), mask)

    def write(self, data: bytes) -> None:
        """Take output."""
        self._log.write(data)

    async def finish(self) -> None:
        """The step is over."""
        self._log.close()


class Listener:
    """Keeps each step's log."""

    def __init__(self, folder: Path, secrets: Sequence[str] = ()) -> None:
        self._folder = folder
        self._mask = Mask(secrets)

    async def stage_started(self, steps: Sequence[StepState]) -> None:
        """Nothing to do."""

    async def step_started(self, step: StepState, failed: Sequence[str]) -> Mapping[str, str]:  # noqa: ARG002 - the listener's
        """Nothing to add."""
        return {}

    def open_log(self, step: StepState) -> Log:
        """A spool for each step."""
        return Log(self._folder / str(step.number), self._mask)

    async def step_ended(self, step: StepState) -> None:
        """Nothing to do."""


def main() -> None:
    """Measure and print the table."""
    print("| what | median | lowest | highest |")
    print("|---|--:|--:|--:|")
    shell = show("`sh` alone, started and waited for (ms)", bare_shell)
    step = show(f"a step that does nothing, one of {STEPS} in sequence (ms)", lambda: steps(parallel=False))
    show(f"the same, {STEPS} side by side (ms)", lambda: steps(parallel=True))
    print(f"| overhead of a step over the bare shell | {step / shell:.1f} times | | |")
    for count in (0, 10, 100):
        show(f"log throughput, {count} secrets (MB/s)", partial(throughput, count))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    stage([Step(name="noisy", commands=(_print(MEMORY_BYTES),), environment=ENVIRONMENT)])
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| most resident memory before, and after a step that printed 1 GB (MB) | {before:.0f} | {after:.0f} | |")


def show(title: str, measure: Callable[[], float]) -> float:
    """Measure several times, print a row, return the median."""
    values = [measure() for _ in range(RUNS)]
    median = statistics.median(values)
    print(f"| {title} | {median:,.1f} | {min(values):,.1f} | {max(values):,.1f} |", flush=True)
    return median


def bare_shell() -> float:
    """Milliseconds."""
    begun = time.perf_counter()
    for _ in range(STEPS):
        subprocess.run(["/bin/sh", "-c", "true"], check=True, env=ENVIRONMENT)
    return (time.perf_counter() - begun) * 1000 / STEPS


def steps(*, parallel: bool) -> float:
    """Milliseconds a step."""
    chain = [Step(name=f"step {n}", commands=("true",), environment=ENVIRONMENT) for n in range(STEPS)]
    return stage(chain if parallel else in_sequence(chain)) * 1000 / STEPS


def throughput(secrets: int) -> float:
    """Megabytes a second."""
    noisy = Step(name="noisy", commands=(_print(LOG_BYTES),), environment=ENVIRONMENT)
    values = [f"a-secret-that-is-never-printed-{n}" for n in range(secrets)]
    return LOG_BYTES / stage([noisy], values) / 1e6


def stage(chain: Sequence[Step], secrets: Sequence[str] = ()) -> float:
    """Run a stage; seconds."""

    async def run() -> float:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            begun = time.perf_counter()
            driver = Driver(
                Stage(name="bench", steps=tuple(chain)),
                HostEngine(),
                LocalSurroundings(place / "stage"),
                Listener(place, secrets),
            )
            verdict = await driver.run()
            seconds = time.perf_counter() - begun
        if verdict.status is not StageStatus.SUCCESS:
            sys.exit(verdict.error)
        return seconds

    return anyio.run(run, backend_options={"use_uvloop": True})


def _print(size: int) -> str:
    return f"yes 'compiling one more file of a rather large program, as builds do all day long' | head -c {size}"


if __name__ == "__main__":
    main()
