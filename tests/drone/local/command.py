"""Running the commands as real processes, in a folder of their own."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).parents[3]

STEP = "kind: pipeline\ntype: exec\nname: default\nsteps:\n- name: build\n  commands:\n"


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def both(self) -> str:
        return self.out + self.err


class Running:
    """A command that runs, and what it has printed."""

    def __init__(self, process: subprocess.Popen[bytes], *, reading: bool = True) -> None:
        assert process.stdout is not None
        self._process = process
        self._descriptor = process.stdout.fileno()
        self._grown = threading.Condition()
        self._text = b""
        self._tail_only = False
        self._peak = 0
        self.size = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        if reading:
            self._thread.start()

    def _read(self) -> None:
        with suppress(OSError):
            while data := os.read(self._descriptor, 65536):
                with self._grown:
                    self._text = (self._text[-1000:] if self._tail_only else self._text) + data
                    self.size += len(data)
                    self._grown.notify_all()
                if self._tail_only:
                    self._peak = max(self._peak, _peak(self._process.pid))

    @property
    def text(self) -> str:
        return self._text.decode("utf-8", "replace")

    def said(self, words: str) -> None:
        """Block until it has printed these words."""
        with self._grown:
            assert self._grown.wait_for(lambda: words in self.text, 60), f"never said {words!r}: {self.text}"

    def keep_tail(self) -> None:
        """Forget what was printed long ago."""
        self._tail_only = True

    def close(self) -> None:
        """Read no more."""
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, self._descriptor)
        os.close(null)

    def measured(self) -> tuple[int, int]:
        """Wait for its end: its exit status, and the most memory that it held while it printed, in bytes."""
        return self.ended(), self._peak

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def ended(self) -> int:
        code = self._process.wait(30)
        if self._thread.is_alive():
            self._thread.join(10)
        return code


def _peak(pid: int) -> int:
    """The most memory that a process has held so far. What the kernel says at its end counts its parent's too."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


@dataclass(frozen=True)
class Command:
    """The commands, with a home and a temporary folder that a test can look into."""

    folder: Path
    temporary: Path

    def write(self, text: str, name: str = ".drone.yml") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def __call__(self, *arguments: str, stdin: bytes = b"", **variables: str) -> Ended:
        done = subprocess.run(
            self._line(arguments),
            input=stdin,
            capture_output=True,
            cwd=self.folder,
            env=self._environment(variables),
            timeout=100,
            check=False,
        )
        ended = Ended(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
        assert "Traceback" not in ended.both, ended.both
        return ended

    @contextmanager
    def started(self, *arguments: str, reading: bool = True, **variables: str) -> Iterator[Running]:
        process = subprocess.Popen(
            self._line(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env=self._environment(variables),
        )
        with process:
            try:
                yield Running(process, reading=reading)
            finally:
                if process.poll() is None:
                    process.kill()

    def in_terminal(self, stream: TextIO, *arguments: str) -> int:
        """Run it with its standard output in a terminal; its exit status."""
        done = subprocess.run(
            self._line(arguments),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env=self._environment({"TERM": "xterm-256color"}),
            timeout=100,
            check=False,
        )
        return done.returncode

    def in_shell(self, redirections: str) -> int:
        """Run ``exec`` with its streams redirected as a shell does it; its exit status."""
        line = f"exec {shlex.join(self._line(('exec',)))} {redirections}"
        environment = self._environment({})
        done = subprocess.run(["/bin/sh", "-c", line], cwd=self.folder, env=environment, timeout=100, check=False)
        return done.returncode

    def git(self, *arguments: str) -> str:
        quiet = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main")
        done = subprocess.run(
            ["git", *quiet, *arguments],
            cwd=self.folder,
            env=self._environment({}),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, message: str = "first") -> str:
        """Make the folder a repository if it is none, and commit all that is in it."""
        if not (self.folder / ".git").exists():
            self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def left_behind(self) -> list[str]:
        """What is in the temporary folder."""
        return sorted(path.name for path in self.temporary.iterdir())

    def _line(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "tests.drone.local.program", *arguments]

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG"} or name.startswith("COV")}
        own = {"HOME": str(self.temporary), "TMPDIR": str(self.temporary), "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
        quiet = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
        return {**kept, **own, **quiet, **more}
