"""The same tests again and again: ``python -m tests.repeat 20 tests/reliability``, what ``make repeat`` does.

A test that fails once in twenty rounds is wrong, or has found something. Each round is a run of pytest of its own, so
that nothing is left of the one before it. What a round printed is kept where it failed. Ends with status 1 then.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
_SUMMARY = re.compile(r"^=+ (.*) =+$", re.MULTILINE)


def failures_of(number: int, arguments: list[str], kept: Path) -> list[str]:
    """One round; the tests that failed in it."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    summary = _SUMMARY.findall(done.stdout) or ["no summary"]
    print(f"round {number}: {summary[-1]} ({time.monotonic() - begun:.0f} s of wall time)", flush=True)
    if done.returncode == 0:
        return []
    kept.mkdir(parents=True, exist_ok=True)
    log = kept / f"round-{number}.txt"
    log.write_text(done.stdout)
    failed = _FAILED.findall(done.stdout) or [f"pytest itself, with exit status {done.returncode}"]
    print("".join(f"  {each}\n" for each in failed) + f"  its output is in {log}", flush=True)
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", type=int)
    parser.add_argument("--kept", type=Path, default=Path(".repeat"), help="where the output of failed rounds goes")
    given, arguments = parser.parse_known_args()
    failed: Counter[str] = Counter()
    bad = 0
    for number in range(1, given.rounds + 1):
        found = failures_of(number, arguments, given.kept)
        failed.update(found)
        bad += bool(found)
    print(f"{given.rounds - bad} of {given.rounds} rounds passed")
    for test, times in failed.most_common():
        print(f"  failed in {times}: {test}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
