"""A runner with a no-op handler in a process of its own; on SIGTERM it drains and prints what it cost as JSON."""

from __future__ import annotations

import argparse
import json
import resource
import signal
import tempfile
import time
from pathlib import Path

STARTED = time.perf_counter()

import anyio  # noqa: E402 - the imports are part of what is measured

from delegate_core import Runner, RunnerSettings, hookimpl  # noqa: E402
from delegate_harness import HarnessBackend  # noqa: E402


async def bench() -> dict[str, bool]:
    """The no-op."""
    return {"ok": True}


class Watch:
    """Notes when the runner is registered."""

    registered = 0.0

    @hookimpl
    def runner_state(self, state: str) -> None:
        """See ``delegate_core.hookspecs``."""
        if state == "running" and not self.registered:
            self.registered = time.perf_counter() - STARTED


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--account", default="bench")
    parser.add_argument("--type", default="bench")
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--poll-interval", type=float, default=3.0)
    parser.add_argument("--journal", choices=["on", "off", "durable"], default="on")
    given = parser.parse_args()
    if given.journal == "off":
        leave_out_the_journal()
    anyio.run(run, given, backend_options={"use_uvloop": True})


def leave_out_the_journal() -> None:
    """Measure what the journal costs by a runner that does not write it. Not a thing to do elsewhere."""
    from delegate_core.journal import Journal  # noqa: PLC0415 - only for this

    class NoJournal(Journal):
        async def _write(self, sql: str, *values: object) -> None:
            pass

        def _enqueue(self, sql: str, values: tuple[object, ...]) -> None:  # type: ignore[override]  # nobody waits
            pass

    import delegate_core.runner.runner as module  # noqa: PLC0415 - the same

    vars(module)["Journal"] = NoJournal


async def run(given: argparse.Namespace) -> None:
    """Run, and print what it cost."""
    backend = HarnessBackend(endpoint=given.url, account_id=given.account, account_secret="0123456789abcdef" * 2)
    settings = RunnerSettings(
        capacity=given.slots, poll_interval=given.poll_interval, durable=given.journal == "durable"
    )
    watch = Watch()
    with tempfile.TemporaryDirectory(prefix="delegate-bench-") as state:
        runner = Runner(backend, {given.type: bench}, settings=settings, plugins=[watch], state_dir=Path(state))
        async with anyio.create_task_group() as group:
            group.start_soon(drain_on_sigterm, runner)
            await runner.run()
            group.cancel_scope.cancel()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "cpu_s": used.ru_utime + used.ru_stime,
                "rss_mb": used.ru_maxrss / 1024,
                "registered_s": watch.registered,
            }
        )
    )


async def drain_on_sigterm(runner: Runner) -> None:
    """Leave in order."""
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            runner.drain()
            return


if __name__ == "__main__":
    main()
