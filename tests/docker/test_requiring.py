"""The switch that makes a missing engine a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEST = "tests/docker/test_script.py"


@pytest.mark.parametrize(("required", "code", "says"), [("", 0, "skipped"), ("1", 1, "error")])
def test_without_an_engine_tests_are_skipped_or_with_the_switch_fail(
    tmp_path: Path, required: str, code: int, says: str
) -> None:
    (tmp_path / "empty").mkdir()
    environment = {"PATH": str(tmp_path / "empty"), "HOME": str(tmp_path), "DELEGATE_REQUIRE_ENGINE": required}
    environment |= {name: os.environ[name] for name in os.environ if name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", TEST, "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/base"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == code, done.stdout
    assert says in done.stdout
    assert "no container engine: " in done.stdout
    assert "set DELEGATE_TEST_DOCKER_HOST, or as root: apt-get install docker.io" in done.stdout
