"""A guided search for inputs that break a target: ``python -m tests.fuzz TARGET --minutes 5``.

Atheris tells which lines an input reached; one that reaches new ones is kept and changed further. At the end a
small set is left that reaches as much. An input that breaks the target is shrunk and kept under the name of
what it broke.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.registry import SEPARATOR

try:
    import atheris
except ImportError:
    sys.exit("atheris is missing: call `make fuzz`, which installs it")

_SECONDS_AN_INPUT = 20
_KEPT_BYTES = 40_000
"""Of a target's corpus, the failures aside: the smallest files come first."""


def main() -> None:
    """Search, or be one of the searches that this starts."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("target")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--libfuzzer", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.libfuzzer:
        _search(arguments.target, arguments.libfuzzer.split("\n"))
    else:
        sys.exit(_searched(arguments.target, arguments.minutes))


def _search(name: str, options: list[str]) -> None:
    """In this process, to its end."""
    with atheris.instrument_imports(include=["delegate_core", "delegate_drone", "delegate_harness"]):
        from tests.fuzz.corpus import keep, shrunk, tried  # noqa: PLC0415 - what is imported here is watched
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - the same
    target = TARGETS[name]

    def one(data: bytes) -> None:
        failure = tried(target, data)
        if failure is not None:
            small = shrunk(target, data, failure)
            path = keep(target, small, tried(target, small) or failure)
            print(f"\n{path}: {type(failure).__name__}: {failure}", flush=True)  # noqa: T201 - a command
            raise failure

    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


def _searched(name: str, minutes: float) -> int:
    """Search in a process of its own, then keep what was found and is worth it; the exit code."""
    from tests.fuzz.corpus import FOLDER, inputs, keep  # noqa: PLC0415 - the search itself imports it elsewhere
    from tests.fuzz.reach import fewest  # noqa: PLC0415 - the same
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - the same

    if name not in TARGETS:
        sys.exit(f"no target {name!r}; there are: {', '.join(TARGETS)}")
    target, folder = TARGETS[name], FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        found, stuck, words = Path(place, "found"), Path(place, "stuck"), Path(place, "words")
        found.mkdir()
        stuck.mkdir()
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in (SEPARATOR.decode(), *target.words)))
        options = [
            f"-max_len={target.longest}",
            f"-max_total_time={int(minutes * 60)}",
            f"-timeout={_SECONDS_AN_INPUT}",
            f"-artifact_prefix={stuck}/",
            f"-dict={words}",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
            "-verbosity=0",
            str(found),
            str(folder),
        ]
        command = [sys.executable, "-m", "tests.fuzz", name, "--libfuzzer=" + "\n".join(options)]
        ended = subprocess.run(command, check=False).returncode
        new = [path.read_bytes() for path in found.iterdir()]
        for path in stuck.iterdir():
            if path.name.startswith(("timeout-", "oom-")):  # it was ended there, and could not be shrunk
                shutil.copy(path, folder / path.name)
    kept = inputs(target)
    failures = {file: data for file, data in kept.items() if "-" in file}
    for file in kept.keys() - failures.keys():
        (folder / file).unlink()
    for data in fewest(target, [*kept.values(), *new], _KEPT_BYTES):
        if data not in failures.values():
            keep(target, data)
    print(f"{name}: {len(inputs(target))} inputs are kept, {len(new)} were found")  # noqa: T201 - a command
    return ended


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode("utf-8", "surrogatepass"))


if __name__ == "__main__":
    main()
