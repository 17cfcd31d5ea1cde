"""Executables that tasks bring themselves: go-task's ``config`` of its CGI driver, as options of an executable.

::

    {"executable_config": {"executables": [{"os": "linux", "arch": "amd64", "url": "https://...", "sha256": "..."}]}}
    {"repository": {"clone": "https://git.example/tool.git", "sha": "1c2d..."}, "endpoint": "/", "method": "POST"}

Ours are, beside what go-task has: ``sha256``, ``urls``, ``format`` and ``run`` of a download; ``run``, ``username`` and
``password`` of a repository; ``answer``. What it has and we refuse is ``target``: a task does not choose where a file
is put. A secret is written ``{"secret": "NAME"}``, one that the runner's settings declare: a task names no file and no
variable of the runner's.

Source of the form: go-task, ``task/drivers/cgi/driver.go`` and ``task/types.go``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from delegate_core.artifacts import ArtifactCache, ArtifactError
from delegate_core.artifacts.recipe import RECIPE, is_recipe
from delegate_core.artifacts.sources import GitAccess, branch_or_tag
from delegate_core.handlers.context import TaskContext
from delegate_core.handlers.executable import ExecutableHandler, ExecutableOptions
from delegate_core.handlers.options import problems
from delegate_core.http import TlsOptions
from delegate_core.model import OwnExecutable, Task, TaskResult
from delegate_core.settings import RunnerSettings
from delegate_core.settings.secretfrom import SecretFrom, SecretUnavailable

__all__ = ["SuppliedExecutables"]

_ALLOWING: Final = 'allowing others is --unverified of `delegate task`, or executables = "any" of the [handler] table'

_NOT_BY_THE_RUNNER: Final = (
    "where tasks run as another user (run_as) the runner fetches no repository and builds nothing for them: bring a "
    "download of the program itself"
)
"""It would do so with its own rights, which these tasks are to be kept from."""


class _Wire(BaseModel):
    """What another program writes: null is the same as nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        return {key: each for key, each in value.items() if each is not None} if isinstance(value, dict) else value


class _Secret(_Wire):
    secret: str
    prefix: str = ""

    def place(self) -> SecretFrom:
        return SecretFrom(secret=self.secret, prefix=self.prefix)


class _File(_Wire):
    os: str = ""
    arch: str = ""
    url: str = ""
    urls: tuple[str, ...] = ()
    sha256: str = ""

    @property
    def addresses(self) -> list[str]:
        return [*([self.url] if self.url else []), *self.urls]


class _Executable(_Wire):
    executables: tuple[_File, ...] = ()
    name: str = ""
    version: str = ""
    compressed: bool = False
    target: str = ""
    format: str = "auto"
    run: str | None = None
    headers: dict[str, str | _Secret] = {}


class _Repository(_Wire):
    clone: str = ""
    ref: str = ""
    sha: str = ""
    download: str = ""
    sha256: str = ""
    format: str = "auto"
    run: str = RECIPE
    username: str = "git"
    password: _Secret | None = None
    headers: dict[str, str | _Secret] = {}


class _Config(_Wire):
    executable_config: _Executable | None = None
    repository: _Repository | None = None
    method: str = ""
    endpoint: str = ""
    headers: dict[str, str] = {}
    envs: tuple[str, ...] = ()
    answer: Literal["response", "body"] | None = None


class _Unusable(Exception):
    """Why a task's own executable cannot be run here."""


class SuppliedExecutables:
    """Runs what tasks bring themselves, for one runner.

    Args:
        settings: of the runner: its cache, and the authorities that it trusts.
    """

    def __init__(self, settings: RunnerSettings) -> None:
        self._cache = ArtifactCache(settings.cache_dir)
        self._tls = TlsOptions(ca_files=settings.ca_files, insecure=settings.insecure)

    async def execute(self, own: OwnExecutable, task: Task, context: TaskContext) -> TaskResult:
        """Fetch it if need be, and run it for its task."""
        try:
            config = _checked(own)
            source = await _source(config, context, verified=own.trust != "any")
            options = _options(config, source, own)
        except _Unusable as error:
            return TaskResult.rejected(f"the executable that the task brings: {error}")
        except (ArtifactError, SecretUnavailable) as error:
            return TaskResult.failed(str(error))
        return await ExecutableHandler(task.type, options).executed(task, context, self._cache, self._tls)


def _checked(own: OwnExecutable) -> _Config:
    if own.driver not in {"", "cgi"}:
        raise _Unusable(f"driver {own.driver!r} is not known here; an executable speaks cgi")
    if own.config is not None and not isinstance(own.config, dict):
        raise _Unusable("config must be an object, or the base64 of one")
    try:
        config = _Config.model_validate(own.config or {})
    except ValidationError as error:
        raise _Unusable("; ".join(f"config.{each}" for each in problems(error))) from None
    if "${{secrets." in json.dumps(own.config):
        raise _Unusable('config: expressions are for data; write a declared secret as {"secret": "NAME"}')
    if config.executable_config is None and config.repository is None:
        raise _Unusable("config names neither executable_config nor repository")
    return config


async def _source(config: _Config, context: TaskContext, *, verified: bool) -> dict[str, Any]:
    """As `ExecutableOptions.executable` takes it."""
    given = config.executable_config or config.repository
    if context.user is not None and given is not None and is_recipe(given.run or ""):
        raise _Unusable(f"it is built as its {RECIPE} says, and {_NOT_BY_THE_RUNNER}")
    if config.executable_config is not None:
        return _download(config.executable_config, verified=verified)
    assert config.repository is not None  # noqa: S101 - for the type checker: _checked has seen to it
    if config.repository.download:
        return _archive(config.repository, verified=verified)
    return await _clone(config.repository, context, verified=verified)


def _download(wanted: _Executable, *, verified: bool) -> dict[str, Any]:
    if wanted.target:
        raise _Unusable("config.executable_config.target: a task does not choose where a file is put; leave it out")
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for number, file in enumerate(wanted.executables):
        if verified and not file.sha256:
            raise _Unusable(f"config.executable_config.executables.{number} needs a sha256; {_ALLOWING}")
        grouped.setdefault((file.os, file.arch, file.sha256), []).extend(file.addresses)
    if not grouped:
        raise _Unusable("config.executable_config.executables is empty")
    return {
        "downloads": [
            {"os": os or "any", "arch": arch or "any", "urls": urls, "sha256": digest or None}
            for (os, arch, digest), urls in grouped.items()
        ],
        "format": "zstd" if wanted.compressed else wanted.format,
        "run": wanted.run,
        "headers": _headers(wanted.headers),
        "unverified": not verified,
    }


def _archive(wanted: _Repository, *, verified: bool) -> dict[str, Any]:
    if verified and not wanted.sha256:
        raise _Unusable(f"config.repository.download needs a sha256 beside it; {_ALLOWING}")
    return {
        "downloads": [{"urls": [wanted.download], "sha256": wanted.sha256 or None}],
        "format": wanted.format,
        "run": wanted.run,
        "headers": _headers(wanted.headers),
        "unverified": not verified,
    }


async def _clone(wanted: _Repository, context: TaskContext, *, verified: bool) -> dict[str, Any]:
    if context.user is not None:
        raise _Unusable(f"config.repository names a repository, and {_NOT_BY_THE_RUNNER}")
    password = wanted.password.place() if wanted.password else None
    access = {"git": wanted.clone, "username": wanted.username, "password": password}
    if verified and not wanted.sha:
        raise _Unusable(f"config.repository needs sha, the full id of a commit; {_ALLOWING}")
    return {
        **access,
        "commit": wanted.sha or await _newest(access, wanted.ref or "HEAD", context),
        "ref": wanted.ref or None,
        "run": wanted.run,
    }


async def _newest(access: dict[str, Any], ref: str, context: TaskContext) -> str:
    from delegate_core.artifacts.git import newest  # noqa: PLC0415 - for this only

    try:
        source, ref = GitAccess.model_validate(access), branch_or_tag(ref)
    except ValidationError as error:
        raise _Unusable("; ".join(f"config.repository.{each}" for each in problems(error))) from None
    except ValueError as error:
        raise _Unusable(f"config.repository.ref: {error}") from None
    commit = await newest(source, ref, context)
    context.log(f"warning: {ref} of {source.git} is not verified: it is {commit} at this moment", level="warning")
    return commit


def _headers(wanted: dict[str, str | _Secret]) -> dict[str, str | SecretFrom]:
    return {name: value if isinstance(value, str) else value.place() for name, value in wanted.items()}


def _options(config: _Config, source: dict[str, Any], own: OwnExecutable) -> ExecutableOptions:
    path, named = _endpoint(config.endpoint)
    headers = {name: value for name, value in config.headers.items() if name.lower() not in {"host", "proxy"}}
    if hosts := [value for name, value in config.headers.items() if name.lower() == "host"]:
        named["HTTP_HOST"] = hosts[-1]
    try:
        return ExecutableOptions.model_validate(
            {
                "executable": source,
                "method": config.method or "POST",
                "path": path,
                "headers": headers,
                "environment": {**named, **_environment(config.envs)},
                "result": (config.answer if own.answer == "response" else None) or own.answer,
            }
        )
    except ValidationError as error:
        raise _Unusable("; ".join(f"config: {each}" for each in problems(error))) from None


def _endpoint(endpoint: str) -> tuple[str, dict[str, str]]:
    """The path of the request, and what the program is told of the host that the endpoint names."""
    try:
        parts = urlsplit(endpoint or "/")
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError as error:
        raise _Unusable(f"config.endpoint: {error}") from None
    if bool(parts.hostname) != (port is not None):
        raise _Unusable("config.endpoint: a path such as /users is needed, or an http address")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not parts.hostname:
        return path, {}
    host = parts.netloc.rpartition("@")[2]
    return path, {"SERVER_NAME": parts.hostname, "HTTP_HOST": host, "SERVER_PORT": str(port)}


_PORTS: Final = {"http": 80, "https": 443}


def _environment(pairs: Iterable[str]) -> dict[str, str]:
    environment: dict[str, str] = {}
    for number, pair in enumerate(pairs):
        name, sign, value = pair.partition("=")
        if not sign:
            raise _Unusable(f"config.envs.{number} must be NAME=VALUE")
        environment[name] = value
    return environment
