"""A Docker Engine for the tests: one that is given, or a daemon of our own that all workers of a run share.

``DELEGATE_TEST_DOCKER_HOST`` names an engine to use. Otherwise, as root and with Debian's ``docker.io``, the first
worker that needs one starts a daemon with folders of its own; each worker holds a lock, and the last one to leave ends
the daemon by its process id. ``DELEGATE_REQUIRE_ENGINE`` makes a missing engine a failure instead of a skip.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx

BOX = "docker.io/library/delegate-test-box:1"
"""The image of the tests: BusyBox. Its own command does nothing."""

_PREFIX = "delegate-dockerd-"
_PATIENCE = 60.0
_BUSYBOX = Path("/bin/busybox")


class NoEngine(Exception):
    """There is no engine; the text says what is missing."""


def missing_text(reason: str) -> str:
    return f"no container engine: {reason}; set DELEGATE_TEST_DOCKER_HOST, or as root: apt-get install docker.io"


def is_required(environ: Mapping[str, str]) -> bool:
    return environ.get("DELEGATE_REQUIRE_ENGINE", "") not in {"", "0"}


@contextmanager
def engine(folder: Path) -> Iterator[str]:
    """The address of an engine that has the tests' image. ``folder`` is shared by all workers of a run.

    Raises:
        NoEngine: there is none.
    """
    given = os.environ.get("DELEGATE_TEST_DOCKER_HOST")
    if given:
        import_box(given)
        yield given
        return
    check_possible()
    with shared_daemon(folder) as host:
        yield host


def check_possible() -> None:
    if os.geteuid() != 0:
        raise NoEngine("only root can start one")
    for program in ("dockerd", "containerd", "runc", "docker-init"):
        if shutil.which(program) is None:
            raise NoEngine(f"there is no {program}")
    if not _BUSYBOX.exists():
        raise NoEngine("there is no /bin/busybox (apt-get install busybox-static)")


@contextmanager
def shared_daemon(folder: Path) -> Iterator[str]:
    """A daemon as long as anybody holds it: the first starts it, the last ends it."""
    _end_abandoned()
    place = Path(tempfile.gettempdir()) / f"{_PREFIX}{_short(folder)}"  # a socket's path has to be short
    place.mkdir(mode=0o700, exist_ok=True)
    host = f"unix://{place}/sock"
    with (place / "users").open("w") as users, (place / "gate").open("w") as gate:
        with _locked(gate):
            fcntl.flock(users, fcntl.LOCK_SH)
            if not (place / "sock").exists():
                _start(place)
                import_box(host)
        try:
            yield host
        finally:
            with _locked(gate):
                fcntl.flock(users, fcntl.LOCK_UN)
                if _is_last(users):
                    _end_in(place)


def _end_abandoned() -> None:
    """End the daemons of runs that were killed: those that nobody holds."""
    for place in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if not (place / "pid").exists():
            continue
        with (place / "users").open("w") as users, (place / "gate").open("w") as gate, _locked(gate):
            if _is_last(users) and (place / "pid").exists():
                _end_in(place)


def _end_in(place: Path) -> None:
    pid = int((place / "pid").read_text())
    line = Path(f"/proc/{pid}/cmdline")
    if line.exists() and str(place) in line.read_text():  # the id may be another's by now
        end(pid)
    shutil.rmtree(place, ignore_errors=True)


def _short(folder: Path) -> str:
    return hashlib.sha256(bytes(folder)).hexdigest()[:10]


@contextmanager
def _locked(gate: io.TextIOWrapper) -> Iterator[None]:
    fcntl.flock(gate, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(gate, fcntl.LOCK_UN)


def _is_last(users: io.TextIOWrapper) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def command(place: Path, *more: str) -> list[str]:
    return [
        *("dockerd", "--data-root", f"{place}/data", "--exec-root", f"{place}/exec", "--pidfile", f"{place}/pid"),
        *("-H", f"unix://{place}/sock", "--storage-driver", "overlay2", "--bridge", "none"),
        *("--iptables=false", "--ip6tables=false", "--ip-masq=false", *more),
    ]


def _start(place: Path) -> None:
    with (place / "log").open("wb") as log:  # on its own: whichever worker leaves last ends it
        line = ["setsid", "--fork", *command(place)]
        subprocess.run(line, stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=True)
    wait_for(f"unix://{place}/sock", place)


def wait_for(host: str, place: Path) -> None:
    """Wait until a daemon that was started answers. A failed connection would leave its socket to the collector."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if _answers(host):
            with client(host) as http:
                http.get("/_ping").raise_for_status()
            return
        time.sleep(0.1)
    raise NoEngine(f"the daemon did not start: {(place / 'log').read_text()[-500:]}")


def _answers(host: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(host.removeprefix("unix://")) == 0


def end(pid: int) -> None:
    """End a daemon that was started here, and wait for it. Its containerd ends with it."""
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and not _has_ended(pid):
        time.sleep(0.05)


def _has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def client(host: str) -> httpx.Client:
    transport = httpx.HTTPTransport(uds=host.removeprefix("unix://")) if host.startswith("unix://") else None
    base = "http://engine" if transport else host.replace("tcp://", "http://")
    return httpx.Client(transport=transport, base_url=base, timeout=_PATIENCE, trust_env=False)


def import_box(host: str, image: str = BOX) -> None:
    repo, _, tag = image.rpartition(":")
    changes = quote('CMD ["true"]')
    with client(host) as http:
        path = f"/images/create?fromSrc=-&repo={repo}&tag={tag}&changes={changes}"
        http.post(path, content=box_archive()).raise_for_status()
        if not http.get(f"/images/{image}/json").is_success:  # Podman passes the tag over
            http.post(f"/images/{repo}:latest/tag?repo={repo}&tag={tag}").raise_for_status()


def box_archive() -> bytes:
    """A root folder: BusyBox under all its names, root and nobody."""
    applets = subprocess.run([_BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        archive.add(_BUSYBOX, "bin/busybox")
        for name in set(applets) - {"busybox"}:
            _add_link(archive, f"bin/{name}", "busybox")
        add_program(archive, "flock")  # Debian's BusyBox has none
        users = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n"
        _add_file(archive, "etc/passwd", users)
        for folder, mode in (("tmp", 0o1777), ("root", 0o755)):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, mode
            archive.addfile(info)
    return written.getvalue()


def add_program(archive: tarfile.TarFile, name: str, place: str = "") -> None:
    """A program of this machine with the libraries that it needs, where its loader looks for them."""
    program = shutil.which(name)
    assert program is not None
    archive.add(os.path.realpath(program), (place or f"usr/bin/{name}").lstrip("/"))
    add_libraries(archive, program)


def add_libraries(archive: tarfile.TarFile, *programs: str) -> None:
    """The libraries that programs, or other libraries, of this machine need."""
    needed = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"(/\S+) \(0x", needed):
        if library.lstrip("/") not in archive.getnames():
            archive.add(os.path.realpath(library), library.lstrip("/"))


def _add_link(archive: tarfile.TarFile, name: str, target: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    archive.addfile(info)


def _add_file(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def leftovers(host: str, label: str = "delegate.owner") -> list[str]:
    """What carries our labels on the engine."""
    filters = quote(json.dumps({"label": [label]}))
    with client(host) as http:
        containers = [each["Names"][0] for each in http.get(f"/containers/json?all=1&filters={filters}").json()]
        networks = [each["Name"] for each in http.get(f"/networks?filters={filters}").json()]
        volumes = [each["Name"] for each in http.get(f"/volumes?filters={filters}").json()["Volumes"] or ()]
    return sorted([*containers, *networks, *volumes])


if __name__ == "__main__":  # holds a daemon for somebody at a terminal
    with engine(Path(sys.argv[1])) as address:
        sys.stdout.write(f"{address}\n")
        signal.pause()
