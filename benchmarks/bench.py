"""``make bench``: what the runner does a second, what a task costs, how soon it is picked up.

Manager and runner are processes of their own, on loopback. Each scenario runs several times; the table shows the
median and the range. ``--manager PROGRAM`` takes the address of a manager that is started by hand instead.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Scenario:
    """One line of the table."""

    title: str
    manager: Sequence[str]
    runner: Sequence[str]
    figures: Sequence[str]


@dataclass
class Row:
    """The figures of a scenario's runs."""

    scenario: Scenario
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, figures: dict[str, float]) -> None:
        """Add one run."""
        for name in self.scenario.figures:
            self.values.setdefault(name, []).append(figures[name])


def scenarios(tasks: int) -> list[Scenario]:
    """All of them; ``tasks`` is how many a throughput run has."""
    queued = ["--tasks", str(tasks)]
    fast = ["--poll-interval", "0.01"]
    through = ["tasks_per_s", "cpu_ms_per_task", "rss_mb"]
    pickup = ["pickup_p50_ms", "pickup_p99_ms", "polls_per_s"]
    return [
        Scenario("no-op tasks, 1 slot", ["--tasks", str(tasks // 4)], ["--slots", "1", *fast], through),
        Scenario("no-op tasks, 16 slots", queued, ["--slots", "16", *fast], through),
        Scenario("no-op tasks, 16 slots, no journal", queued, ["--slots", "16", *fast, "--journal", "off"], through),
        Scenario("no-op tasks, 16 slots, durable", queued, ["--slots", "16", *fast, "--journal", "durable"], through),
        Scenario("no-op tasks, 100 slots", queued, ["--slots", "100", *fast], through),
        Scenario("2,000 tasks at once, 100 slots, poll 3 s", ["--tasks", "2000"], ["--slots", "100"], through),
        Scenario(
            "one task each 130 ms, poll 1 s", ["--tasks", "60", "--every", "0.13"], ["--poll-interval", "1"], pickup
        ),
        Scenario("one task each 1.5 s, poll 3 s", ["--tasks", "8", "--every", "1.5"], [], pickup),
        Scenario("idle, poll 3 s", ["--seconds", "12"], [], ["requests_per_s", "cpu_ms_per_s", "registered_s"]),
    ]


def main() -> None:
    """Run the scenarios and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tasks", type=int, default=4000)
    parser.add_argument("--only", default="", help="scenarios whose title has these words")
    given = parser.parse_args()
    print(machine(), end="\n\n")
    print("| scenario | figure | median | lowest | highest |")
    print("|---|---|--:|--:|--:|")
    for scenario in scenarios(given.tasks):
        if given.only in scenario.title:
            show(measure(scenario, given.runs))
    if given.only in "commands":
        show_commands(given.runs)


def measure(scenario: Scenario, runs: int) -> Row:
    """Run a scenario so many times."""
    row = Row(scenario)
    for _ in range(runs):
        with process("manager.py", *scenario.manager) as manager:
            url = line_of(manager)
            started = time.perf_counter()
            with process("runner.py", url, *scenario.runner) as runner:
                figures = json.loads(line_of(manager))
                seconds = time.perf_counter() - started
                runner.send_signal(signal.SIGTERM)
                figures |= json.loads(line_of(runner))
        figures["cpu_ms_per_task"] = figures["cpu_s"] * 1000 / max(1, figures["done"])
        figures["cpu_ms_per_s"] = figures["cpu_s"] * 1000 / seconds
        if figures["done"] != figures["of"]:
            sys.exit(f"{scenario.title}: only {figures['done']} of {figures['of']} tasks succeeded")
        row.add(figures)
    return row


@contextmanager
def process(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """One of our scripts as a process; ended at the end."""
    command = [sys.executable, str(HERE / script), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            if started.stdin is not None:
                started.stdin.close()
            try:
                started.wait(10)
            except subprocess.TimeoutExpired:
                started.kill()


def line_of(started: subprocess.Popen[str]) -> str:
    """The next line that a process prints."""
    assert started.stdout is not None
    line = started.stdout.readline()
    if not line:
        sys.exit("a process of the benchmark ended early")
    return line.strip()


def show_commands(runs: int) -> None:
    """How long commands take as whole processes."""
    delegate = shutil.which("delegate", path=str(Path(sys.executable).parent)) or "delegate"
    for arguments in (["--help"], ["plugins", "list", "--json"], ["run", "--backend", "harness", "--help"]):
        scenario = Scenario(f"delegate {' '.join(arguments)}", [], [], ["seconds"])
        row = Row(scenario)
        for _ in range(max(5, runs)):
            started = time.perf_counter()
            subprocess.run([delegate, *arguments], check=True, capture_output=True)
            row.add({"seconds": time.perf_counter() - started})
        show(row)


def show(row: Row) -> None:
    """Print a scenario's lines."""
    for name, values in row.values.items():
        cells = [number(function(values)) for function in _COLUMNS]
        print(f"| {row.scenario.title} | {_TITLES.get(name, name)} | {' | '.join(cells)} |", flush=True)


_COLUMNS: Sequence[Callable[[Sequence[float]], float]] = (statistics.median, min, max)

_TITLES = {
    "tasks_per_s": "tasks/s",
    "cpu_ms_per_task": "CPU a task (ms), start and end included",
    "cpu_ms_per_s": "CPU (ms a second), start and end included",
    "rss_mb": "most resident memory (MB)",
    "pickup_p50_ms": "pick-up p50 (ms)",
    "pickup_p99_ms": "pick-up p99 (ms)",
    "polls_per_s": "polls/s",
    "requests_per_s": "requests/s",
    "registered_s": "start to registered (s)",
    "seconds": "whole process (s)",
}


def number(value: float) -> str:
    """As many digits as it is worth."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def machine() -> str:
    """What it was measured on."""
    cpus = os.cpu_count()
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return (
        f"{model}, {cpus} cores; {platform.system()} {platform.release()}; Python {platform.python_version()}; loopback"
    )


if __name__ == "__main__":
    main()
