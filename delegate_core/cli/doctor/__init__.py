"""``delegate doctor``."""

from delegate_core.cli.doctor.command import doctor

__all__ = ["doctor"]
