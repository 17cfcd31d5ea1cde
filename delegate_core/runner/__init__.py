"""The core loop: one runner, from its registration to the end of its drain."""

from delegate_core.runner.inbox import Inbox
from delegate_core.runner.runner import Runner
from delegate_core.runner.snapshot import RunningTask, Snapshot

__all__ = ["Inbox", "Runner", "RunningTask", "Snapshot"]
