"""Traces and metrics over OpenTelemetry, as the standard ``OTEL_*`` variables ask for them.

Only this package imports OpenTelemetry, and only `delegate_core.telemetry.telemetry` and what that imports: it is an
extra of the distribution, ``delegate-core[otel]``.
"""

from delegate_core.telemetry.asked import SECRET_VARIABLES, Asked, asked, secrets_of

__all__ = ["SECRET_VARIABLES", "Asked", "asked", "secrets_of"]
