"""A real sshd on loopback, for this user alone, with keys of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")

_PATIENCE = 20.0


@dataclass(frozen=True)
class SshServer:
    """Where it is, and what lets a client in."""

    address: str
    key: Path
    other_key: Path
    known_hosts: Path


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _new_key(file: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    return file


@contextmanager
def ssh_served(folder: Path) -> Iterator[SshServer]:
    """Serve until the block is left. ``address`` is ``ssh://USER@HOST:PORT``; a path goes behind it."""
    assert SSHD is not None
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # root's sshd wants it
    host, key, other = (_new_key(folder / name) for name in ("host", "client key", "other"))
    (folder / "authorized").write_text(key.with_suffix(".pub").read_text())
    port = _free_port()
    config = folder / "config"
    config.write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {host}\nAuthorizedKeysFile {folder}/authorized\nPidFile none\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nX11Forwarding no\n"
    )
    known = folder / "known hosts"
    known.write_text(f"[127.0.0.1]:{port} {host.with_suffix('.pub').read_text()}")
    with subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=subprocess.PIPE) as process:
        try:
            _wait_for(port, process)
            yield SshServer(f"ssh://{getpass.getuser()}@127.0.0.1:{port}", key, other, known)
        finally:
            process.terminate()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("sshd does not listen")
