"""A runner in a process of its own, when the disk is full, or when a handler does not let go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from delegate_core.testing.bench import PATIENCE

_FRAME = """
    import anyio, json, os, resource, signal, sys, threading
    from pathlib import Path
    from delegate_core.errors import DelegateError
    from delegate_core.runner import Runner
    from delegate_core.settings import RunnerSettings
    from tests.core.memory_backend import MemoryBackend, MemoryServer

    settings = RunnerSettings(name="r", grace=0.2, drain_timeout=5)
    state = Path(sys.argv[1])
    server = MemoryServer()

    def tell(**facts):
        print(json.dumps(facts), flush=True)

    async def run(runner):
        try:
            await runner.run()
        except DelegateError as error:
            tell(error=type(error).__name__, text=str(error), code=error.exit_code)

"""


def told(state: Path, code: str) -> list[dict[str, Any]]:
    """What a program that begins like that tells; it has to end by itself."""
    text = textwrap.dedent(_FRAME) + textwrap.dedent(code)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(
        [sys.executable, "-c", text, str(state)],
        env=environment, capture_output=True, text=True, timeout=3 * PATIENCE, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_on_a_full_disk_a_result_is_delivered_and_nothing_is_claimed_until_there_is_room(tmp_path: Path) -> None:
    facts = told(
        tmp_path,
        """
        async def main():
            running, full = anyio.Event(), anyio.Event()

            async def work():
                running.set()
                await full.wait()
                return "x" * 1_000_000

            async with anyio.create_task_group() as group:
                task_id = server.submit("work")
                runner = Runner(MemoryBackend(server), {"work": work}, settings=settings, state_dir=state)
                group.start_soon(run, runner)
                await running.wait()
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                limits = resource.getrlimit(resource.RLIMIT_FSIZE)
                resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
                full.set()
                tell(succeeded=(await server.verdict(task_id)).succeeded)
                second = server.submit("work")
                snapshot = runner.snapshot()
                tell(holds=snapshot.holds, ready=snapshot.ready, obstacles=snapshot.obstacles, room=runner.slots.room())
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
                tell(succeeded=(await server.verdict(second)).succeeded, holds=runner.snapshot().holds)
                runner.drain()
            tell(registered=server.runners(), reported=server.tasks[task_id].finals)

        anyio.run(main)
        """,
    )
    assert facts[0] == {"succeeded": True}
    assert "the journal cannot be written" in facts[1]["holds"][0]
    assert (facts[1]["ready"], facts[1]["room"]) == (False, 0)
    assert facts[1]["obstacles"] == facts[1]["holds"]
    assert facts[2] == {"succeeded": True, "holds": []}
    assert facts[3] == {"registered": 0, "reported": 1}


def test_a_journal_that_is_damaged_while_it_is_used_has_the_runner_deliver_what_it_holds_and_leave(
    tmp_path: Path,
) -> None:
    facts = told(
        tmp_path,
        """
        import sqlite3

        async def main():
            running, damaged = anyio.Event(), anyio.Event()

            async def work():
                running.set()
                await damaged.wait()
                return "kept"

            async with anyio.create_task_group() as group:
                task_id = server.submit("work")
                group.start_soon(run, Runner(MemoryBackend(server), {"work": work}, settings=settings, state_dir=state))
                await running.wait()
                other = sqlite3.connect(state / "journal.sqlite")
                other.execute("DROP TABLE entries")
                other.close()
                damaged.set()
                tell(data=(await server.verdict(task_id)).data)
            tell(reported=server.tasks[task_id].finals)

        anyio.run(main)
        """,
    )
    assert facts[0] == {"data": "kept"}
    assert (facts[1]["error"], facts[1]["code"]) == ("StateError", 6)
    assert "delegate outbox mend --state-dir" in facts[1]["text"]
    assert facts[2] == {"reported": 1}


def test_a_sync_handler_that_never_ends_does_not_keep_the_program_from_ending(tmp_path: Path) -> None:
    facts = told(
        tmp_path,
        """
        async def main():
            running = threading.Event()

            def stuck():
                running.set()
                threading.Event().wait()

            runner = Runner(MemoryBackend(server), {"stuck": stuck}, settings=settings, state_dir=state)
            async with anyio.create_task_group() as group:
                task_id = server.submit("stuck")
                group.start_soon(run, runner)
                await anyio.to_thread.run_sync(running.wait)
                runner.stop()
            tell(error=(await server.verdict(task_id)).error, threads=runner.snapshot().abandoned_threads)

        anyio.run(main)
        """,
    )
    assert facts[0]["error"] == "runner stopped"


def test_an_interrupted_program_leaves_the_journal_as_it_is(tmp_path: Path) -> None:
    """Cancelling ``run`` is no stop: the task stays started, and the next start ends it."""
    facts = told(
        tmp_path,
        """
        async def main():
            running = anyio.Event()

            async def work():
                running.set()
                await anyio.sleep_forever()

            async with anyio.create_task_group() as group:
                task_id = server.submit("work")
                group.start_soon(run, Runner(MemoryBackend(server), {"work": work}, settings=settings, state_dir=state))
                await running.wait()
                group.cancel_scope.cancel()
            from delegate_core.journal import Journal
            from delegate_core.statefolder import StateFolder
            with StateFolder(state) as folder, Journal(folder) as journal:
                tell(phases=[entry.phase for entry in journal.unfinished()])
            tell(registered=server.runners(), reported=server.tasks[task_id].finals)

        anyio.run(main)
        """,
    )
    assert facts == [{"phases": ["started"]}, {"registered": 1, "reported": 0}]
