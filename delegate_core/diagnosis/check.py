"""Checks, and running them: all at one time, each within its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import anyio

from delegate_core.cancellation import raise_if_cancelled
from delegate_core.diagnosis.finding import Finding
from delegate_core.errors import DelegateError, Interrupt, Retry
from delegate_core.http import TransportError

__all__ = ["Check", "Checked", "run_checks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing to look at.

    Args:
        name: a word or three; a plugin's check stands in the place of the core's of the same name.
        run: looks, changes nothing, and says what it found. Errors of this program that it raises are problems.
        after: names of checks before this one that have to be well, or it is skipped.
        timeout: seconds that it has.
    """

    name: str
    run: Callable[[], Awaitable[Finding]]
    after: Sequence[str] = ()
    timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class Checked:
    """A check that is over, after so many seconds."""

    name: str
    finding: Finding
    seconds: float


@dataclass(slots=True)
class _Pending:
    check: Check
    done: anyio.Event = field(default_factory=anyio.Event)
    finding: Finding | None = None


async def run_checks(checks: Sequence[Check], tell: Callable[[Checked], object] = lambda _: None) -> list[Checked]:
    """Run them all at one time and return what they found, in their order; ``tell`` hears of each when it is over.

    A check waits for those that it names, of those before it, so that no two wait for each other.
    """
    pending: dict[str, _Pending] = {}
    found: dict[int, Checked] = {}

    async def look(number: int, one: _Pending, before: Mapping[str, _Pending]) -> None:
        began = time.monotonic()
        for name in one.check.after:
            if name in before:
                await before[name].done.wait()
        one.finding = _hindrance(one.check, before) or await _looked(one.check)
        one.done.set()
        found[number] = Checked(one.check.name, one.finding, time.monotonic() - began)
        tell(found[number])

    async with anyio.create_task_group() as group:
        for number, check in enumerate(checks):
            one = _Pending(check)
            group.start_soon(look, number, one, dict(pending))
            pending[check.name] = one
    return [found[number] for number in range(len(checks))]


def _hindrance(check: Check, before: Mapping[str, _Pending]) -> Finding | None:
    for name in check.after:
        finding = before[name].finding if name in before else None
        if finding is not None and finding.status in {"problem", "skipped"}:
            return Finding.skipped(f"not looked at: {name} comes first")
    return None


async def _looked(check: Check) -> Finding:
    """What it found, whatever it raises."""
    try:
        with anyio.fail_after(check.timeout):
            return await check.run()
    except TimeoutError:
        return Finding.problem(
            f"no answer within {check.timeout:g}s", "see whether what it asks hangs or is overloaded"
        )
    except DelegateError as error:
        return Finding.of_text(str(error), code=error.exit_code)
    except TransportError as error:
        return Finding.of_text(str(error), code=5)
    except (Interrupt, Retry) as error:
        inner = getattr(error, "error", None)
        return Finding.of_text(str(inner or error), code=inner.exit_code if inner else 5)
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - a plugin may raise anything
        raise_if_cancelled()
        text = f"{type(error).__name__}: {error}"
        return Finding.problem(f"the check itself failed: {text}", "tell whoever made the plugin that brings it")
