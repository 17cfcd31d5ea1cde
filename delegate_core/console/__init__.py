"""What an operator sees of a running runner: a live view, plain lines, or JSON lines."""

from delegate_core.console.console import Console, Kind, open_console

__all__ = ["Console", "Kind", "open_console"]
