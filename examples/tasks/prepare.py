"""Make what the tasks beside this file fetch: a git repository, an archive, two downloads. Then serve them.

::

    python prepare.py FOLDER

The tasks are written into FOLDER with the commit and the checksums filled in; the server is on this machine's own
address only, and ends with Ctrl-C.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

HERE = Path(__file__).parent.resolve()


def committed(repository: Path) -> str:
    """Make a git repository of the program's folder; its commit."""
    shutil.copytree(HERE / "users", repository)
    git = ["git", "-C", str(repository), "-c", "user.name=Example", "-c", "user.email=example@example.com"]
    for line in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "Find users"]):
        subprocess.run([*git, *line], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def digest(file: Path) -> str:
    """Its SHA-256."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def prepare(folder: Path, base: str) -> None:
    """Fill a new folder."""
    served = folder / "served"
    served.mkdir(parents=True)
    commit = committed(folder / "users")
    with tarfile.open(served / "users.tar.gz", "w:gz") as archive:
        archive.add(HERE / "users", arcname="users-main")
    (served / "users.zst").write_bytes(zstd.compress((HERE / "users" / "users.py").read_bytes()))
    shutil.copy(HERE / "issue-token", served)
    known = {
        "@REPOSITORY@": (folder / "users").as_uri(),
        "@COMMIT@": commit,
        "@BASE@": base,
        "@ARCHIVE_SHA256@": digest(served / "users.tar.gz"),
        "@USERS_SHA256@": digest(served / "users.zst"),
        "@ISSUE_TOKEN_SHA256@": digest(served / "issue-token"),
    }
    for task in sorted(HERE.glob("*.json")):
        text = task.read_text("utf-8")
        for name, value in known.items():
            text = text.replace(name, value)
        json.loads(text)
        (folder / task.name).write_text(text, "utf-8")


def main() -> None:
    """Prepare and serve."""
    if len(sys.argv) != 2:
        sys.exit("usage: python prepare.py FOLDER")
    folder = Path(sys.argv[1]).resolve()
    if folder.exists():
        sys.exit(f"{folder} is there already; name a new one")
    served = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), served) as server:
        prepare(folder, f"http://127.0.0.1:{server.server_port}")
        print(f"tasks in {folder}, downloads at http://127.0.0.1:{server.server_port}; end with Ctrl-C", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
