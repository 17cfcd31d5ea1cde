"""docs/go-task.md: each error that is listed there has a test that shows what happens instead.

Those that no other file has are here, through a runner or ``delegate task``.
"""

from __future__ import annotations

import ast
import os
import re
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from delegate_core import executable
from delegate_core.artifacts import Download
from delegate_core.handlers import TaskContext
from delegate_core.markers import hookimpl
from delegate_core.model import Outcome, OwnExecutable, SecretTask, Task
from delegate_core.testing.bench import PATIENCE, Bench
from delegate_core.testing.surroundings import PrintingContext
from tests.artifacts.git_server import Repository
from tests.core.scripted_backend import Scripted
from tests.http.server import Connection, serving

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "go-task.md").read_text("utf-8")
ROWS = {found[1]: found[0] for found in re.finditer(r"^\| (\d+\.\d+) \|.*$", PAGE, re.MULTILINE)}
PARTS = {1: 8, 2: 5, 3: 8, 4: 10, 5: 10}
"""How many errors each part of the list has."""


class Lines:
    """An observer of what tasks print."""

    def __init__(self) -> None:
        self.printed: list[str] = []

    @hookimpl
    def task_logged(self, line: Any) -> None:
        self.printed.append(line.text)


def test_the_page_lists_every_error() -> None:
    assert list(ROWS) == [f"{part}.{number}" for part, count in PARTS.items() for number in range(1, count + 1)]


@pytest.mark.parametrize("number", ROWS)
def test_an_error_of_the_page_has_tests_that_are_run(number: str) -> None:
    named = re.findall(r"`(tests/[\w/]+/test_\w+\.py)::(test_\w+)`", ROWS[number])
    assert named, "a row names at least one test"
    for file, name in named:
        assert name in run_in(file), f"{file} has no test {name} that is always run"


@cache
def run_in(file: str) -> frozenset[str]:
    """The tests of a file that are collected and are neither skipped nor left for later."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [one for one in ast.parse((ROOT / file).read_text("utf-8")).body if isinstance(one, functions)]
    return frozenset(
        one.name
        for one in found
        if not any(word in ast.unparse(mark) for mark in one.decorator_list for word in ("skip", "exhaustive", "xfail"))
    )


def test_what_is_locked_is_what_each_distribution_requires() -> None:
    lock = (ROOT / "requirements" / "dev.txt").read_text("utf-8")
    locked = {
        canonicalize_name(found[1]): found[2]
        for found in re.finditer(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock, re.MULTILINE)
    }
    for project in (ROOT / "pyproject.toml", *sorted((ROOT / "plugins").glob("*/pyproject.toml"))):
        for text in tomllib.loads(project.read_text("utf-8"))["project"]["dependencies"]:
            wanted = Requirement(text)
            if not canonicalize_name(wanted.name).startswith("delegate-"):
                assert locked[canonicalize_name(wanted.name)] in wanted.specifier, f"{project}: {text}"


async def test_packages_that_a_recipe_asks_for_are_named_once_and_nothing_is_installed(
    backend: Scripted, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("sudo", "apt-get", "brew"):
        (commands / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/installed\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    made = Repository.made(tmp_path / "tool")
    recipe = "task:\n  deps: {apt: [{name: jq}], brew: [{name: yq}]}\n  run: {bash: {script: run.sh}}\n"
    program = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nfine'\n"
    commit = made.commit({"task.yml": recipe, "run.sh": program})
    config: Any = {"repository": {"clone": f"file://{made.path}", "sha": commit}, "answer": "body"}
    own = OwnExecutable(config=config, trust="verified")
    backend.on_claim = lambda offer, again: Task(id=offer.task_id, type="own", executable=own)
    lines = Lines()
    await bench.start({}, plugins=(lines,), cache_dir=tmp_path / "cache")
    for name in ("first", "second"):
        await backend.offer("own", name)
        assert (await backend.result(name)).data == "fine"
    assert not (tmp_path / "installed").exists()
    warned = [line for line in lines.printed if "a runner installs no packages" in line]
    assert warned == ["warning: task.yml asks for jq, yq: a runner installs no packages; have them on this machine"]


async def test_a_download_that_says_nothing_ends_with_its_task(
    task_context: Callable[..., PrintingContext], tmp_path: Path
) -> None:
    async def silent(connection: Connection) -> None:
        await connection.receive()
        await connection.gone()

    async with serving(silent) as server:
        source = Download.model_validate({"downloads": [{"urls": [server.url], "sha256": "0" * 64}]})
        with anyio.fail_after(PATIENCE):
            result = await executable("x", source, timeout=0.3).execute(Task(id="1", type="x"), task_context())
    assert (result.outcome, result.error) == (Outcome.TIMED_OUT, "timed out after 0.3s")


async def test_a_secret_task_prints_into_the_log_and_its_derived_values_are_hidden_there_too(
    backend: Scripted, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(data: str, context: TaskContext) -> dict[str, str]:
        context.log(f"reading with {data}")
        return {"value": "read-value"}

    async def show(data: str, context: TaskContext) -> str:
        context.log("the key was aHVzaC1odXNo, the value read-value")
        return data

    monkeypatch.setenv("KEY", "hush-hush")
    lines = Lines()
    await bench.start({"read": read, "show": show}, plugins=(lines,), secrets={"key": "env:KEY"})
    secret = SecretTask(id="s", type="read", data="<{ ${{secrets.key}} | getAsBase64 }>")
    backend.on_claim = lambda offer, again: Task(
        id=offer.task_id, type="show", data="${{secrets.s}}", secrets=(secret,)
    )
    await backend.offer("show")
    assert (await backend.result()).data == "******"
    assert lines.printed == ["reading with ******", "the key was ******, the value ******"]


@pytest.mark.parametrize(
    ("task_type", "name"), [("..", ".."), ("a", ""), ("x/../..", "/"), ("entries", "partial"), ("\0", "\0")]
)
async def test_no_name_of_a_task_touches_what_the_cache_holds(
    backend: Scripted, bench: Bench, tmp_path: Path, task_type: str, name: str
) -> None:
    kept = tmp_path / "cache" / "entries" / ("0" * 64)
    kept.mkdir(mode=0o700, parents=True)
    (tmp_path / "cache").chmod(0o700)
    (kept / "entry.json").write_text("{}")
    files: Any = [{"url": "http://127.0.0.1:1/x", "sha256": "1" * 64}]
    config: Any = {"executable_config": {"name": name, "version": "../../..", "executables": files}}
    own = OwnExecutable(config=config, trust="verified")
    backend.on_claim = lambda offer, again: Task(id=offer.task_id, type=task_type, executable=own)
    await bench.start({}, cache_dir=tmp_path / "cache")
    before = files_in(tmp_path)
    await backend.offer("any")
    backend.cancel()
    assert (await backend.result()).outcome in {Outcome.FAILED, Outcome.CANCELLED}
    added = files_in(tmp_path) - before
    assert all(path.relative_to(tmp_path / "cache").parts[0] in {"locks", "partial"} for path in added)
    assert (kept / "entry.json").read_text() == "{}"


def files_in(folder: Path) -> set[Path]:
    """All but the runner's own state."""
    return {path for path in folder.rglob("*") if "bench" not in path.parts}
