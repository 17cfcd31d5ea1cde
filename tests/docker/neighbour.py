"""A container that no pipeline has made, in a network of its own: what a step finds when it joins that network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from tests.docker import daemon

__all__ = ["neighbour"]


@contextmanager
def neighbour(host: str, text: str) -> Iterator[tuple[str, str]]:
    """The names of a network and of a container in it that serves this text over HTTP, on port 80."""
    name = f"neighbour-{uuid4().hex[:12]}"
    network = f"net-of-{name}"
    serve = f"mkdir /w; echo {text} > /w/index.html; exec httpd -f -p 80 -h /w"
    wanted = {"Image": daemon.BOX, "Cmd": ["sh", "-c", serve], "HostConfig": {"NetworkMode": network}}
    with daemon.client(host) as http:
        http.post("/networks/create", json={"Name": network, "Driver": "bridge"}).raise_for_status()
        try:
            http.post("/containers/create", params={"name": name}, json=wanted).raise_for_status()
            http.post(f"/containers/{name}/start").raise_for_status()
            yield network, name
        finally:
            http.delete(f"/containers/{name}", params={"force": "true", "v": "true"})
            http.delete(f"/networks/{network}").raise_for_status()
