"""``make bench``: what the runner does a second, what a task costs, how soon it is picked up.

Manager and runner are processes of their own, on loopback. Each scenario runs several times; the table shows the
median and the range. With ``--neutral PROGRAM`` the throughput is measured against another manager too, one that takes
``-addr HOST:PORT -n TASKS`` and prints a line of JSON with ``done``, ``of`` and ``tasks_per_s`` at its end.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
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
    parser.add_argument("--neutral", default="", help="a manager to measure against too")
    given = parser.parse_args()
    print(machine(), end="\n\n")
    print("| scenario | figure | median | lowest | highest |")
    print("|---|---|--:|--:|--:|")
    for scenario in scenarios(given.tasks):
        if given.only in scenario.title:
            show(measure(scenario, given.runs))
    if given.neutral:
        for slots in (16, 100):
            show(measure_neutral(given.neutral, given.tasks, slots, given.runs))
    if given.only in "commands":
        show_commands(given.runs)
    if given.only in "mask":
        print("\nThe mask, MB/s:\n", flush=True)
        subprocess.run([sys.executable, str(HERE / "mask.py")], check=True)
    if given.only in "pipeline":
        print("\nA step on the host engine:\n", flush=True)
        subprocess.run([sys.executable, str(HERE / "pipeline.py")], check=True)
    if given.only in "drone":
        print("\nStages of the embedded Drone server:\n", flush=True)
        subprocess.run([sys.executable, str(HERE / "drone.py")], check=True)


def measure(scenario: Scenario, runs: int) -> Row:
    """Run a scenario so many times."""
    row = Row(scenario)
    for _ in range(runs):
        with process("manager.py", *scenario.manager) as manager:
            url = line_of(manager)
            begun = time.perf_counter()
            with process("runner.py", url, *scenario.runner) as runner:
                figures = json.loads(line_of(manager))
                seconds = time.perf_counter() - begun
                runner.send_signal(signal.SIGTERM)
                figures |= json.loads(line_of(runner))
        figures["cpu_ms_per_task"] = figures["cpu_s"] * 1000 / max(1, figures["done"])
        figures["cpu_ms_per_s"] = figures["cpu_s"] * 1000 / seconds
        if figures["done"] != figures["of"]:
            sys.exit(f"{scenario.title}: only {figures['done']} of {figures['of']} tasks succeeded")
        row.add(figures)
    return row


def measure_neutral(program: str, tasks: int, slots: int, runs: int) -> Row:
    """Throughput against a manager that is not ours."""
    title = f"no-op tasks, {slots} slots, {Path(program).stem}"
    row = Row(Scenario(title, [], [], ["tasks_per_s", "cpu_ms_per_task", "rss_mb"]))
    for _ in range(runs):
        address = f"127.0.0.1:{free_port()}"
        with started([program, "-addr", address, "-n", str(tasks)]) as manager:
            wait_for(address)
            arguments = ["--account", "acct", "--type", "BENCH", "--slots", str(slots), "--poll-interval", "0.01"]
            with process("runner.py", f"http://{address}", *arguments) as runner:
                figures = json.loads(line_of(manager))
                runner.send_signal(signal.SIGTERM)
                figures |= json.loads(line_of(runner))
        figures["cpu_ms_per_task"] = figures["cpu_s"] * 1000 / max(1, figures["done"])
        row.add(figures)
    return row


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(address: str) -> None:
    """Wait until somebody listens there."""
    host, _, port = address.partition(":")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"nobody listens at {address}")


def process(script: str, *arguments: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """One of our scripts as a process."""
    return started([sys.executable, str(HERE / script), *arguments])


@contextmanager
def started(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A process; told to end, by the end of its input, and ended at the end."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            if running.stdin is not None:
                running.stdin.close()
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                running.kill()


def line_of(running: subprocess.Popen[str]) -> str:
    """The next line that a process prints."""
    line = running.stdout.readline() if running.stdout else ""
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
            begun = time.perf_counter()
            subprocess.run([delegate, *arguments], check=True, capture_output=True)
            row.add({"seconds": time.perf_counter() - begun})
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
