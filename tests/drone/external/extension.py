"""An extension on loopback that believes nobody: it verifies signature and digest from the bytes it received."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from delegate_core.http import TlsOptions, open_transport
from delegate_core.http.transport import Transport
from delegate_drone.external import Extension
from tests.http.server import Connection, serving

TOKEN = "an-invented-token-of-more-than-32-characters"
NOW = 1_700_000_000.0
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


@dataclass(frozen=True)
class Answer:
    """What the extension says."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Any) -> Answer:
        return cls(json.dumps(value).encode())


@dataclass(frozen=True)
class Question:
    """A verified request."""

    headers: dict[str, str]
    content: dict[str, Any]


@dataclass
class FakeExtension:
    """Answers what `reply` says to a verified question; refuses any other with status 400."""

    reply: Callable[[dict[str, Any]], Answer]
    token: str = TOKEN
    url: str = ""
    questions: list[Question] = field(default_factory=list)

    async def handle(self, connection: Connection) -> None:
        head, _, body = (await connection.receive()).partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        problem = _problem(first, headers, body.encode("latin-1"), self.token)
        if problem:
            await connection.send(_raw(Answer(f"Invalid Signature: {problem}".encode(), 400)))
            return
        question = Question(headers, json.loads(body))
        self.questions.append(question)
        await connection.send(_raw(self.reply(question.content)))

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[FakeExtension]:
        async with serving(self.handle) as server:
            self.url = server.url
            yield self


@asynccontextmanager
async def answering(reply: Callable[[dict[str, Any]], Answer], token: str = TOKEN) -> AsyncIterator[FakeExtension]:
    async with FakeExtension(reply, token).serve() as extension:
        yield extension


@asynccontextmanager
async def client(
    url: str, *, token: str = TOKEN, kind: str = "secret", seconds: float = 20, transport: str = "httpx"
) -> AsyncIterator[Extension]:
    """An `Extension` over a real transport."""
    opened: Transport = open_transport(TlsOptions(), kind=transport, trust_env=False)  # type: ignore[arg-type]  # a parameter of tests
    try:
        with anyio.fail_after(60):
            yield Extension(kind, url, token, opened, now=lambda: NOW, timeout=seconds)
    finally:
        await opened.aclose()


def _problem(first: str, headers: dict[str, str], body: bytes, token: str) -> str:
    if not first.startswith("POST "):
        return "no POST"
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    if headers.get("digest") != f"SHA-256={digest}":
        return "the digest is of another body"
    fields = dict(re.findall(r'(\w+)="([^"]*)"', headers.get("signature", "")))
    if [fields.get("keyId"), fields.get("algorithm")] != ["hmac-key", "hmac-sha256"]:
        return "another key or algorithm"
    names = fields.get("headers", "").split()
    text = "\n".join(f"{name}: {headers.get(name, '')}" for name in names)
    mac = base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha256).digest()).decode()
    if not {"date", "digest"} <= set(names) or fields.get("signature") != mac:
        return "the signature is wrong"
    return ""


def _raw(answer: Answer) -> bytes:
    headers = {"Content-Length": str(len(answer.body)), "Connection": "close", **answer.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.status} Said\r\n{head}\r\n".encode() + answer.body
