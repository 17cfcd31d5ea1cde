"""A registry of images on loopback, with one image, for those who know the account."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

__all__ = ["PASSWORD", "USERNAME", "Registry", "serving_registry"]

USERNAME: Final = "octo"
PASSWORD: Final = "an-invented-password"

_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Registry:
    """What it has and was asked for.

    Attributes:
        address: host and port.
        pulls: how often its manifest was asked for with the account.
        held: while it is not set, blobs are not sent.
        asked: set as soon as a blob was asked for.
    """

    def __init__(self, busybox: bytes) -> None:
        self.address = ""
        self.pulls = 0
        self.held = threading.Event()
        self.held.set()
        self.asked = threading.Event()
        self.blobs: dict[str, bytes] = {}
        self.manifest = self._image(busybox)

    @property
    def image(self) -> str:
        """Its only image."""
        return f"{self.address}/octo/box:1"

    def _image(self, busybox: bytes) -> bytes:
        layer = _layer(busybox)
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
        parts = {_CONFIG: json.dumps(config).encode(), _LAYER: gzip.compress(layer)}
        self.blobs = {_digest(content): content for content in parts.values()}
        config_entry, layer_entry = (
            {"mediaType": kind, "size": len(content), "digest": _digest(content)} for kind, content in parts.items()
        )
        manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config_entry, "layers": [layer_entry]}
        return json.dumps(manifest).encode()


@contextmanager
def serving_registry(busybox: bytes) -> Iterator[Registry]:
    """Serve one image that holds a static busybox, until the block ends."""
    registry = Registry(busybox)

    class Handler(_Handler):
        subject = registry

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    registry.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        registry.held.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    subject: Registry
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """It is quiet."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        wanted = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {wanted}":
            self._send(401, b"", {"WWW-Authenticate": 'Basic realm="registry"'})
        elif "/manifests/" in self.path:
            self.subject.pulls += 1
            headers = {"Content-Type": _MANIFEST, "Docker-Content-Digest": _digest(self.subject.manifest)}
            self._send(200, self.subject.manifest, headers, with_body=with_body)
        elif (blob := self.subject.blobs.get(self.path.rpartition("/")[2])) is not None:
            self.subject.asked.set()
            self.subject.held.wait(60)
            self._send(200, blob, {"Content-Type": "application/octet-stream"}, with_body=with_body)
        else:
            self._send(200 if self.path == "/v2/" else 404, b"{}", {})

    def _send(self, status: int, body: bytes, headers: dict[str, str], *, with_body: bool = True) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _layer(busybox: bytes) -> bytes:
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w") as tar:
        program = tarfile.TarInfo("bin/busybox")
        program.mode, program.size = 0o755, len(busybox)
        tar.addfile(program, io.BytesIO(busybox))
        for name in ("sh", "cat", "echo", "sleep"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        tmp = tarfile.TarInfo("tmp")
        tmp.type, tmp.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(tmp)
    return text.getvalue()
