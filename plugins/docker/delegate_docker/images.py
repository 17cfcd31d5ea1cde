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
from delegate_docker.platforms import image_platform, is_for, platform_query, platform_text
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
        found = await self._shown(container.image, platform)
        here = found is not None and is_for(found, platform)
        if container.pull is Pull.NEVER and not here:
            what = "is not there" if found is None else _is_for_another(found, platform)
            raise ImageMissing(f"the image {container.image} {what}, and its step never pulls it")
        if _is_wanted(container, here=here):
            await self._pull(container, platform, output)

    async def _shown(self, image: str, platform: Platform) -> dict[str, Any] | None:
        """What the engine says of the image; None: it is not there."""
        try:
            shown: dict[str, Any] = await self._client._query_json(  # noqa: SLF001 - `inspect` takes no parameters
                f"images/{image}/json", params=platform_query(platform)
            )
        except DockerError as error:
            if is_gone(error):
                return None
            raise
        return shown

    async def _pull(self, container: Container, platform: Platform, output: Output) -> None:
        account = container.credentials or known_account(container.image, self._settings.config_file)
        auth = {"username": account.username, "password": account.password} if account else None
        told = _Told(output if self._settings.stream_pull else lambda _: None, self._clock)
        wanted = platform_text(platform) or None
        reference = _with_registry(container.image)
        try:
            async for message in self._client.images.pull(reference, auth=auth, platform=wanted, stream=True):
                told.tell(message)
        except DockerError as error:
            why = fault_text(error, (account.password,) if account else ())
            who = f"as {account.username}" if account else "without an account"
            what = f"{container.image} for {wanted}" if wanted else container.image
            raise ImageMissing(f"cannot pull the image {what} {who}: {why}") from None


def _is_wanted(container: Container, *, here: bool) -> bool:
    match container.pull:
        case Pull.ALWAYS:
            return True
        case Pull.DEFAULT:
            return not here or _tag(container.image) == "latest"
        case _:
            return not here


def _is_for_another(found: Mapping[str, Any], platform: Platform) -> str:
    return f"is there for {image_platform(found)} alone, not for {platform_text(platform) or platform.os}"


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
