"""Handlers that tests can steer."""

from collections.abc import Callable
from typing import Any

import anyio

from delegate_core import TaskContext

__all__ = ["Gate", "Talker", "endless", "fib"]


def fib(data: dict[str, int]) -> dict[str, int]:
    """Ends at once."""
    return {"n": data["n"]}


async def endless(data: object, context: TaskContext) -> None:
    """Runs until it is ended."""
    context.log("started")
    await anyio.sleep_forever()


class Gate:
    """A handler that waits until it is opened."""

    def __init__(self) -> None:
        self.entered = anyio.Event()
        self.open = anyio.Event()

    @property
    def handler(self) -> Callable[..., Any]:
        async def gate(data: object) -> str:
            self.entered.set()
            await self.open.wait()
            return "done"

        return gate


class Talker:
    """A handler that prints what it is sent, until that is closed."""

    def __init__(self) -> None:
        self.send, self._receive = anyio.create_memory_object_stream[str](10)

    async def print_all(self, context: TaskContext) -> None:
        async with self._receive:
            async for line in self._receive:
                context.log(line)

    @property
    def handler(self) -> Callable[..., Any]:
        async def talk(data: object, context: TaskContext) -> None:
            await self.print_all(context)

        return talk
