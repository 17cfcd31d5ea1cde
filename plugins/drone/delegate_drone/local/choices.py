"""What the person at the terminal chose: the options that ``exec`` and ``plan`` share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from delegate_core.errors import SettingsError

__all__ = ["EVENTS", "Choices", "Given", "chosen"]

EVENTS: Final = ("push", "pull_request", "tag", "promote", "rollback", "cron", "custom")
"""The events that a Drone server knows."""

_REPEATABLE: Final = frozenset({"exclude", "include", "network", "param", "privileged", "secret", "volume"})
_SLUG = re.compile(r"[^/\s]+/[^/\s]+")
_PARAM = re.compile(r"[A-Za-z_]\w*=", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Which build to pretend, and which part of the file is meant. None: look at the local repository, or do without.

    Args:
        file: the manifest's path; ``-`` is standard input.
        pipeline: run only this one, whatever its trigger and dependencies say.
        include: run only these steps and services (and the clone).
        exclude: do not run these.
        event: one of `EVENTS`.
        branch: the build's target branch.
        commit: the commit to clone; without ``clone`` only what the steps are told.
        ref: the git reference.
        repo: the slug, ``owner/name``.
        deploy_to: the target of a promotion.
        instance: host name of the Drone server to pretend.
        cron: name of the cron job.
        title: of a pull request.
        message: of the commit.
        trusted: the pipelines may ask for what only trusted repositories may.
        strict: unknown keys are errors.
        clone: run in a fresh clone of the local repository instead of this folder.
        param: parameters of the build, each as NAME=value.
        keep_failed: where the clone that a failed pipeline leaves is kept.
        privileged: images of plugins that run privileged, besides Drone's own.
        volume: folders of this machine in every container, each as HOST:CONTAINER or HOST:CONTAINER:ro.
        network: networks that every container joins.

    Raises:
        SettingsError: an option that cannot be meant.
    """

    file: str = ".drone.yml"
    pipeline: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    event: str = "push"
    branch: str | None = None
    commit: str | None = None
    ref: str | None = None
    repo: str | None = None
    deploy_to: str = ""
    instance: str = ""
    cron: str = ""
    title: str = ""
    message: str | None = None
    trusted: bool = False
    strict: bool = False
    clone: bool = False
    param: tuple[str, ...] = ()
    keep_failed: Path | None = None
    privileged: tuple[str, ...] = ()
    volume: tuple[str, ...] = ()
    network: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.event not in EVENTS:
            raise SettingsError(f"--event {self.event}: there is no such event; {_hint(self.event)}")
        if self.repo is not None and not _SLUG.fullmatch(self.repo):
            raise SettingsError(f"--repo {self.repo}: write it as owner/name")
        if self.keep_failed is not None and not self.clone:
            raise SettingsError("--keep-failed keeps the clone of a failed pipeline: give it with --clone")
        for param in self.param:
            if not _PARAM.match(param):
                raise SettingsError(f"--param {param.partition('=')[0]}: write it as NAME=value")
        both = [name for name in self.include if name in self.exclude]
        if both:
            raise SettingsError(f'step "{both[0]}" is named by --include and by --exclude: choose one')

    @property
    def params(self) -> dict[str, str]:
        """The build's parameters by name."""
        return {name: value for name, _, value in (param.partition("=") for param in self.param)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Where variables and secrets come from.

    Args:
        secret_file: a dotenv file.
        env_file: a dotenv file of variables for every step.
        secret: names of environment variables that are secrets.
        secret_key_file: the repository's key, for the secrets that the manifest has encrypted.
        registry: a docker config.json with accounts that may pull images.
    """

    secret_file: Path | None = None
    env_file: Path | None = None
    secret: tuple[str, ...] = ()
    secret_key_file: Path | None = None
    registry: Path | None = None


def chosen(options: Mapping[str, Any]) -> tuple[Choices, Given]:
    """From a command's options, by their names, to both; other options are passed over.

    Raises:
        SettingsError: an option that cannot be meant.
    """
    return Choices(**_of(Choices, options)), Given(**_of(Given, options))


def _of(kind: type[Choices | Given], options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are fields of this kind; a repeatable option that was not given is empty."""
    found = {field.name: options[field.name] for field in fields(kind) if field.name in options}
    return {name: tuple(value or ()) if name in _REPEATABLE else value for name, value in found.items()}


def _hint(event: str) -> str:
    close = get_close_matches(event.lower().replace("-", "_"), EVENTS, n=1)
    return f"did you mean {close[0]}?" if close else f"events are {', '.join(EVENTS)}"
