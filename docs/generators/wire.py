"""The calls that each backend makes, from its client's code, and what of the protocols is not spoken."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass

from docs.generators.markdown import code, joined, prose, table

__all__ = ["Call", "calls_of", "page"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a client.

    Attributes:
        method: of HTTP.
        path: with ``{names}`` where something is put in.
        made_by: the client's method.
        text: what its docstring says.
    """

    method: str
    path: str
    made_by: str
    text: str


_INTRODUCTION = """\
# What of the protocols is spoken

<!-- Made from the clients' code by docs/generators/wire.py: make reference. -->

Every call that a runner makes, and when each is made is on the pages of the [Harness](../harness.md) and of the
[Drone](../drone.md#what-of-the-protocol-is-spoken) backend. The embedded servers of `delegate dev` answer all of
them; what a runner sends and what it makes of the answers is tested against them, against recorded replies of the
real servers, and with faults, losses and delays put in between."""

_HARNESS = """\
## Harness manager

Version: the JSON form, as the Go client (dlite) speaks it. Each call carries `accountId` as a query and a token in
`Authorization`. `EXPIRED_TOKEN` is answered by a new token, once; other refusals of a token end or drain the runner."""

_LOG_SERVICE = """\
### Log service

Its address is `log_url`, or comes with the task. Each call carries `accountID` and `key`, and `X-Harness-Token`."""

_HARNESS_READ = """\
### What is read of the answers

| | |
|---|---|
| `SELF_DESTRUCT`, in the answer to a registration | the runner ends, with exit code 7 |
| `MIGRATE`, there | it registers at the new address; results of tasks claimed before go to the old one |
| `DELETED`, in the answer to a heartbeat | it registers again, once |
| `INVALID_TOKEN`; `REVOKED_TOKEN` | it ends, with exit code 4; it drains |
| `DelegateTaskEvent` | is claimed when there is a slot, sync tasks first |
| `DelegateTaskAbortEvent` | cancels the task |
| 500, 404, 409, 204 or an empty body of an acquire | the task is another's |
| `runnerResponse` of a task | its result goes to `/response` |
| 429, 502, 503, 504 | tried again, after `Retry-After` where there is one |

### Not spoken

| | instead |
|---|---|
| web socket (`/stream/delegate`) | polling |
| Kryo and protobuf forms of tasks and results | JSON |
| reports of capabilities (`/report`) | a task that wants them is left to others |
| perpetual tasks, upgrades, `connectionHeartbeat` | |
| `encryption_configs`: secrets that the delegate has to decrypt | such a task is rejected with that reason |"""

_DRONE = """\
## Drone server

Version 2 of the runners' RPC, as Drone 2.28 serves it; cards need 2.5. Each call carries `X-Drone-Token`, below
`/rpc/v2`."""

_DRONE_READ = """\
### What is read of the answers

| | |
|---|---|
| 204 of a stage or a watch | nothing in 30 seconds: asked again |
| 200 of a watch | the build was cancelled |
| 409, or `Optimistic Lock Error` in a 500 | taken by another, a lost reply of our own, or ended by the server |
| 401, 403 | at the start the runner ends; later it is tried again for as long as somebody may mend it |
| 5xx, a proxy's page, no JSON, a broken connection | tried again after a growing pause |
| a redirect | refused, since it would take the secret along |

### Not spoken

| | why |
|---|---|
| `POST` and `DELETE` of `/nodes/:machine` | no server has a working route for them |
| debug sessions (tmate) | `delegate exec` runs the pipeline at your terminal |"""


def page() -> str:
    """The whole page."""
    return joined(
        [
            _INTRODUCTION,
            _HARNESS,
            _table("delegate_harness.client"),
            _LOG_SERVICE,
            _table("delegate_harness.logs"),
            _HARNESS_READ,
            _DRONE,
            _table("delegate_drone.client"),
            _DRONE_READ,
        ]
    )


def _table(module: str) -> str:
    rows = [[code(f"{call.method} {call.path}"), call.text] for call in calls_of(module)]
    return table(["call", ""], rows)


def calls_of(module: str) -> list[Call]:
    """Every ``self._call(METHOD, PATH, ...)`` of a client's module, in its order."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)]
    made = [(call, len(calls)) for function in functions for calls in [list(_calls(function))] for call in calls]
    # What several methods call is told by the one that calls nothing else.
    told = {(call.method, call.path): call for call, _ in sorted(made, key=lambda one: -one[1])}
    return [call for call, _ in made if told[call.method, call.path] is call]


def _calls(function: ast.AsyncFunctionDef) -> Iterator[Call]:
    given = {
        target.id: node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self._call":
            method, path = node.args[:2]
            if isinstance(path, ast.Name):
                path = given[path.id]
            yield Call(ast.literal_eval(method), _path(path), function.name, _summary(function))


def _path(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.JoinedStr)  # noqa: S101 - a path is written out where it is used
    return "".join(str(part.value) if isinstance(part, ast.Constant) else _hole(part) for part in node.values)


def _hole(part: ast.expr) -> str:
    """The name of what is put in: ``stage.id`` and ``_part(stage_id)`` are both the stage's id."""
    assert isinstance(part, ast.FormattedValue)  # noqa: S101 - an f-string has no other
    names = re.findall(r"[a-z]\w*(?:\.\w+)?", ast.unparse(part.value))
    return "{" + names[-1].replace(".", "_") + "}"


def _summary(function: ast.AsyncFunctionDef) -> str:
    """The docstring's prose, without its sections."""
    text = (ast.get_docstring(function) or "").partition("\n\nArgs:")[0].partition("\n\nReturns:")[0]
    return prose(text)
