"""A bare delegate for these tests: httpx requests, tokens made with joserfc, nothing of the product's client."""

import base64
import json
import ssl
from collections.abc import Mapping
from typing import Any

import httpx
from joserfc import jwe
from joserfc.jwk import OctKey

from delegate_harness.manager import EmbeddedManager

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For httpx clients that only speak HTTP: each would otherwise load all the system's certificates."""
START = 1_800_000_000.0


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def token(secret: str, **claims: Any) -> str:
    """A delegate token as a client makes it, by default valid for 20 minutes from START."""
    told = {"iss": "issuer", "sub": "embedded", "aud": "audience", "exp": START + 1200, **claims}
    key = OctKey.import_key(bytes.fromhex(secret))
    header = {"alg": "dir", "enc": "A128GCM", "typ": "JWT"}
    return jwe.encrypt_compact(header, json.dumps(told), key, algorithms=["dir", "A128GCM"])


class BareDelegate:
    """The calls of one delegate, each returning the plain response."""

    def __init__(self, manager: EmbeddedManager, http: httpx.AsyncClient) -> None:
        self.manager = manager
        self.http = http
        self.delegate_id = ""

    async def register(self, **changes: Any) -> httpx.Response:
        body = {
            "delegateName": "builder",
            "hostName": "host-1",
            "ip": "192.0.2.1",
            "ng": True,
            "delegateType": "DOCKER",
            "supportedTaskTypes": ["fib"],
            **changes,
        }
        reply = await self.http.post("/api/agent/delegates/register", json=body)
        if reply.status_code == 200 and reply.json()["resource"]:
            self.delegate_id = reply.json()["resource"]["delegateId"] or self.delegate_id
        return reply

    async def heartbeat(self, **changes: Any) -> httpx.Response:
        body = {"delegateId": self.delegate_id, "hostName": "host-1", **changes}
        return await self.http.post("/api/agent/delegates/heartbeat-with-polling", json=body)

    async def poll(self) -> httpx.Response:
        return await self.http.get(f"/api/agent/delegates/{self.delegate_id}/task-events")

    async def listed(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = (await self.poll()).json()["delegateTaskEvents"]
        return events

    async def listed_ids(self) -> list[str]:
        return [event["delegateTaskId"] for event in await self.listed()]

    async def acquire(self, task_id: str, instance: str = "instance-1") -> httpx.Response:
        path = f"/api/agent/v2/delegates/{self.delegate_id}/tasks/{task_id}/acquire"
        return await self.http.put(path, params={"delegateInstanceId": instance})

    async def answer(self, task_id: str, code: str = "OK", data: Any = None) -> httpx.Response:
        body = {"id": task_id, "type": "fib", "code": code, "data": {} if data is None else data}
        return await self.answer_raw(task_id, body)

    async def answer_raw(self, task_id: str, body: Any) -> httpx.Response:
        path = f"/api/agent/v2/tasks/{task_id}/delegates/{self.delegate_id}"
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.http.post(path, content=content)

    async def respond(self, task_id: str, code: str = "OK", data: Any = None, error: str = "") -> httpx.Response:
        encoded = base64.b64encode(json.dumps(data).encode()).decode()
        body = {"id": task_id, "type": "fib", "code": code, "error": error, "data": encoded}
        params = {"delegateId": self.delegate_id}
        return await self.http.post(f"/api/executions/{task_id}/response", params=params, json=body)


def http_client(
    manager: EmbeddedManager, secret: str | None = None, headers: Mapping[str, str] | None = None
) -> httpx.AsyncClient:
    """A client whose calls carry the manager's account and a token (of another secret, if given)."""
    authorization = f"Delegate {token(secret or manager.account_secret)}"
    return httpx.AsyncClient(
        base_url=manager.url,
        params={"accountId": manager.account_id},
        headers={"Authorization": authorization, **(headers or {})},
        trust_env=False,
        verify=NO_TLS,
        timeout=40,
    )
