"""Fetching the image of a step, and telling in its log how that goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from aiodocker import Docker
from aiodocker.exceptions import DockerError

from delegate_core.engines.engine import Output
from delegate_core.pipeline.container import Container, Pull
from delegate_core.pipeline.spec import Platform
from delegate_docker.accounts import known_account, registry_of
from delegate_docker.faults import fault_text, is_gone
from delegate_docker.settings import DockerSettings

__all__ = ["ImageMissing", "Images"]

_EVERY = 5.0
"""Seconds between two lines that say how far a pull is."""


class ImageMissing(Exception):
    """The image is not there and could not be fetched; the text says why, and holds no secret."""


class Images:
    """The images of one engine."""

    def __init__(self, client: Docker, settings: DockerSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock

    async def provide(self, container: Container, platform: Platform, output: Output) -> None:
        """Have the image there, pulled as the step wants it.

        Raises:
            ImageMissing: it is not.
        """
        here = await self._is_here(container.image, platform)
        if container.pull is Pull.NEVER and not here:
            raise ImageMissing(f"the image {container.image} is not there, and its step never pulls it")
        if _is_wanted(container, here=here):
            await self._pull(container, platform, output)

    async def _is_here(self, image: str, platform: Platform) -> bool:
        try:
            found = await self._client.images.inspect(image)
        except DockerError as error:
            if is_gone(error):
                return False
            raise
        wanted = {"Os": platform.os, "Architecture": platform.arch}
        return all(not value or found.get(key, value) == value for key, value in wanted.items())

    async def _pull(self, container: Container, platform: Platform, output: Output) -> None:
        account = container.credentials or known_account(container.image, self._settings.config_file)
        auth = {"username": account.username, "password": account.password} if account else None
        told = _Told(output if self._settings.stream_pull else lambda _: None, self._clock)
        wanted = "/".join(part for part in (platform.os, platform.arch, platform.variant) if part) or None
        reference = _with_registry(container.image)
        try:
            async for message in self._client.images.pull(reference, auth=auth, platform=wanted, stream=True):
                told.tell(message)
        except DockerError as error:
            why = fault_text(error, (account.password,) if account else ())
            who = f"as {account.username}" if account else "without an account"
            raise ImageMissing(f"cannot pull the image {container.image} {who}: {why}") from None


def _is_wanted(container: Container, *, here: bool) -> bool:
    match container.pull:
        case Pull.ALWAYS:
            return True
        case Pull.DEFAULT:
            return not here or _tag(container.image) == "latest"
        case _:
            return not here


def _tag(image: str) -> str:
    name, digest, _ = image.partition("@")
    _, colon, tag = name.rpartition("/")[2].partition(":")
    return "" if digest else (tag if colon else "latest")


def _with_registry(image: str) -> str:
    """The reference with its registry: an account is only sent to one that is named."""
    registry = registry_of(image)
    return image if image.partition("/")[0] == registry else f"{registry}/{image}"


class _Told:
    """Writes the news of a pull: each layer's steps, and now and then how much of all was fetched."""

    def __init__(self, output: Output, clock: Callable[[], float]) -> None:
        self._output = output
        self._clock = clock
        self._next = clock() + _EVERY
        self._fetched: dict[str, tuple[int, int]] = {}

    def tell(self, message: Mapping[str, Any]) -> None:
        status, layer = str(message.get("status", "")), str(message.get("id", ""))
        detail = message.get("progressDetail") or {}
        if "current" in detail:
            if status == "Downloading":
                self._fetched[layer] = int(detail["current"]), int(detail.get("total", 0))
            self._tell_sum()
        elif status:
            self._line(f"{layer}: {status}" if layer else status)

    def _tell_sum(self) -> None:
        if self._clock() < self._next or not self._fetched:
            return
        self._next = self._clock() + _EVERY
        current, total = (sum(sizes) / 1e6 for sizes in zip(*self._fetched.values(), strict=True))
        self._line(f"Downloading: {current:.1f} of {total:.1f} MB")

    def _line(self, text: str) -> None:
        self._output(f"{text}\n".encode())
