"""The engines of one runner: opened with it, watched while it runs, closed with it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import anyio

from delegate_core.backoff import Backoff
from delegate_core.cancellation import raise_if_cancelled
from delegate_core.engines.contribution import EngineSetup, OpenEngine, StepEngine
from delegate_core.engines.engine import EngineError
from delegate_core.errors import PluginError
from delegate_core.plugins import Plugins
from delegate_core.runner.calls import Fault, describe
from delegate_core.runner.slots import Slots
from delegate_core.settings import Settings

__all__ = ["Engines", "collect_engines"]

_log = logging.getLogger(__name__)

_INTERVAL = 5.0
"""Seconds between two checks of an engine."""
_PATIENCE = 10.0
"""Seconds that an engine has to answer a check."""
_NOT_CHECKED = "not asked yet"


def collect_engines(plugins: Plugins) -> dict[str, StepEngine]:
    """What the plugins of a runner contribute, by name.

    Raises:
        PluginError: two bring an engine of one name, or what one brings is none; both are named.
    """
    found: dict[str, StepEngine] = {}
    origins: dict[str, str] = {}
    for plugin, contributed in plugins.collect("step_engines"):
        try:
            for offer in _checked(plugin, contributed, origins):
                found[offer.name], origins[offer.name] = offer, plugin
        except PluginError as error:
            plugins.leave_out(plugin, error)
    return found


def _checked(plugin: str, contributed: Iterable[object], origins: Mapping[str, str]) -> list[StepEngine]:
    offers: list[StepEngine] = []
    for offer in contributed:
        if not isinstance(offer, StepEngine):
            raise PluginError(f"plugin {plugin}: step_engines must answer StepEngine objects, not {offer!r}")
        if offer.name in origins:
            raise PluginError(f"two engines {offer.name!r}: one from {origins[offer.name]}, one from {plugin}")
        offers.append(offer)
    return offers


class Engines:
    """The engines of one runner by name, and whether they are well.

    While an engine is down, no task of a type that needs it is taken. Resource handling: `opened` owns the engines and
    the loops that watch them. Error handling: whatever a check or a sweep raises means that the engine is down; it is
    asked again after some seconds, for ever.

    Args:
        offers: the engines.
        settings: of each by name; missing ones have their defaults.
        needed: for each engine the task types that need it.
        slots: where they are held back.
    """

    def __init__(
        self,
        offers: Mapping[str, StepEngine],
        settings: Mapping[str, Settings | None],
        needed: Mapping[str, frozenset[str]],
        slots: Slots,
    ) -> None:
        self._offers = offers
        self._settings = settings
        self._needed = needed
        self._slots = slots
        self._open: dict[str, OpenEngine] = {}
        self._doubts: dict[str, anyio.Event] = {}
        self.troubles: dict[str, str] = {}
        """Why an engine that some task type needs is down, by its name."""
        for name in needed:
            self._note_down(name, _NOT_CHECKED)

    def get(self, name: str) -> OpenEngine:
        """An open engine.

        Raises:
            EngineError: no plugin brings it.
        """
        if name not in self._open:
            known = ", ".join(sorted(self._offers)) or "none is installed"
            raise EngineError(
                f"this runner has no engine {name!r} (engines: {known}); "
                f"an engine comes with its plugin, for example: pip install delegate-{name}"
            )
        return self._open[name]

    @asynccontextmanager
    async def opened(self, owner: str) -> AsyncIterator[None]:
        """Open all of them for this owner and watch them; leaving closes them."""
        async with AsyncExitStack() as stack:
            for name, offer in self._offers.items():
                self._doubts[name] = anyio.Event()
                self._open[name] = await stack.enter_async_context(offer.open(self._setup(name, owner)))
            async with anyio.create_task_group() as group:
                for name, engine in self._open.items():
                    group.start_soon(self._watch, name, engine, owner)
                yield
                group.cancel_scope.cancel()

    def _setup(self, name: str, owner: str) -> EngineSetup:
        settings = self._settings[name] if name in self._settings else self._offers[name].default_settings()
        return EngineSetup(settings=settings, owner=owner, doubt=lambda: self._doubt(name))

    def _doubt(self, name: str) -> None:
        self._doubts[name].set()

    # ------------------------------------------------------------------ watching

    async def _watch(self, name: str, engine: OpenEngine, owner: str) -> None:
        """Check one engine for ever, and sweep it whenever it is there again."""
        backoff, well = Backoff(first=0.5, most=_INTERVAL), False
        while True:
            self._doubts[name] = anyio.Event()
            trouble = await self._trouble(engine, None if well else owner)
            well = not trouble
            if trouble:
                self._note_down(name, trouble)
                await anyio.sleep(backoff.next())
                continue
            backoff.reset()
            self._note_well(name)
            with anyio.move_on_after(_INTERVAL):
                await self._doubts[name].wait()

    async def _trouble(self, engine: OpenEngine, owner: str | None) -> str:
        """Why it is down; empty where it is well."""
        try:
            with anyio.fail_after(_PATIENCE):
                await engine.check()
            if owner is not None:
                await engine.sweep(owner)
        except TimeoutError:
            return f"it did not answer within {_PATIENCE:g}s"
        except Fault as error:
            raise_if_cancelled()
            return describe(error)
        return ""

    def _note_down(self, name: str, why: str) -> None:
        if name not in self._needed:
            _log.debug("engine %s: %s", name, why)  # whoever asks for it will be told
            return
        if self.troubles.get(name) != why:
            self.troubles[name] = why
            types = self._needed[name]
            self._slots.hold(f"engine {name}", f"engine {name}: {why}", types)
            if why is not _NOT_CHECKED:
                _log.warning("engine %s: %s; no task of type %s is taken", name, why, ", ".join(sorted(types)))

    def _note_well(self, name: str) -> None:
        before = self.troubles.pop(name, None)
        if before is None:
            return
        self._slots.unhold(f"engine {name}")
        _log.info("engine %s is %s", name, "there" if before is _NOT_CHECKED else "back")
