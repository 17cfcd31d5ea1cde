"""What is checked: of the core, of each engine, and of the plugins."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from delegate_core import workfolder
from delegate_core.cli.config import verdict
from delegate_core.cli.doctor.contributed import contributed
from delegate_core.cli.doctor.machine import disk, memory, temporary_folder
from delegate_core.cli.doctor.patient import Patient
from delegate_core.cli.doctor.state import beside, state_folder
from delegate_core.cli.doctor.telemetry import telemetry
from delegate_core.diagnosis import Check, Finding, program
from delegate_core.engines.owner import ProcessOwner
from delegate_core.installed_engines import ConfiguredEngine
from delegate_core.runner import Runner
from delegate_core.telemetry import asked

__all__ = ["all_checks"]

_SHOWN = 6


def all_checks(patient: Patient) -> list[Check]:
    """Every check, in the order in which they are shown. Of two with one name, the plugin's."""
    checks = {check.name: check for check in _own(patient)}
    if patient.runner is not None:
        for check in contributed(patient.runner, patient.diagnosis(patient.runner)):
            checks[check.name] = check
    return list(checks.values())


def _own(patient: Patient) -> Iterator[Check]:
    yield Check(name="settings", run=partial(_settings, patient))
    if patient.loaded is not None:
        yield Check(name="plugins", run=partial(_plugins, patient))
    if patient.runner is not None and patient.loaded is not None:
        folder, settings = patient.runner.state_dir.absolute(), patient.loaded.runner
        yield Check(name="state folder", run=partial(state_folder, folder))
        yield Check(name="runner", run=partial(beside, folder))
        yield Check(name="disk", run=partial(disk, folder, settings.min_free_disk, "--state-dir"))
        if work := settings.work_dir or (workfolder.DEFAULT if settings.run_as else None):
            yield Check(name="disk of tasks", run=partial(disk, work, settings.min_free_disk, "--work-dir"))
        yield Check(name="memory", run=partial(memory, settings.min_free_memory))
    yield Check(name="temporary folder", run=temporary_folder)
    yield Check(name="shell", run=partial(program, "sh", "to run commands", environ=patient.environ, needed=True))
    git = partial(program, "git", "to clone repositories", environ=patient.environ, version=("--version",))
    yield Check(name="git", run=partial(git, needed=False))
    sent = asked(patient.environ)
    if sent or sent.problems:
        yield Check(name="telemetry", run=partial(telemetry, sent), timeout=2 * patient.patience)
    if patient.runner is not None and patient.loaded is not None:
        needed = patient.runner.handlers.engines()
        for name, engine in patient.loaded.engines.items():
            look = partial(_engine, engine, needed.get(name, frozenset()))
            yield Check(name=f"engine {name}", run=look, timeout=2 * patient.patience)


# ---------------------------------------------------------------------- settings and plugins


async def _settings(patient: Patient) -> Finding:
    if patient.unreadable is not None:
        lines = " | ".join(str(patient.unreadable).splitlines())
        cure = "correct that; `delegate config show` lists what is set, and where"
        return Finding.problem(lines, cure, code=patient.unreadable.exit_code)
    assert patient.loaded is not None  # noqa: S101 - for the type checker: one of the two is there
    if patient.loaded.warnings:
        return Finding.warning(" | ".join(patient.loaded.warnings), "correct or remove what is named")
    return Finding.ok(verdict(patient.loaded))


async def _plugins(patient: Patient) -> Finding:
    if patient.unusable is not None:
        return Finding.of_text(str(patient.unusable), code=patient.unusable.exit_code)
    assert patient.runner is not None  # noqa: S101 - for the type checker: one of the two is there
    if patient.runner.plugins.problems:
        lines = " | ".join(" ".join(each.split()) for each in patient.runner.plugins.problems)
        return Finding.warning(f"left out: {lines}", "update or uninstall what is named, or use --disable-plugin")
    return Finding.ok(_served(patient.runner))


def _served(runner: Runner) -> str:
    types = runner.handlers.served()
    more = f" and {len(types) - _SHOWN} more" if len(types) > _SHOWN else ""
    return f"all can be used; tasks of type {', '.join(types[:_SHOWN])}{more} are served"


# ---------------------------------------------------------------------- engines


async def _engine(engine: ConfiguredEngine, types: frozenset[str]) -> Finding:
    try:
        async with engine.open(str(ProcessOwner.new())) as opened:
            await opened.check()
    except Exception as error:  # noqa: BLE001 - whatever is raised means that it is down
        return Finding.of_engine_down(str(error) or type(error).__name__, types)
    return Finding.ok("it answers")
