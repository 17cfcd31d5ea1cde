"""The tasks under examples/tasks: each is run as its README says, and comes to what stands there."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from delegate_core.cli.task import run_task

TASKS = Path(__file__).parents[2] / "examples" / "tasks"
SAMPLES = sorted(path.name for path in TASKS.glob("*.json"))
HELLO = {"exit_code": 0, "outputs": {}}
USER = {"id": 1, "name": "Ada"}

ENDS: dict[str, tuple[int, Any, list[str]]] = {
    "say-hello.json": (0, HELLO, ["hello", "world"]),
    "say-hello-base64.json": (0, HELLO, ["hello", "world"]),
    "read-file.json": (0, {"value": "tok-9f86d081884c7d659a2f"}, []),
    "use-token.json": (0, HELLO, ["token: ******", "header: ******"]),
    "use-key.json": (0, HELLO, ["private key:", "******", *["line: ******"] * 7]),
    "get-user.json": (0, USER, ["looking for user 1 in north"]),
    "list-users.json": (0, ["Ada", "Grace"], ["building it: go build .", "listing the users"]),
    "from-archive.json": (0, {"id": 2, "name": "Grace"}, ["looking for user 2 in every region"]),
    "from-download.json": (
        1,
        {"error": "there is no user 3"},
        ["/moved/users.zst: status 404", "delegate: failed: status 404 Not Found: there is no user 3"],
    ),
    "get-secret.json": (0, HELLO, ["got ******", "17"]),
}
"""Exit status, result, and what is said, in this order."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What ``prepare.py`` makes, while it serves it."""
    folder = tmp_path_factory.mktemp("samples") / "folder"
    line = [sys.executable, str(TASKS / "prepare.py"), str(folder)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("tasks in ")
            yield folder
        finally:
            process.terminate()


def samples() -> list[Any]:
    """The one that builds a Go program takes long, and needs Go; tests/handlers/test_supplied.py has a stand-in."""
    slow = [
        pytest.mark.exhaustive,
        pytest.mark.timeout(180),
        pytest.mark.skipif(not shutil.which("go"), reason="no Go"),
    ]
    return [pytest.param(name, marks=slow if name == "list-users.json" else ()) for name in SAMPLES]


@pytest.mark.parametrize("name", samples())
def test_a_sample_task_comes_to_what_its_page_says(
    prepared: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    code, result, said = ENDS[name]
    ended = run_task(
        prepared / name,
        handlers=[str(TASKS / "handlers.py")],
        secrets=[],
        timeout=None,
        pretty=False,
        unverified=False,
        config=None,
    )
    shown = capsys.readouterr()
    assert (ended, decoded(json.loads(shown.out))) == (code, result), shown.err
    position = 0
    for words in said:
        found = shown.err.find(words, position)
        assert found >= 0, f"{words!r} is not in:\n{shown.err}"
        position = found + len(words)
    for secret in ("tok-9f86", "issued-for", *(TASKS / "key.txt").read_text().splitlines()[1:-1]):
        assert secret not in shown.err


def decoded(result: Any) -> Any:
    """The body of a whole response."""
    return json.loads(base64.b64decode(result["body"])) if "status_code" in result else result


def test_each_sample_is_on_its_page() -> None:
    page = (TASKS / "README.md").read_text()
    assert re.findall(r"^\| \[([a-z0-9-]+\.json)\]\(\1\) \|", page, re.MULTILINE) == list(ENDS)
    assert sorted(ENDS) == SAMPLES
