"""The log file: rotated, moved away by others, shared with other processes, and out of room."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delegate_core.console.logfile import LogFile

_PROGRAM = """
import sys
from pathlib import Path
from delegate_core.console.logfile import LogFile
file = LogFile(Path(sys.argv[1]), size=300, kept=1000)
print("ready", flush=True)
sys.stdin.read(1)
for number in range(300):
    file.write(f"{sys.argv[2]}-{number}\\n")
"""

_SHORT_OF_ROOM = """
import resource, sys
from pathlib import Path
from delegate_core.console.logfile import LogFile
file = LogFile(Path(sys.argv[1]), size=0, kept=0)
file.write("before\\n")
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
for _ in range(2):
    try:
        file.write("cut in two\\n")
    except OSError as error:
        print(error.errno)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
file.write("after\\n")
file.write("and on\\n")
"""


def files_of(path: Path) -> list[Path]:
    """The files, the oldest first."""
    numbered = sorted(path.parent.glob(f"{path.name}.*"), key=lambda one: -int(one.suffix[1:]))
    return [*numbered, *([path] if path.exists() else [])]


def lines_of(path: Path) -> list[str]:
    return [line for file in files_of(path) for line in file.read_text("utf-8").split("\n")[:-1]]


def test_a_file_over_its_size_is_moved_away_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "runner.log"
    file = LogFile(path, size=20, kept=2)
    for number in range(10):
        file.write(f"line {number}\n")
    assert [one.name for one in files_of(path)] == ["runner.log.2", "runner.log.1", "runner.log"]
    assert lines_of(path) == [f"line {number}" for number in range(4, 10)]


@settings(max_examples=50, deadline=None)
@given(
    lines=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30), max_size=30),
    size=st.integers(1, 80),
)
def test_whatever_is_written_each_line_is_in_one_file_and_none_is_larger_than_it_may(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "runner.log"
    file = LogFile(path, size=size, kept=1000)
    file.write("".join(f"{line}\n" for line in lines))
    assert lines_of(path) == lines
    for one in files_of(path):
        data = one.read_bytes()
        assert len(data) <= size or data.count(b"\n") == 1


def test_without_old_files_to_keep_it_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "runner.log"
    file = LogFile(path, size=10, kept=0)
    for number in range(3):
        file.write(f"line {number}\n")
    assert (files_of(path), path.read_text()) == ([path], "line 2\n")


def test_a_new_file_is_its_owners_alone_and_one_that_others_made_keeps_its_mode(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        LogFile(tmp_path / "own.log", size=0, kept=0)
        shared = tmp_path / "shared.log"
        shared.touch()
        shared.chmod(0o640)
        file = LogFile(shared, size=8, kept=1)
        file.write("first\n")
        file.write("second\n")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "own.log").stat().st_mode) == 0o600
    assert [stat.S_IMODE(one.stat().st_mode) for one in files_of(shared)] == [0o640, 0o640]


def test_where_it_was_moved_away_or_removed_a_new_one_is_begun(tmp_path: Path) -> None:
    path = tmp_path / "runner.log"
    file = LogFile(path, size=0, kept=0)
    file.write("first\n")
    path.rename(tmp_path / "elsewhere")
    file.reopen()
    assert path.read_text() == ""
    file.write("second\n")
    path.unlink()
    file.write("third\n")
    assert ((tmp_path / "elsewhere").read_text(), path.read_text()) == ("first\n", "third\n")


def test_a_link_is_followed_and_not_rotated(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "runner.log"
    link.symlink_to(tmp_path / "disk" / "real.log")
    file = LogFile(link, size=8, kept=1)
    file.write("first\n")
    file.write("second\n")
    assert link.is_symlink()
    assert lines_of(tmp_path / "disk" / "real.log") == ["first", "second"]


def test_what_is_no_regular_file_is_not_rotated() -> None:
    file = LogFile(Path("/dev/null"), size=1, kept=1)
    file.write("first\n")
    file.write("second\n")
    assert not Path("/dev/null.1").exists()


def test_where_it_cannot_be_rotated_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "runner.log"
    file = LogFile(path, size=8, kept=1)
    (tmp_path / "runner.log.1" / "in the way").mkdir(parents=True)
    file.write("first\n")
    file.write("second\n")
    assert path.read_text() == "first\nsecond\n"


def test_several_processes_share_it_and_no_line_is_lost_or_torn(tmp_path: Path) -> None:
    path = tmp_path / "runner.log"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(path), str(name)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in range(3)
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write(b"g")
            writer.stdin.flush()
        assert [writer.wait(30) for writer in writers] == [0, 0, 0]
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert len(files_of(path)) > 1
    assert sorted(lines_of(path)) == sorted(f"{name}-{number}" for name in range(3) for number in range(300))


def test_a_line_cut_in_two_by_a_full_disk_is_the_only_one(tmp_path: Path) -> None:
    path = tmp_path / "runner.log"
    done = subprocess.run(
        [sys.executable, "-c", _SHORT_OF_ROOM, str(path)], capture_output=True, text=True, check=True, timeout=100
    )
    assert len(done.stdout.split()) == 2
    assert re.findall("left out of it", done.stderr) == ["left out of it"]
    assert path.read_text().splitlines() == ["before", "cut", "after", "and on"]


def test_the_json_of_a_line_survives_it(tmp_path: Path) -> None:
    path = tmp_path / "runner.log"
    LogFile(path, size=0, kept=0).write(json.dumps({"a": "\ud800"}) + "\n")
    assert json.loads(path.read_text()) == {"a": "\ud800"}
