"""``delegate plugins new``: a package with a handler, its test and a README."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.metadata import version
from pathlib import Path

from delegate_core.errors import SettingsError

__all__ = ["new_plugin"]

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_TASK_TYPE = re.compile(r"[A-Za-z0-9_./-]+")


def new_plugin(name: str, folder: Path, task_type: str) -> int:
    """Write the package.

    Raises:
        SettingsError: a name cannot be used, or the folder holds something.
    """
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names:
        raise SettingsError(f"{name!r} is a name of Python's own; choose another")
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{name!r} cannot be a package's name; write lower-case words with dashes: my-handlers")
    if module == "delegate_core":
        raise SettingsError("delegate-core is the runner itself; choose another name")
    if not _TASK_TYPE.fullmatch(task_type):
        raise SettingsError(f"--task-type {task_type!r}: use letters, digits and _ . / -")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SettingsError(f"{folder} is there already; choose another with --folder")
        for path, text in _files(name, module, task_type).items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"cannot write {folder}: {error.strerror}") from None
    sys.stdout.write(_NEXT.format(folder=folder, name=name))
    return 0


def _files(name: str, module: str, task_type: str) -> dict[str, str]:
    release = ".".join(version("delegate-core").split(".")[:2])
    given = {"name": name, "module": module, "task_type": task_type, "release": release}
    texts = {
        "pyproject.toml": _PYPROJECT,
        "README.md": _README,
        f"src/{module}/__init__.py": _HANDLERS,
        f"src/{module}/py.typed": "",
        f"tests/test_{module}.py": _TESTS,
    }
    return {path: _filled(text, given) for path, text in texts.items()}


def _filled(text: str, given: dict[str, str]) -> str:
    for key, value in given.items():
        text = text.replace(f"@{key}@", value)
    return text


_PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "@name@"
version = "0.1.0"
description = "Task handlers for delegate-core."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["delegate-core>=@release@"]

[project.optional-dependencies]
test = ["pytest"]

# This is how a runner finds the handlers: the value is the module with the hooks.
[project.entry-points."delegate_core.plugins"]
@name@ = "@module@"

[tool.hatch.build.targets.wheel]
packages = ["src/@module@"]

[tool.pytest.ini_options]
pythonpath = ["src"]
testpaths = ["tests"]
"""

_HANDLERS = '''\
"""Task handlers, and the hook by which a runner finds them."""

from collections.abc import Iterable

from pydantic import BaseModel

from delegate_core import TaskContext, TaskHandler, handler, hookimpl


class Greeting(BaseModel):
    """The data of a task; a task whose data is anything else is rejected before the handler runs."""

    name: str
    times: int = 1


@handler("@task_type@")
async def greet(params: Greeting, context: TaskContext) -> dict[str, str]:
    """What it returns is the task's result, what it raises its failure."""
    for _ in range(params.times):
        context.log(f"hello {params.name}")
    return {"greeted": params.name}


@hookimpl
def task_handlers() -> Iterable[TaskHandler]:
    """The handlers of this package."""
    return [greet]
'''

_TESTS = '''\
"""`run_task` is a fixture of delegate-core: it runs a handler as a runner would."""

from @module@ import greet


def test_it_greets(run_task):
    ended = run_task(greet, {"name": "Ada", "times": 2})
    assert (ended.outcome, ended.data) == ("succeeded", {"greeted": "Ada"})
    assert ended.log == "hello Ada\\nhello Ada"


def test_data_without_a_name_is_rejected(run_task):
    ended = run_task(greet, {"times": 2})
    assert ended.outcome == "rejected"
    assert "name" in ended.error
'''

_README = """\
# @name@

Task handlers for the CI runner delegate-core.

| task type | data | result |
|---|---|---|
| `@task_type@` | `{"name": "Ada", "times": 2}` | `{"greeted": "Ada"}` |

```sh
pip install -e '.[test]'
pytest                           # its tests
delegate plugins show @name@     # a runner finds it
echo '{"type": "@task_type@", "data": {"name": "Ada"}}' | delegate task -
delegate dev                     # and on a server: delegate submit task.json --wait
```
"""

_NEXT = """\
{folder}: a package with one handler and its tests. Next:
  cd {folder}
  pip install -e '.[test]'
  pytest
  delegate plugins show {name}
"""
