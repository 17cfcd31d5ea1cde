"""Handlers from files and modules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from delegate_core.errors import PluginError
from delegate_core.handlers import load_handlers

_GOOD = """
from delegate_core import handler

@handler("one")
def one(): ...

@handler("two")
async def two(): ...

again = one
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "handlers.py"


def test_a_files_handlers_are_found_in_its_own_order_and_once(file: Path) -> None:
    file.write_text(_GOOD)
    assert [found.task_type for found in load_handlers(str(file))] == ["one", "two"]


def test_two_files_of_one_name_are_loaded_side_by_side(tmp_path: Path) -> None:
    types = []
    for name in ("left", "right"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "handlers.py").write_text(_GOOD.replace('"one"', f'"{name}"'))
        types.append(load_handlers(str(folder / "handlers.py"))[0].task_type)
    assert types == ["left", "right"]


def test_a_models_annotations_in_a_file_are_resolved(file: Path) -> None:
    file.write_text(
        "from __future__ import annotations\n"
        "from pydantic import BaseModel\n"
        "from delegate_core import handler\n"
        "class Fib(BaseModel):\n    n: int\n"
        "@handler('fib')\ndef fib(data: Fib) -> int: ...\n"
    )
    (handler,) = load_handlers(str(file))
    handler.check()
    assert handler.task_type == "fib"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x = 1\ny = 1 / 0\n", r"handlers\.py, line 2: cannot be imported: ZeroDivisionError"),
        ("def f(:\n", r"handlers\.py, line 1: cannot be imported: SyntaxError"),
        ("\n\nimport no_such_module\n", r"handlers\.py, line 3: cannot be imported: ModuleNotFoundError"),
        ("import sys\nsys.exit('bye')\n", r"handlers\.py, line 2: cannot be imported: SystemExit: bye"),
        ("x = 1\n", r"no handler in .*handlers\.py; decorate a function with @handler"),
        ("from delegate_core import handler\nhandler('x', limit=0)\n", r"handlers\.py: handler 'x': limit is 0"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_line(file: Path, text: str, error: str) -> None:
    file.write_text(text)
    with pytest.raises(PluginError, match=error):
        load_handlers(str(file))


def test_a_relative_path_is_named_with_its_line_too(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("\n1 / 0\n")
    monkeypatch.chdir(file.parent)
    with pytest.raises(PluginError, match=r"handlers handlers\.py, line 2: "):
        load_handlers("./handlers.py")


@pytest.mark.parametrize("source", ["no/such/file.py", "nowhere.py", "./folder/"])
def test_a_file_that_is_not_there_is_named(source: str) -> None:
    with pytest.raises(PluginError, match=r"handler file .* does not exist"):
        load_handlers(source)


def test_a_module_is_imported_by_its_name() -> None:
    assert [found.task_type for found in load_handlers("delegate_core.handlers.script")] == ["script"]


@pytest.mark.parametrize("name", ["no_such_package", "p", "delegate_core.no_such_module"])
def test_a_module_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(PluginError, match=f"handlers {name}: cannot be imported: ModuleNotFoundError"):
        load_handlers(name)


def _python(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    """Load handlers in an interpreter of its own, as the installed command does: its path has no current folder."""
    program = f"from delegate_core.handlers import load_handlers; print(load_handlers({source!r})[0].origin)"
    return subprocess.run(
        [sys.executable, "-I", "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )


_WITH_SIBLING = "import delegate_sibling\nfrom delegate_core import handler\n@handler('x')\ndef x(): ...\n"


def test_a_file_may_import_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "delegate_sibling.py").touch()
    (tmp_path / "folder" / "my-own.handlers.py").write_text(_WITH_SIBLING)
    ended = _python(tmp_path, "folder/my-own.handlers.py")
    assert (ended.stdout.strip(), ended.stderr) == ("x of my-own.handlers.py", "")


def test_a_module_of_the_current_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "delegate_sibling.py").touch()
    (tmp_path / "delegate_module.py").write_text(_WITH_SIBLING)
    ended = _python(tmp_path, "delegate_module")
    assert (ended.stdout.strip(), ended.stderr) == ("delegate_module.x", "")


def test_what_lies_beside_a_file_hides_nothing_that_is_installed(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise RuntimeError('the wrong one')\n")
    (tmp_path / "handlers.py").write_text(f"import json\n{_GOOD}")
    assert _python(tmp_path, "handlers.py").returncode == 0


def test_a_module_that_does_not_import_is_named_with_the_line_that_fails(tmp_path: Path) -> None:
    (tmp_path / "delegate_broken.py").write_text("x = 1\n1 / 0\n")
    said = _python(tmp_path, "delegate_broken").stderr
    assert "handlers delegate_broken, line 2: cannot be imported: ZeroDivisionError" in said
