"""Runs a pipeline's stage: its manifest read, its secrets found, compiled, and driven on the engine of its type."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from delegate_core.engines.driver import Driver
from delegate_core.engines.engine import EngineError
from delegate_core.handlers import TaskContext
from delegate_core.model import JsonValue, TaskResult
from delegate_core.pipeline.graph import GraphError
from delegate_core.pipeline.spec import Stage
from delegate_core.pipeline.states import Verdict
from delegate_core.processes import ProcessUser
from delegate_drone.claiming import DroneTask, broken
from delegate_drone.compiler import (
    Facts,
    Options,
    compile_stage,
    pull_secrets,
    secret_names,
    substitution_variables,
)
from delegate_drone.external import Accounts, SourceError, Sources, Variables
from delegate_drone.manifest import Pipeline
from delegate_drone.places import StagePlaces
from delegate_drone.stagefile import Unrunnable, find_document
from delegate_drone.telling import StageTeller
from delegate_drone.wire import Details

__all__ = ["StageRunner"]

_PASSED = ("PATH", "USER")
"""What a step on this machine gets of the runner's own environment."""


@dataclass(frozen=True, slots=True)
class StageRunner:
    """Runs the stages of one runner.

    Args:
        sources: where secrets, variables and accounts come from; asked when a stage runs.
        environ: of the runner's process: PATH, USER and the proxies are passed on.
        clock: seconds since 1970.
    """

    sources: Callable[[], Sources]
    environ: Mapping[str, str]
    clock: Callable[[], float] = time.time

    async def run(self, context: TaskContext, places: StagePlaces) -> TaskResult:
        """Run the stage of a task where stages of its type run.

        Error handling: what is wrong with the manifest, or keeps a secret or an account from us, ends the stage with
        the status ``error`` and a text for its author.
        """
        task = context.task
        if not isinstance(task, DroneTask):
            return TaskResult.rejected(f"a pipeline of type {task.type} comes from a Drone server; try: delegate exec")
        facts = Facts.of(task.details)
        try:
            stage, notes = await self._compiled(task.details, facts, context, places)
            driver = Driver(
                stage,
                places.engine(context),
                context,
                StageTeller(context, facts, stage, self.clock, notes),
                why=lambda: context.cancelled.cause,
            )
        except (Unrunnable, SourceError, GraphError, EngineError) as error:
            return broken(context.masked(str(error)))
        return _result(await driver.run())

    async def _compiled(
        self, details: Details, facts: Facts, context: TaskContext, places: StagePlaces
    ) -> tuple[Stage, tuple[str, ...]]:
        """The stage, and what its author should know about it."""
        sources = self.sources()
        given = self._options(await sources.environment.resolve(details), context.user)
        found = find_document(details, substitution_variables(facts, given))
        assert isinstance(found.content, Pipeline)  # noqa: S101 - for the type checker: the task's type says so
        secrets = await sources.secrets.resolve(secret_names(found.content), found.secrets, details)
        context.mask(*secrets.values.values())
        accounts = Accounts()
        if places.pulls_images:
            accounts = await _accounts(sources, details, pull_secrets(found.content, secrets.values), context)
        options = places.options(context, given, accounts.accounts)
        stage = compile_stage(found.content, facts, options=options, secrets=secrets.values)
        context.mask(*stage.masks())
        unknown = (f"no source has the secret {name} for this build: it is empty" for name in secrets.missing)
        notes = (*unknown, *secrets.notes, *accounts.warnings)
        # The runner keeps the time, for the report has to be there before it is up.
        return replace(stage, timeout=None), notes

    def _options(self, variables: Variables, user: ProcessUser | None) -> Options:
        passed = {name: self.environ[name] for name in _PASSED if name in self.environ}
        return Options(
            environment=variables.plain,
            masked_environment=variables.masked,
            host_environment={**passed, **(user.variables if user else {})},
            proxies=self.environ,
            now=self.clock(),
        )


async def _accounts(sources: Sources, details: Details, secrets: Mapping[str, str], context: TaskContext) -> Accounts:
    """The accounts that may pull the stage's images, none of whose passwords is shown from here on."""
    found = await sources.registries.resolve(details, secrets)
    context.mask(*(account.password for account in found.accounts if account.password))
    return found


def _result(verdict: Verdict) -> TaskResult:
    data: JsonValue = {"status": verdict.status.value, "exit_code": verdict.exit_code}
    return verdict.result().model_copy(update={"data": data})
