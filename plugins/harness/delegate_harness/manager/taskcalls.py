"""The calls of a delegate about tasks: poll, acquire, and the three forms of a result."""

from __future__ import annotations

from http import HTTPStatus

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from . import wire
from .endpoint import Surroundings
from .exchange import JsonReply, RefusalError, parse, required, void
from .logtokens import LogTokens
from .records import Result
from .state import ManagerState

__all__ = ["routes"]

_AGENT = "/api/agent"
_EXECUTIONS = "/api/executions/{task_id}"


def routes(around: Surroundings, log_tokens: LogTokens) -> list[BaseRoute]:
    """The routes of this group, the most called ones first."""
    calls = _TaskCalls(around.state, log_tokens)
    return [
        around.route("task-events", "GET", f"{_AGENT}/delegates/{{delegate_id}}/task-events", calls.task_events),
        around.route(
            "acquire",
            "PUT",
            f"{_AGENT}/v2/delegates/{{delegate_id}}/tasks/{{task_id}}/acquire",
            calls.acquire,
        ),
        around.route("result", "POST", f"{_AGENT}/v2/tasks/{{task_id}}/delegates/{{delegate_id}}", calls.legacy_result),
        around.route("response", "POST", f"{_EXECUTIONS}/response", calls.runner_response),
        around.route("task-response", "POST", f"{_EXECUTIONS}/task-response", calls.v2_status),
    ]


class _TaskCalls:
    def __init__(self, state: ManagerState, log_tokens: LogTokens) -> None:
        self._state = state
        self._log_tokens = log_tokens

    async def task_events(self, request: Request) -> Response:
        account_id = request.query_params["accountId"]
        listing = self._state.poll(account_id, request.path_params["delegate_id"])
        events = [wire.task_event(task) for task in listing.tasks]
        aborts = [wire.abort_event(account_id, task_id) for task_id in listing.aborts]
        return JsonReply({"delegateTaskEvents": events + aborts})

    async def acquire(self, request: Request) -> Response:
        account_id = request.query_params["accountId"]
        delegate_id = request.path_params["delegate_id"]
        instance_id = request.query_params.get("delegateInstanceId") or delegate_id
        task = self._state.acquire(account_id, delegate_id, request.path_params["task_id"], instance_id)
        if task is None:
            # The real service returns an empty package here, on which its JSON form then stumbles.
            raise RefusalError(HTTPStatus.INTERNAL_SERVER_ERROR, "DEFAULT_ERROR_CODE", "not available")
        return JsonReply(wire.package(task, delegate_id, instance_id, self._log_tokens.issue(account_id)))

    async def legacy_result(self, request: Request) -> Response:
        body = await parse(request, wire.LegacyResult)
        if self._state.rules.strict:
            _check_shape(body)
        self._take(request, body.result(request.path_params["delegate_id"]))
        return void()

    async def runner_response(self, request: Request) -> Response:
        return await self._runner_form(request, "runner", "delegateId")

    async def v2_status(self, request: Request) -> Response:
        return await self._runner_form(request, "v2", "runnerId")

    async def _runner_form(self, request: Request, form: str, sender: str) -> Response:
        body = await parse(request, wire.RunnerResult)
        try:
            result = body.result(form, required(request, sender))
        except ValueError as error:
            raise RefusalError(HTTPStatus.BAD_REQUEST, "INVALID_ARGUMENT", str(error)) from None
        self._take(request, result)
        return void()

    def _take(self, request: Request, result: Result) -> None:
        self._state.answer(required(request, "accountId"), request.path_params["task_id"], result)


def _check_shape(body: wire.LegacyResult) -> None:
    """Bind the data to the class of the type, as the real manager does.

    Raises:
        RefusalError: 500 for a type without such a class, 400 for data that does not fit it.
    """
    if body.type not in wire.STRICT_TYPES:
        message = f"task type {body.type} has no JSON response"
        raise RefusalError(HTTPStatus.INTERNAL_SERVER_ERROR, "DEFAULT_ERROR_CODE", message)
    try:
        if body.type.startswith("DLITE_CI_VM_"):
            wire.VmTaskResponse.model_validate(body.data)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
        message = f"data does not fit {body.type}: {fields}"
        raise RefusalError(HTTPStatus.BAD_REQUEST, "INVALID_ARGUMENT", message) from None
