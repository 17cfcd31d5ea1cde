"""Packages in tests: built as wheels and installed by pip, without a network, into a folder of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

__all__ = ["install", "installed_by_hand"]


def install(project: Path, target: Path) -> None:
    """Build a project's wheel and install it; its dependencies are this environment's."""
    wheels = target.parent / f"wheels-{target.name}"
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels), cwd=project)
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
    _run(*pip, "--target", str(target), *map(str, wheels.glob("*.whl")), cwd=project)


def _run(*line: str, cwd: Path) -> None:
    done = subprocess.run(line, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def installed_by_hand(folder: Path, distribution: str, code: str, group: str = "delegate_core.plugins") -> None:
    """A distribution as an installer leaves it, without building one; its module has its name."""
    (folder / f"{distribution}.py").write_text(code)
    info = folder / f"{distribution}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{distribution} = {distribution}\n")
