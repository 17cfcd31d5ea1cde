"""The packages under examples/: built as wheels, installed into a bare environment, run on each embedded server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(180)  # builds wheels, makes an environment

ROOT = Path(__file__).parents[2]
EXAMPLES = ("line-stats", "text-art", "word-count")

ON_SERVERS = """
import json
import sys
from delegate_core.testing.servers import embedded

tasks = json.loads(sys.argv[1])
ended = {}
for backend in ("harness", "drone"):
    with embedded(backend) as server:
        for name, data in tasks.items():
            one = server.run(name, data)
            ended[f"{backend} {name}"] = {"outcome": one.outcome, "log": one.log, "error": one.error, "data": one.data}
print(json.dumps(ended))
"""
TASKS = {"word-count": {"text": "to be or not to be"}, "line-stats": {"text": "one\nthree"}, "text-art": {"text": "hi"}}
SAYS = {"word-count": "line 1: 4 words so far", "line-stats": "2 lines", "text-art": "framing 2 characters"}
RESULTS = {
    "word-count": {"total": 6, "words": {"to": 2, "be": 2, "or": 1, "not": 1}},
    "line-stats": {"lines": 2, "longest": 5},
    "text-art": {"art": "+----+\n| hi |\n+----+"},
}


def run(*line: str | Path, cwd: Path) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "LANG": "C.UTF-8"}
    parts = [str(part) for part in line]
    done = subprocess.run(parts, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing but wheels of ours and of the examples; third parties' come from the tests' own."""
    place = tmp_path_factory.mktemp("bare")
    projects = [ROOT, *sorted((ROOT / "plugins").glob("[!.]*")), *(ROOT / "examples" / one for one in EXAMPLES)]
    for project in projects:
        run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place / "wheels", cwd=project)
    venv.create(place / "env", with_pip=False)
    python = place / "env/bin/python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-index", "--no-deps", *sorted((place / "wheels").glob("*.whl")), cwd=place)
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=place).strip()
    (Path(packages) / "third-parties.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place


def test_the_examples_are_found_and_sound(bare: Path) -> None:
    where = run(bare / "env/bin/python", "-c", "import delegate_core; print(delegate_core.__file__)", cwd=bare)
    assert where.startswith(str(bare)), "the wheel's, not the checkout's"
    checked = json.loads(run(bare / "env/bin/delegate", "plugins", "check", "--json", cwd=bare))
    served = {one["name"]: [each["kind"] for each in one["task_types"]] for one in checked}
    assert {name: served[name] for name in EXAMPLES} == {
        "line-stats": ["executable"],
        "text-art": ["asgi"],
        "word-count": ["function"],
    }


def test_the_examples_run_on_both_embedded_servers(bare: Path) -> None:
    ended: dict[str, Any] = json.loads(run(bare / "env/bin/python", "-c", ON_SERVERS, json.dumps(TASKS), cwd=bare))
    assert len(ended) == 6
    for name, one in ended.items():
        backend, _, kind = name.partition(" ")
        assert one["outcome"] in {"succeeded", "success"}, (name, one)
        assert SAYS[kind] in one["log"]
        if backend == "harness":  # a Drone server keeps no data of a stage
            assert one["data"] == RESULTS[kind], name


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_own_tests_pass(example: str) -> None:
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=ROOT / "examples" / example)
