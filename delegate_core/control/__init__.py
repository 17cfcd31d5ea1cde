"""Orders to a running runner through a socket in its state folder, for the owner of that folder only."""

from delegate_core.control.client import NoRunner, ask
from delegate_core.control.server import ControlServer
from delegate_core.control.wire import Answer, Order

__all__ = ["Answer", "ControlServer", "NoRunner", "Order", "ask"]
