"""An image with the git of this machine and the interface of a clone image: see ``clone.sh``, its entrypoint."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from tests.docker import daemon

__all__ = ["GIT_BOX", "git_server", "import_git_box"]

GIT_BOX = "docker.io/library/delegate-test-git:1"

_CLONE = Path(__file__).with_name("clone.sh")


def import_git_box(host: str) -> None:
    """Have the image there, made only once."""
    with daemon.client(host) as http:
        if not http.get(f"/images/{GIT_BOX}/json").is_success:
            repo, _, tag = GIT_BOX.rpartition(":")
            query = {"fromSrc": "-", "repo": repo, "tag": tag, "changes": 'ENTRYPOINT ["/bin/clone"]'}
            http.post("/images/create", params=query, content=_archive()).raise_for_status()


def _archive() -> bytes:
    """The tests' root folder with git, its daemon, and the script."""
    written = io.BytesIO(daemon.box_archive())
    folder = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    with tarfile.open(fileobj=written, mode="a") as archive:
        daemon.add_program(archive, "git")
        daemon.add_program(archive, f"{folder}/git-daemon", f"{folder}/git-daemon")
        archive.add(_CLONE, "bin/clone", filter=_executable)
    return written.getvalue()


def _executable(file: tarfile.TarInfo) -> tarfile.TarInfo:
    file.mode = 0o755
    return file


@contextmanager
def git_server(host: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Serve the repositories in a folder with ``git daemon``; a network, and the address of the folder in it."""
    name = f"git-{uuid4().hex[:12]}"
    serve = ["git", "-c", "safe.directory=*", "daemon", "--export-all", "--base-path=/served", "/served"]
    wanted = {
        "Image": GIT_BOX,
        "Entrypoint": serve,
        "HostConfig": {"NetworkMode": name, "Binds": [f"{folder}:/served:ro"]},
    }
    with daemon.client(host) as http:
        http.post("/networks/create", json={"Name": name, "Driver": "bridge"}).raise_for_status()
        try:
            http.post("/containers/create", params={"name": name}, json=wanted).raise_for_status()
            http.post(f"/containers/{name}/start").raise_for_status()
            yield name, f"git://{name}"
        finally:
            http.delete(f"/containers/{name}", params={"force": "true", "v": "true"})
            http.delete(f"/networks/{name}").raise_for_status()
