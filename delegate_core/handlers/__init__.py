"""Task handlers: what executes tasks of one type."""

from delegate_core.handlers.base import TaskHandler
from delegate_core.handlers.context import Cancellation, LogStream, TaskContext
from delegate_core.handlers.function import Handler, handler
from delegate_core.handlers.loading import load_handlers
from delegate_core.handlers.middleware import Middleware, Proceed
from delegate_core.handlers.registry import HandlerRegistry, OpenHandlers

__all__ = [
    "Cancellation",
    "Handler",
    "HandlerRegistry",
    "LogStream",
    "Middleware",
    "OpenHandlers",
    "Proceed",
    "TaskContext",
    "TaskHandler",
    "handler",
    "load_handlers",
]
