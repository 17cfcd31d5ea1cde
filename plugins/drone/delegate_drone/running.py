"""Runs an exec stage: its manifest read, its secrets found, compiled, and driven on the host engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from delegate_core.engines.driver import Driver
from delegate_core.engines.host import HostEngine
from delegate_core.handlers import TaskContext
from delegate_core.model import JsonValue, TaskResult
from delegate_core.pipeline.graph import GraphError
from delegate_core.pipeline.spec import Stage
from delegate_core.pipeline.states import Verdict
from delegate_drone.claiming import DroneTask, broken
from delegate_drone.compiler import Facts, Options, compile_stage, secret_names, substitution_variables
from delegate_drone.external import SourceError, Sources, Variables
from delegate_drone.manifest import Pipeline
from delegate_drone.stagefile import Unrunnable, find_document
from delegate_drone.telling import StageTeller
from delegate_drone.wire import Details

__all__ = ["StageRunner"]

_PASSED = ("PATH", "USER")
"""What a step gets of the runner's own environment."""


@dataclass(frozen=True, slots=True)
class StageRunner:
    """Runs the stages of one runner.

    Args:
        engine: where steps run.
        sources: where secrets and variables come from; asked when a stage runs.
        environ: of the runner's process: PATH, USER and the proxies are passed on.
        clock: seconds since 1970.
    """

    engine: HostEngine
    sources: Callable[[], Sources]
    environ: Mapping[str, str]
    clock: Callable[[], float] = time.time

    async def run(self, context: TaskContext) -> TaskResult:
        """Run the stage of a task.

        Error handling: what is wrong with the manifest, or keeps a secret from us, ends the stage with the status
        ``error`` and a text for its author.
        """
        task = context.task
        if not isinstance(task, DroneTask):
            return TaskResult.rejected("an exec pipeline comes from a Drone server; try: delegate exec")
        facts = Facts.of(task.details)
        try:
            stage = await self._compiled(task.details, facts, context)
            driver = Driver(
                stage,
                self.engine,
                context,
                StageTeller(context, facts, stage, self.clock),
                why=lambda: context.cancelled.cause,
            )
        except (Unrunnable, SourceError, GraphError) as error:
            return broken(context.masked(str(error)))
        return _result(await driver.run())

    async def _compiled(self, details: Details, facts: Facts, context: TaskContext) -> Stage:
        sources = self.sources()
        variables = await sources.environment.resolve(details)
        options = self._options(context, variables)
        found = find_document(details, substitution_variables(facts, options))
        assert isinstance(found.content, Pipeline)  # noqa: S101 - for the type checker: the task's type says so
        secrets = await sources.secrets.resolve(secret_names(found.content), found.secrets, details)
        for note in secrets.notes:
            context.log(f"warning: {note}", level="warning")
        stage = compile_stage(found.content, facts, options=options, secrets=secrets.values)
        context.mask(*stage.masks(), *secrets.values.values())
        return replace(stage, timeout=None)  # the runner keeps the time, for the report has to be there before it is up

    def _options(self, context: TaskContext, variables: Variables) -> Options:
        layout = self.engine.layout(context.folder)
        return Options(
            home=str(layout.home),
            workspace=str(layout.workspace),
            environment=variables.plain,
            masked_environment=variables.masked,
            host_environment={name: self.environ[name] for name in _PASSED if name in self.environ},
            proxies=self.environ,
            now=self.clock(),
        )


def _result(verdict: Verdict) -> TaskResult:
    data: JsonValue = {"status": verdict.status.value, "exit_code": verdict.exit_code}
    return verdict.result().model_copy(update={"data": data})
