"""What an operator sees of a running runner: a live view, plain lines, or JSON lines."""

from delegate_core.console.console import Console, Kind, open_console
from delegate_core.console.file import FileConsole, open_log_file

__all__ = ["Console", "FileConsole", "Kind", "open_console", "open_log_file"]
