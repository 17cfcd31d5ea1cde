"""The commands' side of the control interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from delegate_core.development.address import Address
from delegate_core.development.server import ServerTask
from delegate_core.errors import DelegateError

__all__ = ["ControlClient"]


class ControlClient:
    """Calls to the running development server. Every error is a `DelegateError` for the person at the terminal."""

    def __init__(self, address: Address) -> None:
        self._http = httpx.Client(
            base_url=address.url,
            headers={"Authorization": f"Bearer {address.token}"},
            timeout=httpx.Timeout(10, read=None),
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def submit(self, text: str, options: Mapping[str, str]) -> list[str]:
        """Submit a file's text; the ids of the tasks it made."""
        ids: list[str] = self._call("POST", "/tasks", content=text.encode(), params=dict(options))["ids"]
        return ids

    def tasks(self) -> list[ServerTask]:
        """All tasks."""
        return [ServerTask(**task) for task in self._call("GET", "/tasks")["tasks"]]

    def task(self, task_id: str, *, wait: float = 0.0) -> ServerTask:
        """One task, once it has its outcome, but after ``wait`` seconds at the latest; ``inf`` waits for ever."""
        return ServerTask(**self._call("GET", f"/tasks/{_part(task_id)}/result", params={"wait": wait}))

    def cancel(self, task_id: str) -> bool:
        """Cancel a task; False if it had ended."""
        return bool(self._call("POST", f"/tasks/{_part(task_id)}/cancel")["cancelled"])

    def log(self, task_id: str, *, follow: float = 0.0) -> Iterator[str]:
        """A task's log: what is there, and what comes within ``follow`` seconds, to its end."""
        try:
            with self._http.stream("GET", f"/tasks/{_part(task_id)}/log", params={"follow": follow}) as reply:
                if reply.status_code != 200:
                    reply.read()
                    raise _refusal(reply)
                yield from reply.iter_text()
        except httpx.HTTPError as error:
            raise _unreachable(error) from None

    def _call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            reply = self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise _unreachable(error) from None
        if reply.status_code >= 300:
            raise _refusal(reply)
        found: dict[str, Any] = reply.json()
        return found


def _part(task_id: str) -> str:
    return quote(task_id, safe="")


def _refusal(reply: httpx.Response) -> DelegateError:
    try:
        return DelegateError(str(reply.json()["error"]))
    except (ValueError, KeyError, TypeError):
        return DelegateError(f"the development server answered {reply.status_code}")


def _unreachable(error: httpx.HTTPError) -> DelegateError:
    return DelegateError(f"the development server does not answer ({error}); start it again with: delegate dev")
