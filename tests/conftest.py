"""What all tests share."""

from __future__ import annotations

import faulthandler
import signal

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes is the machine's business.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("ci"), max_examples=60)
settings.load_profile("unhurried")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--exhaustive", action="store_true", help="also run the tests that are marked as exhaustive")


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        # Run by nohup: what a test starts shall not inherit that, as it does not inherit a handler.
        signal.signal(signal.SIGHUP, lambda *_: None)
    if not hasattr(config, "workerinput"):  # xdist's workers hand their reports to the process that shows them
        config.pluginmanager.register(AtOnce(config))


_LEAVING = 120
"""Seconds for a process to end once its tests are over, threads and all."""


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Nothing waits for ever for a thread that never ends: who does not leave says where it hangs, and is ended.

    Not so xdist's workers: those wait for one another, and are ended then.
    """
    if not hasattr(config, "workerinput"):
        faulthandler.dump_traceback_later(_LEAVING, exit=True, file=2)


class AtOnce:
    """Shows a failure when it happens: a run that is cut off later has said it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            terminal = self._config.get_terminal_writer()
            terminal.line()
            terminal.line(f"FAILED {report.nodeid} ({report.when}, after {report.duration:.0f} s)", red=True)
            terminal.line(report.longreprtext[-2_000:])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for ``make soak``, and say how much that was."""
    if config.getoption("--exhaustive"):
        return
    left_out = [item for item in items if item.get_closest_marker("exhaustive")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("exhaustive")]
