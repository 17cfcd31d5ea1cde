"""The tests that failed in the last run once more, one at a time: ``python -m tests.second_try``, what CI does.

Arguments are handed on to pytest.

Ends with status 0 where each of them passes now, and names them as flaky. It does not try where more than a few failed,
or where pytest itself did (nothing is on record then): that is no matter of luck.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FEW = 5

_RECORD = Path(".pytest_cache/v/cache/lastfailed")


def main() -> None:
    failed = sorted(json.loads(_RECORD.read_text())) if _RECORD.exists() else []
    if not 0 < len(failed) <= FEW:
        sys.exit(f"{len(failed) or 'no'} failed tests on record; a second try is for 1 to {FEW}")
    command = [sys.executable, "-m", "pytest", "--last-failed", "--last-failed-no-failures=none", *sys.argv[1:]]
    if status := subprocess.run(command, check=False).returncode:
        sys.exit(status)
    print("FLAKY, passed at the second try:", *failed, sep="\n  ")


if __name__ == "__main__":
    main()
