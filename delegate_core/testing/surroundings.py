"""A task's context without a runner, for tests of handlers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from uuid import uuid4

from delegate_core.engines.engine import Engine, EngineError
from delegate_core.handlers import TaskContext
from delegate_core.logs import LogLine, Mask, Spool, TaskLog
from delegate_core.model import Event, JsonValue, Task
from delegate_core.processes import ProcessIdentity
from delegate_core.settings.secretfrom import SecretUnavailable

__all__ = ["PrintingContext", "make_context"]


class _Surroundings:
    """The smallest that a context can draw on: a folder, a mask, a log in memory."""

    def __init__(self, folder: Path, task: Task, engines: Mapping[str, Engine]) -> None:
        self.engines = engines
        self.mark = uuid4().hex
        self.mask = Mask(task.masks)
        self.lines: list[LogLine] = []
        self.waiting: list[tuple[str, Callable[[], object]]] = []
        self.log = TaskLog(Spool(folder / "log", limit=10_000_000), self.mask, on_line=self._printed)
        self.events: list[Event] = []
        self.processes: list[ProcessIdentity] = []
        self.steps: dict[str, _Stream] = {}
        self._folder = folder / "folder"
        self._logs = folder / "steps"

    def _printed(self, line: LogLine) -> None:
        self.lines.append(line)
        for words, call in list(self.waiting):
            if words in line.text:
                self.waiting.remove((words, call))
                call()

    def stream(self, name: str) -> _Stream:
        if name not in self.steps:
            self.steps[name] = _Stream(Spool(self._logs / str(len(self.steps)), limit=10_000_000), self.mask)
        return self.steps[name]

    def folder(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def variables(self, _step: str) -> Mapping[str, str]:
        return {}

    async def process_started(self, identity: ProcessIdentity) -> None:
        self.processes.append(identity)

    async def process_ended(self, identity: ProcessIdentity) -> None:
        self.processes.remove(identity)

    async def progress(self, event: Event) -> None:
        self.events.append(event)

    def engine(self, name: str) -> Engine:
        if name not in self.engines:
            raise EngineError(f"this context has no engine {name!r}; give it one: engines={{{name!r}: ...}}")
        return self.engines[name]

    async def secret(self, name: str) -> str:
        raise SecretUnavailable(f"this context has no secret {name!r}")


class _Stream:
    """A step's log, in memory."""

    def __init__(self, spool: Spool, mask: Mask) -> None:
        self.lines: list[LogLine] = []
        self._log = TaskLog(spool, mask, on_line=self.lines.append)

    def write(self, data: bytes | str, *, level: str = "info") -> None:
        self._log.write(data, level=level)

    def line(self, text: str, *, level: str = "info") -> None:
        self._log.line(text, level=level)

    async def finish(self) -> None:
        self._log.close()


class PrintingContext(TaskContext):
    """A context whose log a test can read."""

    def __init__(
        self,
        task: Task,
        folder: Path,
        *,
        deadline: float | None = None,
        grace: float = 10.0,
        engines: Mapping[str, Engine] | None = None,
    ) -> None:
        self._own = _Surroundings(folder, task, engines or {})
        super().__init__(task, self._own, deadline=deadline, grace=grace)

    def printed(self, step: str = "") -> str:
        """The log so far, masked: the task's own, or that of a step."""
        lines = self._own.steps[step].lines if step else self._own.lines
        return "\n".join(line.text for line in lines)

    def json_masked(self, data: JsonValue) -> JsonValue:
        """Data as it may leave."""
        masked: JsonValue = self._own.mask.json(data)
        return masked

    def when_printed(self, words: str, call: Callable[[], object]) -> None:
        """Call this once, in the thread that prints a line with these words."""
        self._own.waiting.append((words, call))

    @property
    def events(self) -> list[Event]:
        """What it told of its progress."""
        return list(self._own.events)

    @property
    def living(self) -> list[ProcessIdentity]:
        """The process groups that it has started and that are not known to be gone."""
        return list(self._own.processes)


def make_context(folder: Path) -> Callable[..., PrintingContext]:
    """A maker of contexts: each task's folder is within this one."""

    def make(
        task: Task | None = None,
        *,
        deadline: float | None = None,
        grace: float = 10.0,
        engines: Mapping[str, Engine] | None = None,
    ) -> PrintingContext:
        task = task or Task(id="task-1", type="test")
        return PrintingContext(task, folder / task.id, deadline=deadline, grace=grace, engines=engines)

    return make
