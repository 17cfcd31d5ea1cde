"""What a runner shows of itself over HTTP: health, readiness, metrics, its state as JSON and as a page."""

from delegate_core.status.access import Access
from delegate_core.status.activity import Activity
from delegate_core.status.address import StatusAddress, StatusFile
from delegate_core.status.meter import Meter
from delegate_core.status.metrics import Metrics
from delegate_core.status.pickups import Pickups
from delegate_core.status.report import StatusReport
from delegate_core.status.server import Bind, StatusServer, parse_bind
from delegate_core.status.source import Source

__all__ = [
    "Access",
    "Activity",
    "Bind",
    "Meter",
    "Metrics",
    "Pickups",
    "Source",
    "StatusAddress",
    "StatusFile",
    "StatusReport",
    "StatusServer",
    "parse_bind",
]
