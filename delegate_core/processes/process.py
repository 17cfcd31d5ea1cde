"""The life of one start: start, read, wait, end what is left, reap."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import anyio.lowlevel

from delegate_core.processes.child import Child, start
from delegate_core.processes.ending import Ending, end_tree, wait_gone
from delegate_core.processes.identity import ProcessIdentity
from delegate_core.processes.output import OnOutput, Output
from delegate_core.processes.specification import ProcessExit, ProcessSpec
from delegate_core.processes.tree import Tree

__all__ = ["OnStart", "Process", "run"]

OnStart = Callable[[ProcessIdentity], Awaitable[None]]
"""Is awaited right after the start, beside the process: the place to journal it."""


async def run(spec: ProcessSpec, *, on_output: OnOutput, on_start: OnStart | None = None) -> ProcessExit:
    """Run a process to its end, and to that of everything it started; see `Process.run`."""
    return await Process(spec).run(on_output=on_output, on_start=on_start)


class Process:
    """One process, run once. Its exit can also be asked for where `run` raised, after a cancellation.

        process = Process(spec)
        with anyio.move_on_after(timeout):
            await process.run(on_output=write)
        print(process.exit)

    Attributes:
        spec: what is started.
        identity: set once it is started.
        exit: set once it has ended, and with it everything that it started.
    """

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.identity: ProcessIdentity | None = None
        self.exit: ProcessExit | None = None

    async def run(self, *, on_output: OnOutput, on_start: OnStart | None = None) -> ProcessExit:
        """Start it, pass on what it prints, and return when nothing of it is left.

        Resource handling: when the main process exits, its descendants have `linger` seconds to finish and to
        close the output; then they get SIGTERM, and SIGKILL after `grace`. When this call is cancelled, the
        whole tree gets it at once: the ending is shielded, takes at most grace plus five seconds, what is
        printed meanwhile reaches `on_output`, and then the cancellation goes on.

        Error handling: what `on_start` or `on_output` raises ends the process in the same way, and is raised.

        Args:
            on_output: takes the output.
            on_start: takes the identity.

        Raises:
            ProcessStartError: it could not be started.
        """
        if self.identity is not None:
            raise RuntimeError("this process was run already; make another from its spec")
        await anyio.lowlevel.checkpoint_if_cancelled()
        child = start(self.spec)
        self.identity = child.identity
        life = anyio.CancelScope()
        output = Output(child.pipes, on_output, on_failure=life.cancel)
        failure = await _Guard(child, output, life, self).watch(on_start)
        if failure is not None:
            raise failure
        assert self.exit is not None  # noqa: S101 - for the type checker: the guard has set it
        return self.exit


@dataclass(frozen=True, slots=True)
class _Guard:
    """Watches one child. Its life is a scope: whoever wants it to end cancels that.

    The watching is a task of its own, because a shield keeps a scope's cancellation away, but not one that is
    thrown right into the calling task a second time.
    """

    child: Child
    output: Output
    life: anyio.CancelScope
    process: Process

    async def watch(self, on_start: OnStart | None) -> Exception | None:
        """Until nothing is left. Returns what a callback raised."""
        failure: Exception | None = None
        gone = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._accompany, gone)
            try:
                if on_start is not None:
                    await on_start(self.child.identity)
                await gone.wait()
            except BaseException as error:
                self.life.cancel()
                if not isinstance(error, Exception):
                    raise
                failure = error
        return failure or self.output.failure

    async def _accompany(self, gone: anyio.Event) -> None:
        with anyio.CancelScope(shield=True):
            try:
                with self.output:
                    self.process.exit = await self._end()
            finally:
                self.child.close()
        gone.set()

    async def _end(self) -> ProcessExit:
        spec, identity = self.process.spec, self.child.identity
        tree = Tree(identity.mark, (identity.pid, identity.start_time))
        natural = settled = False
        with self.life:
            await self.child.exited()
            natural = True
            settled = await self._settled(tree)
        ending = Ending()
        if not settled:
            grace = spec.grace() if callable(spec.grace) else spec.grace
            ending = await end_tree(tree, grace, group=identity.pid)
        return self._exit(ending, natural=natural)

    async def _settled(self, tree: Tree) -> bool:
        """Whether the descendants finish by themselves, and soon."""
        with anyio.move_on_after(self.process.spec.linger):
            await self.output.ended.wait()
            while members := await tree.find():
                await wait_gone(members, own_child=self.child.identity.pid)
            return True
        return False

    def _exit(self, ending: Ending, *, natural: bool) -> ProcessExit:
        code, number = self.child.reap()
        limited = self.process.spec.limits.verdict(code, number) if natural else ""
        return ProcessExit(
            code=code,
            signal=number,
            cancelled=self.life.cancel_called,
            killed=ending.killed,
            leftovers=ending.ended if natural else 0,
            survivors=ending.survivors,
            limited=limited,
        )
