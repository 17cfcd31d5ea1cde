"""A runner as a service of systemd: its unit, and what it tells the service manager."""

from delegate_core.service.notifier import Notifier
from delegate_core.service.unit import Unit

__all__ = ["Notifier", "Unit"]
