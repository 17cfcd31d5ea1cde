"""Calls to an extension: a service of the operator's that knows secrets, variables or registry accounts."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from delegate_core.http import Reply, Transport, TransportError, operation
from delegate_drone.encrypted import DecryptError, unlock
from delegate_drone.external.errors import ExtensionFailed
from delegate_drone.external.signature import signed_headers
from delegate_drone.wire import Details

__all__ = ["Extension", "subject"]

_TIMEOUT = 60.0
_SHOWN = 200
_LOOKED_AT = 4096
_KEY = 32
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd\s]+")
_LONG_RUN = re.compile(r"[\w+/=~-]{24,}")


def subject(details: Details) -> dict[str, Any]:
    """What every extension is told of: the repository and the build.

    Drone's own runners also send the repository's ``secret`` and ``signer``, the keys of its encrypted secrets and
    signed files. No extension needs them, so here they stay.
    """
    repository = details.repository.wire()
    return {
        "repo": {key: value for key, value in repository.items() if key not in {"secret", "signer"}},
        "build": details.build.wire(),
    }


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension.

    Args:
        kind: what it is asked for, for messages: ``secret``.
        endpoint: the address that takes the POST.
        token: shared with it: signs the requests, and unlocks an encrypted answer.
        transport: carries the calls; not closed here.
        now: unix seconds.
        timeout: seconds for a whole call.
    """

    kind: str
    endpoint: str = field(repr=False)
    token: str = field(repr=False)
    transport: Transport = field(repr=False)
    now: Callable[[], float] = field(default=time.time, repr=False)
    timeout: float = _TIMEOUT

    @property
    def name(self) -> str:
        """The extension as a person knows it; its path and a password in its address are not shown."""
        return f"the {self.kind} extension at {urlsplit(self.endpoint).netloc.rpartition('@')[2] or 'no address'}"

    @operation("extension")
    async def ask(self, accept: str, question: dict[str, Any]) -> Any | None:
        """Its answer as parsed JSON; None where it has none (204).

        It is asked once: what it does with a question is not known, so a lost one is not sent again.

        Raises:
            ExtensionFailed: no answer, a refusal, or none that can be used.
        """
        body = json.dumps(question, separators=(",", ":")).encode()
        headers = signed_headers(body, accept=accept, token=self.token, now=self.now())
        try:
            reply = await self.transport.request(
                "POST", self.endpoint, headers=headers, body=body, timeout=self.timeout
            )
        except TransportError as error:
            raise ExtensionFailed(f"{self.name}: {error}") from None
        return self._answer(reply)

    def _answer(self, reply: Reply) -> Any | None:
        if reply.status > 299:
            raise ExtensionFailed(f"{self.name} answered status {reply.status}{self._excerpt(reply.body)}")
        if reply.status == 204:
            return None
        try:
            return json.loads(self._opened(reply))
        except (ValueError, RecursionError):
            raise ExtensionFailed(f"{self.name} answered something that is not JSON: check its address") from None

    def _opened(self, reply: Reply) -> bytes:
        """The body, decrypted where the extension chose to encrypt it."""
        if reply.headers.get("content-encoding", "").strip().lower() != "aesgcm":
            return reply.body
        key = self.token.encode()[:_KEY]
        if len(key) < _KEY:
            raise ExtensionFailed(f"{self.name} encrypts its answer: give it and us a token of at least 32 characters")
        try:
            return unlock(reply.body, key)
        except DecryptError as error:
            raise ExtensionFailed(f"the answer of {self.name} cannot be decrypted: {error}") from None

    def _excerpt(self, body: bytes) -> str:
        """The begin of what it said, without what looks like a key."""
        text = _UNPRINTABLE.sub(" ", body[:_LOOKED_AT].decode(errors="replace")).strip()
        masked = _LONG_RUN.sub("***", text.replace(self.token, "***") if self.token else text)
        return f": {masked[:_SHOWN]}" if masked else ": is its token the same as ours?"
