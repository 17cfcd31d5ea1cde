"""Plugins: every refusal names the culprit and the cure; order; what is left out."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from delegate_core.errors import PluginError
from delegate_core.markers import hookimpl
from delegate_core.model import Offer
from delegate_core.plugins import Plugins, backend_module, contribution, settings_model_of
from delegate_core.runner import Runner
from tests.core.memory_backend import MemoryBackend, MemoryServer


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend(MemoryServer())


class SyncReport(MemoryBackend):
    @hookimpl
    def report(self) -> None: ...  # type: ignore[override]  # the wrong colour is the point


class AsyncVeto:
    @hookimpl
    async def accept_task(self, offer: Offer) -> str | None: ...


class Unknown:
    @hookimpl
    def accept_taks(self) -> None: ...


class UnknownArgument:
    @hookimpl
    def accept_task(self, ofer: Offer) -> str | None: ...


class OldWrapper:
    @hookimpl(hookwrapper=True)
    def accept_task(self) -> Any:
        yield


class Wrapper:
    @hookimpl(wrapper=True)
    def accept_task(self) -> Any:
        return (yield)


@pytest.mark.parametrize(
    ("plugin", "text"),
    [
        (AsyncVeto(), "plugin AsyncVeto-.*: hook accept_task must be written with `def`, not `async def`"),
        (Unknown(), "plugin Unknown-.* implements the unknown hook 'accept_taks'; the hooks are: accept_task, authent"),
        (UnknownArgument(), "plugin UnknownArgument-.* cannot be used: .*ofer"),
        (OldWrapper(), "plugin OldWrapper-.*: hook accept_task cannot be wrapped; implement it with tryfirst=True"),
        (Wrapper(), "plugin Wrapper-.*: hook accept_task cannot be wrapped; implement it with tryfirst=True"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_plugin_that_breaks_a_hooks_signature_is_refused(backend: MemoryBackend, plugin: object, text: str) -> None:
    with pytest.raises(PluginError, match=text):
        Plugins(backend, [plugin])


def test_a_backend_with_a_hook_of_the_wrong_colour_is_refused() -> None:
    with pytest.raises(PluginError, match="SyncReport: hook report must be written with `async def`, not `def`"):
        Plugins(SyncReport(MemoryServer()))


def test_an_object_that_is_no_backend_is_told_what_it_lacks() -> None:
    with pytest.raises(PluginError, match="object is no backend: it does not implement authenticate, register, fetch"):
        Plugins(object())


def test_one_plugin_given_twice_is_refused(backend: MemoryBackend) -> None:
    class Fine:
        @hookimpl
        def accept_task(self) -> None: ...

    plugin = Fine()
    with pytest.raises(PluginError, match="cannot be used: Plugin name already registered"):
        Plugins(backend, [plugin, plugin])


def test_plugins_are_asked_in_order_each_with_its_name(backend: MemoryBackend) -> None:
    def made(name: str, *, tryfirst: bool = False, trylast: bool = False) -> ModuleType:
        module = ModuleType(name)
        vars(module)["accept_task"] = hookimpl(tryfirst=tryfirst, trylast=trylast)(lambda: name)
        return module

    plugins = Plugins(backend, [made("last", trylast=True), made("early"), made("first", tryfirst=True), made("late")])
    asked = plugins.each("accept_task")
    assert [one.plugin for one in asked] == ["first", "late", "early", "last"]
    assert [one(offer=Offer("t", "x")) for one in asked] == ["first", "late", "early", "last"]


def test_an_implementation_gets_the_arguments_that_it_takes(backend: MemoryBackend) -> None:
    class Short:
        @hookimpl
        def task_finished(self, duration: float) -> None:
            seen.append(duration)

    seen: list[float] = []
    Plugins(backend, [Short()]).observe("task_finished")(task=None, result=None, duration=1.5)
    assert seen == [1.5]


def test_an_observer_that_raises_is_logged_and_the_next_is_told(
    backend: MemoryBackend, caplog: pytest.LogCaptureFixture
) -> None:
    class Bad:
        @hookimpl
        def runner_state(self) -> None:
            raise RuntimeError("no")

    class Good:
        @hookimpl
        def runner_state(self, state: str) -> None:
            seen.append(state)

    seen: list[str] = []
    Plugins(backend, [Good(), Bad()]).observe("runner_state")(state="running", reason="")
    assert seen == ["running"]
    assert "plugin Bad-" in caplog.text
    assert "failed in runner_state" in caplog.text


def test_a_contribution_that_raises_names_its_plugin(backend: MemoryBackend, tmp_path: Path) -> None:
    class Bad:
        @hookimpl
        def task_handlers(self) -> None:
            raise RuntimeError("no licence")

    with pytest.raises(PluginError, match=r"plugin Bad-.*: task_handlers failed: RuntimeError: no licence"):
        Runner(backend, plugins=[Bad()], state_dir=tmp_path)


def test_an_unknown_backend_is_told_with_the_known_ones() -> None:
    with pytest.raises(PluginError, match=r"unknown backend 'harnes'; known backends: .*harness"):
        backend_module("harnes")


def test_a_module_without_a_hook_contributes_nothing() -> None:
    assert contribution(ModuleType("empty"), "settings_model") is None
    assert settings_model_of(backend_module("harness")) is not None


def test_a_named_module_that_cannot_be_imported_is_named(backend: MemoryBackend) -> None:
    with pytest.raises(PluginError, match="plugin no_such_module cannot be imported: ModuleNotFoundError"):
        Plugins(backend).load_named(["no_such_module"])


# ---------------------------------------------------------------------- installed distributions


GOOD = """
from delegate_core import handler, hookimpl

@handler("{type}")
def serve(): ...

@hookimpl
def task_handlers():
    return [serve]
"""

ASK = """
import sys, logging
from pathlib import Path
from delegate_core.errors import DelegateError
from delegate_core.runner import Runner
from delegate_core.settings import RunnerSettings
from tests.core.memory_backend import MemoryBackend, MemoryServer

logging.disable()
try:
    settings = RunnerSettings({settings})
    runner = Runner(MemoryBackend(MemoryServer()), settings=settings, state_dir=Path("unused"), installed=True)
except DelegateError as error:
    sys.exit(f"{{type(error).__name__}}: {{error}}")
print("types:", *runner.handlers.types())
print("vetoes:", *(one.plugin for one in runner.plugins.each("accept_task")))
for problem in runner.plugins.problems:
    print("problem:", problem)
"""


class Site:
    """A folder of installed distributions, as pip makes it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def install(self, name: str, text: str, *, group: str = "delegate_core.plugins", entry: str = "") -> None:
        module = name.replace("-", "_")
        (self.path / f"{module}.py").write_text(text)
        info = self.path / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{entry or name} = {module}\n")

    def ask(self, settings: str = "", code: str = ASK) -> subprocess.CompletedProcess[str]:
        """Build a runner in a process that has these distributions."""
        root = Path(__file__).parents[2]
        environment = {**os.environ, "PYTHONPATH": f"{self.path}{os.pathsep}{root}"}
        text = textwrap.dedent(code).format(settings=settings)
        command = [sys.executable, "-c", text]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_an_installed_plugin_is_found(site: Site) -> None:
    site.install("acme-fib", GOOD.format(type="fib"))
    assert site.ask().stdout.splitlines()[0] == "types: fib script"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero"),
        ("import sys; sys.exit('bye')", "cannot be imported: SystemExit: bye"),
        (
            "from delegate_core import hookimpl\n@hookimpl\nasync def accept_task(): ...\n",
            "hook accept_task must be written with `def`, not `async def`",
        ),
        (
            "from delegate_core import hookimpl\n@hookimpl\ndef task_handlers(): raise OSError('no licence')\n",
            "task_handlers failed: OSError: no licence",
        ),
    ],
)
def test_a_broken_one_is_named_with_its_distribution_and_left_out_whole(site: Site, text: str, problem: str) -> None:
    site.install("acme-broken", text)
    site.install("acme-fib", GOOD.format(type="fib"))
    asked = site.ask()
    types, vetoes, told = asked.stdout.splitlines()[:3]
    assert types == "types: fib script"
    assert vetoes == "vetoes:", "nothing of it is called"
    assert told.startswith("problem: plugin acme-broken (acme-broken 1.2)")
    assert problem in asked.stdout


def test_a_broken_one_ends_a_strict_runner(site: Site) -> None:
    site.install("acme-broken", "1 / 0")
    asked = site.ask("strict=True")
    assert asked.returncode == 1
    assert asked.stderr.startswith("PluginError: plugin acme-broken (acme-broken 1.2) cannot be imported: ZeroDivision")
    assert "--disable-plugin acme-broken" in asked.stderr


def test_two_that_serve_one_type_are_a_conflict_that_names_both_and_one_is_left_out(site: Site) -> None:
    site.install("acme-fib", GOOD.format(type="fib"))
    site.install("bolt-fib", GOOD.format(type="fib"))
    told = site.ask().stdout
    assert "types: fib script" in told
    assert "problem: two handlers for task type 'fib'" in told
    assert "acme-fib (acme-fib 1.2)" in told
    assert "bolt-fib (bolt-fib 1.2)" in told
    assert "PluginError: two handlers for task type 'fib'" in site.ask("strict=True").stderr


def test_a_disabled_one_is_not_even_imported(site: Site) -> None:
    site.install("acme-broken", "1 / 0")
    assert "problem" not in site.ask("disabled_plugins=('acme-broken',)").stdout


def test_disabling_what_is_not_there_is_an_error_that_lists_what_is(site: Site) -> None:
    site.install("acme-fib", GOOD.format(type="fib"))
    told = site.ask("disabled_plugins=('acme-fbi',)").stderr
    assert "cannot disable acme-fbi: no such plugin; installed: acme-fib" in told


def test_a_backend_offered_by_two_distributions_names_both(site: Site) -> None:
    for name in ("acme-one", "acme-two"):
        site.install(name, "", group="delegate_core.backends", entry="acme")
    code = """
    from delegate_core.errors import PluginError
    from delegate_core.plugins import backend_module
    try:
        backend_module("acme")
    except PluginError as error:
        print(error)
    """
    told = site.ask(code=code).stdout
    assert told == "backend 'acme' is offered twice: acme (acme-one 1.2) and acme (acme-two 1.2); uninstall one\n"
