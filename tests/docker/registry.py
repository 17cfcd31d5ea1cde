"""A registry of one image on loopback: as much of the OCI distribution interface as a pull needs, with an account.

Engines trust an address of 127.0.0.0/8 without TLS.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Registry", "registry"]

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _fields(platform: str) -> dict[str, str]:
    """``os/arch/variant`` as an image's configuration has it."""
    return dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))


def _described(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "size": len(content), "digest": _digest(content)}


@dataclass
class Registry:
    """What it has, and what it was asked.

    An image of several platforms is an index of as many manifests; each one's default command names its platform.
    """

    root: bytes
    account: tuple[str, str] | None = None
    platforms: tuple[str, ...] = ()
    host: str = ""
    manifests_asked: int = 0
    refused: int = 0
    blobs: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    manifest: bytes = b""
    index: bytes = b""

    def __post_init__(self) -> None:
        if not self.platforms:
            self.manifest = self._add("linux/amd64", ["true"])
            return
        listed = [
            {**_described(_MANIFEST, self._add(each, ["echo", f"for {each}"])), "platform": _fields(each)}
            for each in self.platforms
        ]
        self.index = json.dumps({"schemaVersion": 2, "mediaType": _INDEX, "manifests": listed}).encode()

    def _add(self, platform: str, command: list[str]) -> bytes:
        """Have the image of one platform; its manifest."""
        config = {
            **_fields(platform),
            "config": {"Cmd": command},
            "rootfs": {"type": "layers", "diff_ids": [_digest(self.root)]},
            "history": [{"created_by": "tests"}],
        }
        parts = ((_CONFIG, json.dumps(config).encode()), (_LAYER, gzip.compress(self.root, mtime=0)))
        of_config, *of_layers = (_described(kind, content) for kind, content in parts)
        manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": of_config, "layers": of_layers}
        written = json.dumps(manifest).encode()
        self.blobs.update({_digest(content): (kind, content) for kind, content in (*parts, (_MANIFEST, written))})
        return written

    def admits(self, authorization: str) -> bool:
        if self.account is None:
            return True
        wanted = base64.b64encode(":".join(self.account).encode()).decode()
        return authorization == f"Basic {wanted}"

    def answer(self, path: str) -> tuple[str, bytes] | None:
        if path == "/v2/":
            return "application/json", b"{}"
        if "/manifests/" in path:
            self.manifests_asked += 1
            if (one := self.blobs.get(path.rpartition("/")[2])) is not None:
                return one
            return (_INDEX, self.index) if self.index else (_MANIFEST, self.manifest)
        return self.blobs.get(path.rpartition("/")[2])


@contextmanager
def registry(
    root: bytes, account: tuple[str, str] | None = None, platforms: tuple[str, ...] = ()
) -> Iterator[Registry]:
    """Serve an image with this root folder under any name and tag."""
    served = Registry(root, account, platforms)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(body=True)

        def do_HEAD(self) -> None:
            self._reply(body=False)

        def _reply(self, *, body: bool) -> None:
            if not served.admits(self.headers.get("Authorization", "")):
                served.refused += 1
                self._send(401, "application/json", b'{"errors": [{"code": "UNAUTHORIZED"}]}', body=body)
                return
            found = served.answer(self.path)
            if found is None:
                self._send(404, "application/json", b"{}", body=body)
            else:
                self._send(200, *found, body=body)

        def _send(self, status: int, kind: str, content: bytes, *, body: bool) -> None:
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="tests"')
            self.send_header("Content-Type", kind)
            self.send_header("Docker-Content-Digest", _digest(content))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.host = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
