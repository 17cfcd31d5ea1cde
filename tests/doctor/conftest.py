"""``delegate doctor`` in this process, with an environment of its own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests.doctor.examining import Examine

_KEPT = {"PATH", "LANG"}


@pytest.fixture
def examine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Examine:
    """The command, as it is called by who has nothing set: only PATH and a home of his own."""
    for name in set(os.environ) - _KEPT:
        if name.startswith(("DELEGATE_", "DRONE_", "DLITE_", "DOCKER_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # the standard library remembers another test's
    monkeypatch.chdir(tmp_path)
    # pyreqwest (0.15) may crash where one process opens it in a second thread.
    monkeypatch.setenv("DELEGATE_TRANSPORT", "httpx")
    return Examine(tmp_path, monkeypatch, capsys)
