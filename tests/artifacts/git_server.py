"""A real git repository, and git's own HTTP server in front of it, with a password."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


@dataclass
class Repository:
    """A repository with a work tree."""

    path: Path

    @classmethod
    def made(cls, path: Path) -> Repository:
        path.mkdir()
        repository = cls(path)
        repository.git("init", "--quiet", "--initial-branch=main")
        return repository

    def git(self, *arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env={**os.environ, **_IDENTITY},
            check=True,
            input=stdin,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def multiplied(self, levels: int) -> str:
        """Commit a file ten times, in a folder that is there ten times, and so on; the commit's id."""
        kind, part = "100644 blob", self.git("hash-object", "-w", "--stdin", stdin="x" * 100)
        for _ in range(levels):
            part = self.git("mktree", stdin="".join(f"{kind} {part}\t{name}\n" for name in range(10)))
            kind = "040000 tree"
        commit = self.git("commit-tree", part, "-m", "a bomb")
        self.git("update-ref", "refs/heads/bomb", commit)
        return commit

    def commit(self, files: dict[str, str]) -> str:
        """Write files, executable ones, and commit them; the commit's id."""
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)
            (self.path / name).chmod(0o755)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "work")
        return self.git("rev-parse", "HEAD")


@dataclass
class GitServer:
    """What a client meets: an address, and the Authorization headers that came."""

    url: str
    seen: list[str] = field(default_factory=list)
    broken: int = 0
    """So many requests more are answered with a 500."""


@contextmanager
def served(repository: Repository, user: str, password: str, *, protocol: bool = True) -> Iterator[GitServer]:
    """Serve it over HTTP to who knows the password; without its newer protocol, it gives out branches only."""
    expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "")
            server.seen.append(given)
            if server.broken > 0:
                server.broken -= 1
                self.send_error(500)
            elif given != expected:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.end_headers()
            else:
                self._serve()

        do_POST = do_GET  # noqa: N815 - the library's name

        def _serve(self) -> None:
            path, _, query = self.path.partition("?")
            environment = {
                **os.environ,
                **_IDENTITY,
                "GIT_PROJECT_ROOT": str(repository.path.parent),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", "") if protocol else "",
                "REMOTE_USER": user,
            }
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            done = subprocess.run(["git", "http-backend"], env=environment, input=body, capture_output=True, check=True)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            lines = [line.split(": ", 1) for line in head.decode().split("\r\n")]
            status = next((int(value.split()[0]) for name, value in lines if name == "Status"), 200)
            self.send_response(status)
            for name, value in lines:
                if name != "Status":
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        server = GitServer(f"http://127.0.0.1:{listener.server_port}/{repository.path.name}/.git")
        thread = threading.Thread(target=listener.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join()
