"""Files that people and programs write for the runner: variables, accounts, tasks, submissions."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, suppress
from typing import Final

from delegate_core.cli.taskfile import read_task
from delegate_core.development.server import SubmissionError
from delegate_core.errors import SettingsError
from delegate_core.pipeline.container import RegistryCredentials
from delegate_drone.dockerconfig import DockerConfigError, parse_docker_config
from delegate_drone.dotenv import DotenvError, parse_dotenv
from delegate_drone.pairs import parse_pairs
from delegate_drone.server.submission import read_order
from delegate_harness.development import HarnessDevelopmentServer
from tests.fuzz.registry import target, text_of
from tests.fuzz.words import JSON

_WORDS: Final = (*JSON, "1" * 40, "9" * 5000)


@target("dotenv", words=("export ", "A=", "$A", "${A}", "'", '"', "\\n", "\\", "#", "\n"))
def dotenv(data: bytes) -> None:
    """Variables with names that a process can be given, or the number of the line that is none."""
    text = text_of(data)
    with suppress(DotenvError):
        for name, value in parse_dotenv(text).items():
            assert name.isidentifier() or set(name) & set(".-"), name
            assert len(value) <= len(text) + (1 << 20)


@target("pairs", words=("A=b", ",", ":", ";", "\n", "="))
def pairs(data: bytes) -> None:
    """Pairs, or a value error in our words."""
    with suppress(ValueError):
        parse_pairs(text_of(data))


@target(
    "docker-config",
    words=(*_WORDS, "auths", "auth", "username", "password", "credHelpers", "https://index.docker.io/v1/", "dTpw"),
)
def docker_config(data: bytes) -> None:
    """Accounts and warnings, and no warning shows a password."""
    text = text_of(data)
    with suppress(DockerConfigError):
        found = parse_docker_config(text, "here")
        assert all(isinstance(account, RegistryCredentials) for account in found.accounts)
        for account in found.accounts:
            assert len(account.password) < 12 or not any(account.password in line for line in found.warnings)


@target("task-file", words=(*_WORDS, "task", "type", "data", "timeout", "secrets", "id"), calls=2000)
def task_file(data: bytes) -> None:
    """A task for ``delegate task``, or what is wrong with its file."""
    with suppress(SettingsError), redirect_stderr(io.StringIO()):
        read_task(text_of(data), "file", None)


@target(
    "submission",
    words=(*_WORDS, "type", "data", "timeout", "kind: pipeline\n", "type: exec\n", "steps:\n", "name: a\n", "---\n"),
    longest=4096,
    calls=4000,
)
def submission(data: bytes) -> None:
    """What is submitted to an embedded server becomes tasks, or it is said what is wrong with it."""
    text = text_of(data)
    with suppress(SubmissionError):
        try:
            HarnessDevelopmentServer({}).submit(text, {})
        except RuntimeError as error:  # so far it has come: it could be submitted
            if "not running" not in str(error):
                raise
    with suppress(SubmissionError):
        read_order(text, {})
