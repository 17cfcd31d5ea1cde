"""What the server keeps: repositories, builds, stages and steps, each with its form on the wire.

The names are those of the server's JSON, in its order; an omitted value is one that the server leaves out when it is
empty. Times are unix seconds, 0 for "not yet".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from . import gojson
from .errors import BadBodyError

__all__ = ["FAILED", "Build", "Integer", "Record", "Repository", "Stage", "Step", "Wanted", "parse", "read"]

Integer = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""What fits a column."""

_UNFINISHED = frozenset({"waiting_on_dependencies", "pending", "running", "blocked"})
FAILED = frozenset({"failure", "killed", "error"})
"""The states that make a build fail."""


_Read = TypeVar("_Read", bound="Record")


class Record(BaseModel):
    """One object of the wire, which is one row of a table."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    omitted: ClassVar[frozenset[str]] = frozenset()
    """Fields that are left out of the JSON when they are empty."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        return {key: each for key, each in value.items() if each is not None} if isinstance(value, Mapping) else value

    def encode(self) -> dict[str, Any]:
        """The object as the server writes it."""
        found = {info.alias or name: getattr(self, name) for name, info in type(self).model_fields.items()}
        return {name: _encoded(value) for name, value in found.items() if value or name not in self.omitted}


def _encoded(value: Any) -> Any:
    if isinstance(value, Record):
        return value.encode()
    return [_encoded(each) for each in value] if isinstance(value, list) else value


class Step(Record):
    """A step. On the wire, ``step_id`` is the id of its stage."""

    omitted = frozenset({"error", "errignore", "started", "stopped", "depends_on", "image", "detached", "schema"})

    id: Integer = 0
    stage_id: Integer = Field(default=0, alias="step_id")
    number: Integer = 0
    name: str = ""
    status: str = ""
    error: str = ""
    errignore: bool = False
    exit_code: Integer = 0
    started: Integer = 0
    stopped: Integer = 0
    version: Integer = 0
    depends_on: list[str] = []
    image: str = ""
    detached: bool = False
    card_schema: str = Field(default="", alias="schema")

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.status not in _UNFINISHED


class Stage(Record):
    """A stage: what a runner accepts and runs."""

    omitted = frozenset(
        {"kind", "type", "error", "machine", "variant", "kernel", "limit", "throttle", "depends_on", "labels", "steps"}
    )

    id: Integer = 0
    repo_id: Integer = 0
    build_id: Integer = 0
    number: Integer = 0
    name: str = ""
    kind: str = ""
    type: str = ""
    status: str = ""
    error: str = ""
    errignore: bool = False
    exit_code: Integer = 0
    machine: str = ""
    os: str = ""
    arch: str = ""
    variant: str = ""
    kernel: str = ""
    limit: Integer = 0
    throttle: Integer = 0
    started: Integer = 0
    stopped: Integer = 0
    created: Integer = 0
    updated: Integer = 0
    version: Integer = 0
    on_success: bool = False
    on_failure: bool = False
    depends_on: list[str] = []
    labels: dict[str, str] = {}
    steps: list[Step] = []

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.status not in _UNFINISHED


class Build(Record):
    """A build: an event of a repository and the stages that it started."""

    omitted = frozenset({"parent", "error", "title", "params", "cron", "deploy_to", "deploy_id", "debug", "stages"})

    id: Integer = 0
    repo_id: Integer = 0
    trigger: str = ""
    number: Integer = 0
    parent: Integer = 0
    status: str = ""
    error: str = ""
    event: str = ""
    action: str = ""
    link: str = ""
    timestamp: Integer = 0
    title: str = ""
    message: str = ""
    before: str = ""
    after: str = ""
    ref: str = ""
    source_repo: str = ""
    source: str = ""
    target: str = ""
    author_login: str = ""
    author_name: str = ""
    author_email: str = ""
    author_avatar: str = ""
    sender: str = ""
    params: dict[str, str] = {}
    cron: str = ""
    deploy_to: str = ""
    deploy_id: Integer = 0
    debug: bool = False
    started: Integer = 0
    finished: Integer = 0
    created: Integer = 0
    updated: Integer = 0
    version: Integer = 0
    stages: list[Stage] = []


class Repository(Record):
    """A repository. ``timeout`` is minutes; ``secret`` goes to runners only, ``signer`` nowhere."""

    omitted = frozenset({"throttle"})

    id: Integer = 0
    uid: str = ""
    user_id: Integer = 1
    namespace: str = ""
    name: str = ""
    slug: str = ""
    scm: str = "git"
    git_http_url: str = ""
    git_ssh_url: str = ""
    link: str = ""
    default_branch: str = "main"
    private: bool = False
    visibility: str = "public"
    active: bool = True
    config_path: str = ".drone.yml"
    trusted: bool = False
    protected: bool = False
    ignore_forks: bool = False
    ignore_pull_requests: bool = False
    auto_cancel_pull_requests: bool = False
    auto_cancel_pushes: bool = False
    auto_cancel_running: bool = False
    timeout: Integer = 60
    throttle: Integer = 0
    counter: Integer = 0
    synced: Integer = 0
    created: Integer = 0
    updated: Integer = 0
    version: Integer = 0
    archived: bool = False
    secret: str = Field(default="", repr=False)

    def public(self) -> dict[str, Any]:
        """The object as users see it."""
        return {name: value for name, value in self.encode().items() if name != "secret"}


class Wanted(Record):
    """What a runner asks for."""

    kind: str = ""
    type: str = ""
    os: str = ""
    arch: str = ""
    variant: str = ""
    kernel: str = ""
    labels: dict[str, str] = {}


def read(model: type[_Read], body: bytes) -> _Read:
    """An object from a request's body: unknown fields are ignored, missing ones empty.

    Raises:
        BadBodyError: it is no JSON, or a field has another type.
    """
    value = gojson.decode(body)
    return parse(model, {} if value is None else value)


def parse(model: type[_Read], value: Any) -> _Read:
    """The same from decoded JSON.

    Raises:
        BadBodyError: a field has another type.
    """
    try:
        return model.model_validate(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(each) for each in first["loc"] if isinstance(each, str))
        raise BadBodyError(f"json: cannot unmarshal into Go struct field {model.__name__}.{place}") from None
