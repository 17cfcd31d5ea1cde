"""Where a task wants its log: said in its logging section, and for CI tasks within their data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from delegate_harness.wire import AcquiredTask

__all__ = ["LogTarget", "target_of"]


class LogTarget(BaseModel):
    """A task's log.

    Attributes:
        url: the log service's address; empty: the setting's.
        token: for the log service; empty: the manager is asked for one.
        key: the log's base key; empty: the task has no log.
        indirect: upload the whole log through the service, not to a link that it gives.
    """

    model_config = ConfigDict(frozen=True)

    url: str = ""
    token: SecretStr = Field(SecretStr(""), repr=False)
    key: str = ""
    indirect: bool = False


def target_of(acquired: AcquiredTask) -> LogTarget:
    """What a package says of its log.

    The key of most tasks is their abstractions in order, ``name:value`` joined by slashes. CI tasks (the Go client's
    step requests) have ``log_key`` and ``log_config`` with url, token and indirect_upload in their data instead.

    Whoever writes a task chooses its data. So an address there counts only with a token of its own: the manager's,
    which opens the logs of the whole account, must not go to it.
    """
    config: Mapping[str, Any] = {}
    key = "/".join(f"{name}:{value}" for name, value in acquired.logging.abstractions.items())
    for place in _places(acquired.data):
        if isinstance(place.get("log_config"), Mapping):
            config = place["log_config"]
        if isinstance(place.get("log_key"), str):
            key = place["log_key"] or key
    own = _text(config, "token")
    return LogTarget(
        url=_text(config, "url") if own else "",
        token=SecretStr(own or acquired.logging.token),
        key=key,
        indirect=config.get("indirect_upload") is True,
    )


_WITHIN = (("setup_vm_request", "setup_request"), ("execute_step_request", "start_step_request"))


def _places(data: object) -> Iterator[Mapping[str, Any]]:
    """The data itself, and those of its objects that may speak of the log, the inner ones last."""
    if not isinstance(data, Mapping):
        return
    yield data
    for path in _WITHIN:
        place: object = data
        for name in path:
            place = place.get(name) if isinstance(place, Mapping) else None
            if isinstance(place, Mapping):
                yield place


def _text(place: Mapping[str, Any], name: str) -> str:
    value = place.get(name)
    return value if isinstance(value, str) else ""
