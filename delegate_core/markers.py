"""The two markers: all that a plugin must import to take part.

>>> from delegate_core.markers import hookimpl
>>> class Veto:
...     @hookimpl
...     def accept_task(self, offer):
...         return "not today" if offer.type == "deploy" else None
"""

from __future__ import annotations

import pluggy

__all__ = ["PROJECT", "hookimpl", "hookspec"]

PROJECT = "delegate_core"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
