"""A manager that answers as a test says, for replies that no manager of ours would give. It keeps every call."""

import json
import re
import ssl
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio

from tests.http.server import Connection, reply, serving

ACCOUNT = "acct"
SECRET = "0123456789abcdef0123456789abcdef"

_NAMES = {
    "/register": "register",
    "/heartbeat-with-polling": "heartbeat",
    "/task-events": "task-events",
    "/acquire": "acquire",
    "/unregister": "unregister",
    "/response": "response",
    "/task-response": "task-response",
    "/logging-token": "logging-token",
}
_LOG_NAMES = {
    ("POST", "stream"): "log-open",
    ("PUT", "stream"): "log-write",
    ("DELETE", "stream"): "log-close",
    ("POST", "blob"): "blob-put",
    ("POST", "upload"): "blob-link",
    ("PUT", "upload"): "blob-upload",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it came in."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: str

    @property
    def name(self) -> str:
        path = urlsplit(self.target).path
        if "register-delegate-capacity" in path:
            return "capacity"
        if path.startswith("/logs/"):
            return _LOG_NAMES[self.method, path.rpartition("/")[2]]
        return next((name for end, name in _NAMES.items() if path.endswith(end)), "result")

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


Answer = tuple[int, Any]
"""Status, and a JSON value, or text that is sent as it is; a status of 0 hangs up, -1 never answers."""


def unauthorized(code: str) -> Answer:
    return 401, {"metaData": {}, "resource": None, "responseMessages": [{"code": code, "level": "ERROR"}]}


def event(task_id: str, **fields: Any) -> dict[str, Any]:
    return {"eventType": "DelegateTaskEvent", "delegateTaskId": task_id, "sync": False, "taskType": "fib", **fields}


def abort(task_id: str) -> dict[str, Any]:
    return event(task_id, eventType="DelegateTaskAbortEvent", taskType=None)


def package(call: Call, **fields: Any) -> dict[str, Any]:
    """What acquire answers to whoever asks."""
    match = re.search(r"/tasks/([^/]+)/acquire", call.target)
    return {
        "id": match.group(1) if match else "",
        "type": "fib",
        "data": {"n": 1},
        "timeout": 60_000,
        "delegate": {"id": "dlg1", "instance_id": call.query["delegateInstanceId"]},
        **fields,
    }


class ScriptedManager:
    """Answers each endpoint by what was ordered with `on`: each answer once, the last for ever."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.url = ""
        self.connected = 0
        """Connections that are open now."""
        self._answers: dict[str, deque[Answer | Callable[[Call], Answer]]] = defaultdict(deque)
        self._news = anyio.Event()
        self.on("register", (200, {"resource": {"delegateId": "dlg1"}}))
        self.on("heartbeat", (200, {"resource": {"status": "ENABLED"}}))
        self.on("task-events", (200, {"delegateTaskEvents": []}))
        self.on("acquire", (500, {}))
        self.on("unregister", (200, {}))
        self.on("logging-token", (200, {"resource": "asked-for"}))
        self.on("blob-link", lambda _: (200, {"link": f"{self.url}/logs/elsewhere/upload"}))
        for name in ("result", "response", "task-response", "capacity", *_LOG_NAMES.values()):
            if name == "blob-link":
                continue
            self.on(name, (204, ""))

    def on(self, name: str, *answers: Answer | Callable[[Call], Answer]) -> None:
        self._answers[name] = deque(answers)

    def lists(self, *events: Any) -> None:
        """Poll replies from now on."""
        self.on("task-events", (200, {"delegateTaskEvents": list(events)}))

    def named(self, name: str) -> list[Call]:
        return [call for call in self.calls if call.name == name]

    async def seen(self, name: str, times: int = 1) -> Call:
        """Wait for so many calls of an endpoint; the last of them."""
        with anyio.fail_after(40):
            while len(self.named(name)) < times:
                await self._news.wait()
        return self.named(name)[times - 1]

    @asynccontextmanager
    async def serve(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        async with serving(self._talk, tls) as server:
            self.url = server.url.removesuffix("/x")
            yield self.url

    async def _talk(self, connection: Connection) -> None:
        self.connected += 1
        try:
            await self._converse(connection)
        finally:
            self.connected -= 1

    async def _converse(self, connection: Connection) -> None:
        while True:
            call = _parsed(await connection.receive())
            status, content = self._answer(call)
            self.calls.append(call)
            self._news.set()
            self._news = anyio.Event()
            if status < 0:
                await connection.gone()
            if status <= 0:
                return
            body = content if isinstance(content, str) else json.dumps(content)
            await connection.send(reply(body.encode(), f"{status} {HTTPStatus(status).phrase}"))

    def _answer(self, call: Call) -> Answer:
        answers = self._answers[call.name]
        answer = answers.popleft() if len(answers) > 1 else answers[0]
        return answer(call) if callable(answer) else answer


def _parsed(text: str) -> Call:
    head, _, body = text.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Call(method, target, headers, body.encode("latin-1").decode())
