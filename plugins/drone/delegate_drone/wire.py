"""The Drone server's JSON as models: what the runner RPC (version 2) sends and takes.

Times are unix seconds, 0 for "not yet". Go's server writes ``null`` for an empty list or map and leaves out empty
values; here both are the field's default. Keys that a newer server adds are kept and sent back, because the server
overwrites a whole row with what an update says.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

__all__ = [
    "Build",
    "CardInput",
    "ConfigFile",
    "Details",
    "Filter",
    "LogLine",
    "Netrc",
    "Repository",
    "Secret",
    "Stage",
    "Step",
    "System",
]


_UNDONE = frozenset({"", "waiting_on_dependencies", "pending", "running", "blocked"})
"""The statuses that something is still to follow."""


class WireModel(BaseModel):
    """One object of the wire."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        """Go's ``null`` is the empty value."""
        return {key: each for key, each in value.items() if each is not None} if isinstance(value, Mapping) else value

    def wire(self) -> dict[str, Any]:
        """The object as the server takes it."""
        return self.model_dump(mode="json", by_alias=True)


class Filter(WireModel):
    """What a runner asks for: all six strings are always sent, empty where they do not matter.

    With any of ``os``, ``arch``, ``variant`` and ``kernel`` set, the server compares the platform; with all four empty
    every platform matches. Labels have to be equal, not a subset.
    """

    kind: str = "pipeline"
    type: str = ""
    os: str = ""
    arch: str = ""
    variant: str = ""
    kernel: str = ""
    labels: dict[str, str] = {}


class Step(WireModel):
    """A step's record. ``step_id`` is the id of its *stage*: an old mistake of the wire that is kept on purpose."""

    id: int = 0
    stage_id: int = Field(default=0, alias="step_id")
    number: int = 0
    name: str = ""
    status: str = "pending"
    error: str = ""
    errignore: bool = False
    exit_code: int = 0
    started: int = 0
    stopped: int = 0
    version: int = 0
    depends_on: tuple[str, ...] = ()
    image: str = ""
    detached: bool = False
    card_schema: str = Field(default="", alias="schema")

    @property
    def is_done(self) -> bool:
        """Nothing of it is to run any more."""
        return self.status not in _UNDONE


class Stage(WireModel):
    """A stage's record. ``version`` is the lock: an update with another one than the server has is a 409."""

    id: int = 0
    repo_id: int = 0
    build_id: int = 0
    number: int = 0
    name: str = ""
    kind: str = ""
    type: str = ""
    status: str = "pending"
    error: str = ""
    errignore: bool = False
    exit_code: int = 0
    machine: str = ""
    os: str = ""
    arch: str = ""
    variant: str = ""
    kernel: str = ""
    limit: int = 0
    throttle: int = 0
    started: int = 0
    stopped: int = 0
    created: int = 0
    updated: int = 0
    version: int = 0
    on_success: bool = False
    on_failure: bool = False
    depends_on: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    steps: tuple[Step, ...] = ()

    @property
    def is_done(self) -> bool:
        """Nothing of it is to run any more."""
        return self.status not in _UNDONE


class Build(WireModel):
    """A build: an event of the repository, and what it started."""

    id: int = 0
    repo_id: int = 0
    number: int = 0
    parent: int = 0
    trigger: str = ""
    status: str = ""
    error: str = ""
    event: str = ""
    action: str = ""
    link: str = ""
    timestamp: int = 0
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
    deploy_id: int = 0
    debug: bool = False
    started: int = 0
    finished: int = 0
    created: int = 0
    updated: int = 0
    version: int = 0
    stages: tuple[Stage, ...] = ()

    @property
    def is_done(self) -> bool:
        """Nothing of it is to run any more."""
        return self.status not in _UNDONE


class Repository(WireModel):
    """A repository. ``timeout`` is minutes; ``secret`` is the key of the secrets encrypted in its files."""

    id: int = 0
    uid: str = ""
    user_id: int = 0
    namespace: str = ""
    name: str = ""
    slug: str = ""
    scm: str = ""
    git_http_url: str = ""
    git_ssh_url: str = ""
    link: str = ""
    default_branch: str = ""
    private: bool = False
    visibility: str = ""
    active: bool = False
    config_path: str = ""
    trusted: bool = False
    protected: bool = False
    ignore_forks: bool = False
    ignore_pull_requests: bool = False
    auto_cancel_pull_requests: bool = False
    auto_cancel_pushes: bool = False
    auto_cancel_running: bool = False
    timeout: int = 0
    throttle: int = 0
    counter: int = 0
    synced: int = 0
    created: int = 0
    updated: int = 0
    version: int = 0
    signer: str = Field(default="", repr=False)
    secret: str = Field(default="", repr=False)


class System(WireModel):
    """The server itself, as it describes itself to a build."""

    proto: str = ""
    host: str = ""
    link: str = ""
    version: str = ""


class Netrc(WireModel):
    """The account for git."""

    machine: str = ""
    login: str = ""
    password: str = Field(default="", repr=False)


class Secret(WireModel):
    """A secret of the repository or its organisation, in clear text."""

    namespace: str = ""
    name: str = ""
    data: str = Field(default="", repr=False)
    pull_request: bool = False
    pull_request_push: bool = False


def _decoded(value: Any) -> Any:
    """Go writes bytes as base64."""
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ValueError("it is not base64") from None


class ConfigFile(WireModel):
    """The build's manifest. Its keys are capitalised on the wire, and its text is base64."""

    data: Annotated[bytes, BeforeValidator(_decoded)] = Field(default=b"", alias="Data")

    @classmethod
    def of(cls, text: str) -> Self:
        """The file with this text."""
        return cls(data=text.encode())

    @property
    def text(self) -> str:
        """The manifest's text; bytes that are not UTF-8 show as U+FFFD."""
        return self.data.decode("utf-8", "replace")

    def wire(self) -> dict[str, Any]:
        """The object as the server sends it."""
        return {"Data": base64.b64encode(self.data).decode(), "Hash": None}


class Details(WireModel):
    """All that a runner has to know for a stage it has accepted. The server fetches the manifest anew for each call."""

    build: Build = Build()
    stage: Stage = Stage()
    config: ConfigFile = ConfigFile()
    netrc: Netrc | None = None
    repository: Repository = Repository()
    secrets: tuple[Secret, ...] = Field(default=(), repr=False)
    system: System = System()


class LogLine(WireModel):
    """A line of a step's log. ``out`` keeps its line end, ``time`` is whole seconds since the step started."""

    pos: int = 0
    out: str = ""
    time: int = 0


class CardInput(WireModel):
    """A step's card: ``data`` is any JSON, and ``schema`` the address of the template that shows it."""

    card_schema: str = Field(default="", alias="schema")
    data: Any = None
