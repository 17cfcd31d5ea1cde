"""A Vault server as far as its key-value stores go, over a real socket.

After Vault's HTTP API: a token in ``X-Vault-Token``, mounts at ``sys/internal/ui/mounts``, KV 1 below ``kv/``, KV 2
below ``team/secret/data/``.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hvs.for-the-tests"
_MOUNTS = {"kv/": "1", "team/secret/": "2"}


@dataclass
class Vault:
    """What it holds, and how it misbehaves."""

    first: dict[str, dict[str, Any]] = field(default_factory=dict)
    """KV 1: fields by path."""
    second: dict[str, list[dict[str, Any] | None]] = field(default_factory=dict)
    """KV 2: versions by path; None is a deleted one."""
    tells_mounts: bool = True
    failures: list[int] = field(default_factory=list)
    """Statuses of the next answers."""
    namespaces: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, query: dict[str, list[str]], token: str) -> tuple[int, Any]:
        if self.failures:
            return self.failures.pop(0), {"errors": ["not now"]}
        if token != TOKEN:
            return 403, {"errors": ["permission denied"]}
        if path.startswith("sys/internal/ui/mounts/"):
            return self._mount(path.removeprefix("sys/internal/ui/mounts/"))
        if path.startswith("kv/"):
            found = self.first.get(path.removeprefix("kv/"))
            return (200, {"data": found}) if found is not None else (404, {"errors": []})
        versions = self.second.get(path.removeprefix("team/secret/data/"), [])
        number = int(query.get("version", [str(len(versions))])[0])
        if not 0 < number <= len(versions):
            return 404, {"errors": []}
        data = versions[number - 1]
        inner = {"data": data, "metadata": {"version": number, "deletion_time": "" if data else "2026-01-01T00:00:00Z"}}
        return (200 if data else 404), {"data": inner}

    def _mount(self, path: str) -> tuple[int, Any]:
        mount = next((one for one in _MOUNTS if path.startswith(one)), None)
        if mount is None or not self.tells_mounts:
            return 403, {"errors": ["preflight capability check returned 403"]}
        return 200, {"data": {"path": mount, "type": "kv", "options": {"version": _MOUNTS[mount]}}}


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Vault]:
    """A server on loopback."""
    vault = Vault()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            vault.namespaces.append(self.headers.get("X-Vault-Namespace", ""))
            token = self.headers.get("X-Vault-Token", "")
            status, body = vault.answer(unquote(url.path).removeprefix("/v1/"), parse_qs(url.query), token)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        vault.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        yield vault
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
