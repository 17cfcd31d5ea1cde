"""What may be declared as an executable that is fetched: a download for each platform, or a git commit."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ByteSize, ConfigDict, Field, field_validator, model_validator

from delegate_core.artifacts import platforms
from delegate_core.artifacts.errors import ArtifactError
from delegate_core.settings import UserPath
from delegate_core.settings.secretfrom import SecretFrom, Value

__all__ = ["ARCHIVES", "Download", "Format", "GitAccess", "GitRepository", "PlatformDownload", "branch_or_tag", "shown"]

Format = Literal["plain", "gzip", "xz", "zstd", "zip", "tar", "tar.gz", "tar.xz", "tar.zst"]
ARCHIVES = frozenset({"zip", "tar", "tar.gz", "tar.xz", "tar.zst"})

_SUFFIXES: dict[str, Format] = {
    ".tar.gz": "tar.gz",
    ".tgz": "tar.gz",
    ".tar.xz": "tar.xz",
    ".txz": "tar.xz",
    ".tar.zst": "tar.zst",
    ".tzst": "tar.zst",
    ".tar": "tar",
    ".zip": "zip",
    ".gz": "gzip",
    ".xz": "xz",
    ".zst": "zstd",
}
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SCP_LIKE = re.compile(r"[\w.-]+@[\w.-]+:[^:].*")
_GIT_SCHEMES = frozenset({"https", "http", "ssh", "git", "file"})


def _within(path: str) -> str:
    """A relative path that stays within what was fetched."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise ValueError(f"{path!r} must be a relative path within what is fetched, without '..'")
    return str(PurePosixPath(path))


def _web(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{parts.scheme or url!r}: a download's address begins with https:// or http://")
    if parts.username or parts.password:
        raise ValueError("no user or password in an address, which is logged; give headers with a secret")
    return url


Within = Annotated[str, AfterValidator(_within)]
WebAddress = Annotated[str, AfterValidator(_web)]


class _Source(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlatformDownload(_Source):
    """One file, for one platform.

    Attributes:
        os: ``linux``, ``darwin``, ...; ``any`` for a program that runs everywhere.
        arch: ``amd64``, ``arm64``, ...; other usual names are understood.
        urls: tried in this order.
        sha256: of the file as it is downloaded, 64 hexadecimal digits.
    """

    os: Annotated[str, AfterValidator(platforms.system)] = platforms.ANY
    arch: Annotated[str, AfterValidator(platforms.architecture)] = platforms.ANY
    urls: Annotated[tuple[WebAddress, ...], Field(min_length=1)]
    sha256: str | None = None

    @field_validator("sha256")
    @classmethod
    def _digest(cls, value: str | None) -> str | None:
        digest = value and value.strip().lower().removeprefix("sha256:")
        if digest is not None and not _SHA256.fullmatch(digest):
            raise ValueError("a sha256 has 64 hexadecimal digits, as `sha256sum FILE` prints them")
        return digest

    def fits(self, system: str, architecture: str) -> bool:
        """Whether it is for this platform."""
        return self.os in {platforms.ANY, system} and self.arch in {platforms.ANY, architecture}


class Download(_Source):
    """An executable that is downloaded, unpacked and kept in the cache.

    Attributes:
        downloads: one for each platform.
        format: how it is packed; ``auto`` goes by the end of the addresses.
        run: which file of an archive is the program; a file ``task.yml`` says itself which one.
        headers: of the requests; a secret goes here. Not sent on to another host by a redirect.
        size_limit: bytes that the download, and what is unpacked from it, may have.
        unverified: do without a sha256. Whoever answers at the address decides what runs here.
    """

    downloads: Annotated[tuple[PlatformDownload, ...], Field(min_length=1)]
    format: Literal["auto"] | Format = "auto"
    run: Within | None = None
    headers: dict[str, Value] = {}
    size_limit: Annotated[ByteSize, Field(gt=0)] = ByteSize(1024**3)
    unverified: bool = False

    @model_validator(mode="after")
    def _complete(self) -> "Download":
        for each in self.downloads:
            if each.sha256 is None and not self.unverified:
                raise ValueError(f"the download for {each.os}/{each.arch} needs its sha256 (or unverified = true)")
            packed = self.format_of(each)
            if packed in ARCHIVES and self.run is None:
                raise ValueError(f"{packed} is an archive: say with run which of its files is the program")
            if packed not in ARCHIVES and self.run is not None:
                raise ValueError(f"run names a file of an archive, and {packed} is none; say which format it has")
        return self

    def format_of(self, download: PlatformDownload) -> Format:
        """How a download is packed.

        Raises:
            ValueError: its addresses end differently.
        """
        if self.format != "auto":
            return self.format
        found = {_by_suffix(url) for url in download.urls}
        if len(found) > 1:
            raise ValueError("the addresses of one download end differently; say which format it has")
        return found.pop()

    def chosen(self) -> PlatformDownload:
        """The first one for this machine.

        Raises:
            ArtifactError: there is none.
        """
        system, architecture = platforms.here()
        for each in self.downloads:
            if each.fits(system, architecture):
                return each
        known = ", ".join(f"{each.os}/{each.arch}" for each in self.downloads)
        raise ArtifactError(f"there is no download for this machine, {system}/{architecture}; only for {known}")


class GitAccess(_Source):
    """A git repository, and how to get at it.

    Attributes:
        git: the repository: https, http, ssh, git or file.
        username: for http and https.
        password: for http and https: a password or token.
        ssh_key: file of the private key for ssh.
        ssh_known_hosts: file of the keys of hosts for ssh; without it, what the runner's user knows.
    """

    git: str
    username: str = "git"
    password: SecretFrom | None = None
    ssh_key: UserPath | None = None
    ssh_known_hosts: UserPath | None = None

    @field_validator("git")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.password:
            raise ValueError("no password in an address, which is logged; give password with a secret")
        known = parts.scheme in _GIT_SCHEMES or value.startswith("/") or _SCP_LIKE.fullmatch(value)
        if value.startswith("-") or not known or not value.isprintable():
            raise ValueError("give an https://, ssh:// or file:// address, user@host:path, or an absolute path")
        return value


class GitRepository(GitAccess):
    """An executable in a git repository, at one commit.

    Attributes:
        commit: the full commit id, 40 or 64 hexadecimal digits.
        ref: the branch or tag to fetch where the server gives out no single commit.
        run: which file of it is the program; a file ``task.yml`` says itself which one, see `artifacts.recipe`.
        build: shell commands that are run in it once, before it is kept.
        size_limit: bytes that the checkout, built, may have.
    """

    commit: str
    ref: str | None = None
    run: Within
    build: tuple[str, ...] = ()
    size_limit: Annotated[ByteSize, Field(gt=0)] = ByteSize(1024**3)

    @field_validator("commit")
    @classmethod
    def _full(cls, value: str) -> str:
        commit = value.strip().lower()
        if not _COMMIT.fullmatch(commit):
            raise ValueError("a full commit id is needed, 40 hexadecimal digits: git ls-remote shows those of branches")
        return commit

    @field_validator("ref")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        return None if value is None else branch_or_tag(value)


def branch_or_tag(name: str) -> str:
    """The name itself.

    Raises:
        ValueError: nothing can be called so.
    """
    if not re.fullmatch(r"[\w][\w./+-]*", name):
        raise ValueError("a ref is the name of a branch or a tag")
    return name


def shown(url: str) -> str:
    """An address without its query, which may carry a signature."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _by_suffix(url: str) -> Format:
    path = urlsplit(url).path.lower()
    return next((packed for suffix, packed in _SUFFIXES.items() if path.endswith(suffix)), "plain")
