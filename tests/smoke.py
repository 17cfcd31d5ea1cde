"""The wheel smoke test: build the wheels, install them into a bare environment, and use them outside the checkout.

Run as ``python -m tests.smoke``; needs the package index for the dependencies. Not part of ``make test``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_PIPELINE = "kind: pipeline\ntype: exec\nname: default\nsteps: [{name: greet, commands: [echo hello]}]\n"
_TELEMETRY = (
    "from delegate_core.telemetry import asked; "
    "print(*asked({'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://collector.example:4318'}).problems)"
)
PROJECTS = (ROOT, ROOT / "plugins" / "docker", ROOT / "plugins" / "drone", ROOT / "plugins" / "harness")


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command in a clean environment; its output."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "LANG": "C.UTF-8"}
    line = [str(part) for part in command]
    done = subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(line)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def build(target: Path) -> list[Path]:
    """The wheels of all distributions."""
    for project in PROJECTS:
        run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target, cwd=project)
    return sorted(target.glob("*.whl"))


def main() -> None:
    """Build, install, look."""
    with tempfile.TemporaryDirectory(prefix="delegate-smoke-") as folder:
        place = Path(folder)
        core, docker, drone, harness = build(place / "wheels")
        run(sys.executable, "-m", "venv", "bare", cwd=place)
        pip = (place / "bare/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        delegate = place / "bare/bin/delegate"

        run(*pip, core, cwd=place)
        assert json.loads(run(delegate, "plugins", "list", "--json", cwd=place)) == [], "the core brings no plugin"
        assert "pip install 'delegate-core[otel]'" in run(place / "bare/bin/python", "-c", _TELEMETRY, cwd=place)

        run(*pip, docker, drone, harness, cwd=place)
        listed = json.loads(run(delegate, "plugins", "list", "--json", cwd=place))
        found = [(one["name"], one["kind"], one["problem"]) for one in listed]
        assert found == [("drone", "backend", ""), ("harness", "backend", ""), ("docker", "plugin", "")], listed
        (place / ".drone.yml").write_text(_PIPELINE)
        assert "[greet] hello\n" in run(delegate, "exec", cwd=place), "the core runs the plugin's command"
        run(delegate, "demo", cwd=place)
        sys.stdout.write(f"smoke test passed: {core.name}, {docker.name}, {drone.name}, {harness.name}\n")


if __name__ == "__main__":
    main()
