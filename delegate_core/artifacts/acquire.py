"""A source in, the path of a program out: from the cache, or fetched into it."""

import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread

from delegate_core.artifacts.cache import ArtifactCache
from delegate_core.artifacts.download import Fetching, fetch
from delegate_core.artifacts.errors import ArtifactError
from delegate_core.artifacts.git import Checkout
from delegate_core.artifacts.handout import hand_out
from delegate_core.artifacts.recipe import is_recipe, recipe_at
from delegate_core.artifacts.site import Site
from delegate_core.artifacts.sources import Download, GitRepository, PlatformDownload, shown
from delegate_core.artifacts.threads import in_thread
from delegate_core.artifacts.unpack import PROGRAM, unpack
from delegate_core.http import TlsOptions
from delegate_core.settings.secretfrom import text_of

__all__ = ["acquired"]


@asynccontextmanager
async def acquired(
    source: Download | GitRepository,
    site: Site,
    cache: ArtifactCache,
    tls: TlsOptions | None = None,
    *,
    handed_out: Path | None = None,
) -> AsyncIterator[Path]:
    """The program that a source names, kept in the cache while the block lasts.

    Args:
        source: what to fetch if it is not there.
        site: the task that wants it: its log shows what is done, its end ends it.
        cache: where it is kept.
        tls: whom to trust when downloading.
        handed_out: a folder to be made, in which a user finds it who does not get into the cache.

    Raises:
        ArtifactError: it cannot be had; the text says why.
        SecretUnavailable: a secret that fetching needs cannot be read.
    """
    wanted = _Repository(source) if isinstance(source, GitRepository) else _File(source, tls or TlsOptions())

    async def fill(folder: Path) -> str:
        source = await wanted.fill(folder, site)
        if is_recipe(wanted.run):
            await recipe_at(folder / wanted.run).build(site)
        _program(folder, wanted.run)  # what has no program in it is not kept
        return source

    async with cache.entry(wanted.key, fill, log=site.log) as folder:
        program = _program(folder, wanted.run)
        if handed_out is None:
            yield program
            return
        try:
            await anyio.to_thread.run_sync(hand_out, folder, handed_out)
        except OSError as error:
            raise ArtifactError(f"it cannot be put into {handed_out}: {error.strerror}; look at that disk") from None
        yield handed_out / program.relative_to(folder)


def _program(folder: Path, run: str) -> Path:
    """The program in what was fetched, executable.

    Raises:
        ArtifactError: there is none, or it lies elsewhere.
    """
    program = recipe_at(folder / run).program if is_recipe(run) else folder / run
    real = _resolved(program)
    if real is None or not real.is_relative_to(folder.resolve()) or not real.is_file():
        there = ", ".join(sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())[:10])
        raise ArtifactError(
            f"there is no file {str(program.relative_to(folder))!r} in it; there are: {there or 'none'}"
        )
    if not os.access(real, os.X_OK):
        real.chmod(real.stat().st_mode | 0o111)
    return program


def _resolved(path: Path) -> Path | None:
    """Where it really is; None where it is not, or is a loop of links."""
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError):
        return None


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class _File:
    """A download: the same file under another address, or for another handler, is the same entry."""

    def __init__(self, source: Download, tls: TlsOptions) -> None:
        self._source = source
        self._tls = tls
        self._chosen: PlatformDownload = source.chosen()
        self._packed = source.format_of(self._chosen)
        self.run = source.run or PROGRAM
        what = self._chosen.sha256 or ["unverified", *self._chosen.urls]
        self.key = _key("download", what, self._packed, source.run)

    async def fill(self, folder: Path, site: Site) -> str:
        """Download and unpack; the address that gave it."""
        source, file = self._source, folder.parent / "download"
        wanted = Fetching(
            urls=self._chosen.urls,
            sha256=self._chosen.sha256,
            size_limit=source.size_limit,
            headers={name: await text_of(value, site) for name, value in source.headers.items()},
            tls=self._tls,
            log=site.log,
        )
        if self._chosen.sha256 is None:
            site.log(
                f"warning: {shown(self._chosen.urls[0])} is not verified: no sha256 is known of it", level="warning"
            )
        address = await fetch(wanted, file)
        await in_thread(lambda stop: unpack(file, self._packed, folder, size_limit=source.size_limit, stop=stop))
        file.unlink()
        return address


class _Repository:
    """A checkout: built differently, it is another entry."""

    def __init__(self, source: GitRepository) -> None:
        self._source = source
        self.run = source.run
        self.key = _key("git", source.git, source.commit, source.build, source.run)

    async def fill(self, folder: Path, site: Site) -> str:
        """Check out and build; repository and commit."""
        await Checkout(self._source, site, folder).make()
        return f"{self._source.git} at {self._source.commit[:12]}"
