"""The container image's test: build it over a base made here, without a network, and use it.

Run as ``python -m tests.image``; needs a container engine (see ``tests/docker/daemon.py``) and, like the wheel smoke
test, the package index for the dependencies. Not part of ``make test``.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from delegate_core.development.beside import development_server
from delegate_core.plugins import backend_module
from delegate_core.testing.servers import EmbeddedServer
from tests.docker import daemon

ROOT = Path(__file__).resolve().parent.parent
BASE = "docker.io/library/delegate-test-python:1"
IMAGE = "docker.io/library/delegate-test-runner:1"
PATIENCE = 60.0

DOCKER = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"
"""Debian's, of the same package as the daemon: a newer one builds with a component that may be missing."""

_UNUSED = frozenset({"site-packages", "dist-packages", "test", "idlelib", "tkinter", "__pycache__"})


class Engine:
    """The docker command against one engine."""

    def __init__(self, host: str) -> None:
        self._environment = {**os.environ, "DOCKER_HOST": host, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}

    def __call__(self, *arguments: str, fails: bool = False) -> str:
        """Run it; what it printed."""
        line = [DOCKER, *arguments]
        done = subprocess.run(line, env=self._environment, capture_output=True, text=True, check=False)
        if (done.returncode != 0) is not fails:
            sys.exit(f"{' '.join(line)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr if fails else done.stdout


def base_archive() -> bytes:
    """A root folder with BusyBox, git and the Python that runs this, where it is on this machine."""
    written = io.BytesIO(daemon.box_archive())
    python = sys._base_executable  # type: ignore[attr-defined]
    library = Path(sysconfig.get_path("stdlib"))
    with tarfile.open(fileobj=written, mode="a") as archive:
        daemon.add_program(archive, "git")
        daemon.add_program(archive, python, python)
        archive.add(library, str(library).lstrip("/"), filter=_needed)
        compiled = [*library.glob("lib-dynload/*.so"), *Path(sysconfig.get_path("purelib")).rglob("*.so")]
        daemon.add_libraries(archive, *map(str, compiled))
        link = tarfile.TarInfo("usr/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, python
        archive.addfile(link)
    return written.getvalue()


def _needed(file: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if _UNUSED & set(Path(file.name).parts) else file


def context(folder: Path) -> Path:
    """What git knows of this checkout, and all wheels that the image needs."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["cp", "--parents", *files.decode().rstrip("\0").split("\0"), folder], cwd=ROOT, check=True)
    for name in ("run", "build"):
        line = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        line += ["--require-hashes", "--requirement", f"requirements/{name}.txt", "--dest", "requirements/wheels"]
        subprocess.run(line, cwd=folder, check=True)
    return folder


def build(docker: Engine, host: str, folder: Path) -> None:
    """The image, from its Dockerfile alone."""
    with daemon.client(host) as http:
        query = {"fromSrc": "-", "repo": BASE.rpartition(":")[0], "tag": "1"}
        made = http.post("/images/create", params=query, content=base_archive())
        if made.is_error:
            sys.exit(f"the base was refused: {made.text}")
    arguments = ("--build-arg", f"BASE={BASE}", "--build-arg", "PIP_NO_INDEX=1", "--build-arg", "VERSION=test")
    docker("build", "--quiet", "--network", "none", *arguments, "--tag", IMAGE, str(folder))


def look(docker: Engine) -> None:
    """Nobody's user, all plugins, both servers inside, a wrong setting."""
    run = ("run", "--rm", "--network", "none")
    assert docker(*run, "--entrypoint", "id", IMAGE, "-u") == "10001\n"
    listed = json.loads(docker(*run, IMAGE, "plugins", "list", "--json"))
    found = [(one["name"], one["problem"]) for one in listed]
    assert found == [("drone", ""), ("harness", ""), ("docker", "")], listed
    docker(*run, IMAGE, "demo")
    told = docker(*run, "-e", "DELEGATE_BACKEND=dron", IMAGE, fails=True)
    assert "did you mean" in told or "drone" in told, told
    assert "Traceback" not in told


def serve(docker: Engine) -> None:
    """A runner in the image serves a server outside, is found healthy, and drains when it is stopped."""
    with start_blocking_portal("asyncio") as portal:
        server = development_server(backend_module("drone"), [])
        with portal.wrap_async_context_manager(server.serve(0)):
            given = [f"--env={name}={value}" for name, value in server.environment().items()]
            options = ("--detach", "--network", "host", "--health-interval", "1s", "--env=DELEGATE_BACKEND=drone")
            container = docker("run", *options, *given, IMAGE).strip()
            try:
                wait_until_healthy(docker, container)
                done = EmbeddedServer(portal, server).run("script", {"commands": ["id -u", "git --version"]})
                assert done.outcome == "succeeded", done
                assert "10001\n" in done.log, done.log
                assert "git version" in done.log, done.log
                docker("stop", "--time", "30", container)
                state = json.loads(docker("inspect", container))[0]["State"]
                assert state["ExitCode"] == 0, docker("logs", container)
            finally:
                docker("rm", "--force", container)


def wait_until_healthy(docker: Engine, container: str) -> None:
    """Wait for the image's own health check."""
    deadline = time.monotonic() + PATIENCE
    while (state := json.loads(docker("inspect", container))[0]["State"])["Health"]["Status"] != "healthy":
        if time.monotonic() > deadline or not state["Running"]:
            sys.exit(f"the runner is not healthy: {state}\n{docker('logs', container)}")
        time.sleep(0.2)


def main() -> None:
    """Build, look, serve."""
    with tempfile.TemporaryDirectory(prefix="delegate-image-") as name:
        place = Path(name)
        (place / "context").mkdir()
        with daemon.engine(place) as host:
            docker = Engine(host)
            build(docker, host, context(place / "context"))
            look(docker)
            serve(docker)
            size = json.loads(docker("inspect", IMAGE))[0]["Size"] - json.loads(docker("inspect", BASE))[0]["Size"]
            docker("rmi", "--force", IMAGE, BASE)
        sys.stdout.write(f"image test passed: {size / 1e6:.0f} MB on top of the base\n")


if __name__ == "__main__":
    main()
