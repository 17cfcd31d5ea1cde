"""A faulty network for tests: an HTTP proxy between a real client and a real server that loses, cuts and spoils calls.

For who tests a backend, or anything else that has to bear a bad network, over real sockets.
"""

from delegate_core.testing.proxy.faults import HTML, Fault, Hold, Mishap, Plan, Which
from delegate_core.testing.proxy.messages import Reply, Request
from delegate_core.testing.proxy.proxy import Exchange, FaultProxy

__all__ = ["HTML", "Exchange", "Fault", "FaultProxy", "Hold", "Mishap", "Plan", "Reply", "Request", "Which"]
