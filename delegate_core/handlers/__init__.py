"""Task handlers: what executes tasks of one type."""

from delegate_core.handlers.context import Cancellation, LogStream, TaskContext
from delegate_core.handlers.function import Handler, handler
from delegate_core.handlers.loading import load_handlers
from delegate_core.handlers.registry import HandlerRegistry

__all__ = ["Cancellation", "Handler", "HandlerRegistry", "LogStream", "TaskContext", "handler", "load_handlers"]
