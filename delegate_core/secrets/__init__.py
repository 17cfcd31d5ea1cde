"""Secrets of tasks: expressions in their data, and the providers that secrets come from."""

from delegate_core.secrets.errors import ExpressionError, SecretError
from delegate_core.secrets.expressions import Resolved, Template, parse
from delegate_core.secrets.functions import FUNCTIONS
from delegate_core.secrets.providers import builtin

__all__ = ["FUNCTIONS", "ExpressionError", "Resolved", "SecretError", "Template", "builtin", "parse"]
