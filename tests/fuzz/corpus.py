"""The inputs that are kept, a file each, and what may be made of them."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.fuzz.effort import TooMuchWork, bounded
from tests.fuzz.registry import SEPARATOR, Target

__all__ = ["FOLDER", "inputs", "keep", "mutated", "shrunk", "tried"]

FOLDER: Final = Path(__file__).parent / "corpus"


def inputs(target: Target) -> dict[str, bytes]:
    """What is kept for a target, by the files' names."""
    folder = FOLDER / target.name
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())} if folder.is_dir() else {}


def tried(target: Target, data: bytes) -> BaseException | None:
    """What a target raises for an input; None if all holds."""
    try:
        with bounded(target.calls * len(data)):
            target.run(data)
    except (Exception, TooMuchWork) as error:  # noqa: BLE001 - whatever it is, is what was looked for
        return error
    return None


def keep(target: Target, data: bytes, failure: BaseException | None = None) -> Path:
    """Write an input to the corpus, named by its content, and by what it once broke."""
    digest = hashlib.sha256(data).hexdigest()[:12]
    path = FOLDER / target.name / (f"{_slug(failure)}-{digest}" if failure else digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _slug(failure: BaseException) -> str:
    words = re.findall(r"[a-z0-9]+", f"{type(failure).__name__} {failure}".lower())
    return "-".join(words[:6])[:60].rstrip("-")


def mutated(data: bytes, others: Sequence[bytes], target: Target, source: random.Random) -> bytes:
    """An input like this one, with a few changes."""
    result = bytearray(data)
    words = [SEPARATOR, *(word.encode("utf-8", "surrogatepass") for word in target.words)]
    for _ in range(source.randint(1, 4)):
        start = source.randint(0, len(result))
        end = min(len(result), start + source.choice((0, 1, 2, 8, 64)))
        match source.randrange(5):
            case 0:
                result[start:end] = b""
            case 1:
                result[start:end] = bytes(result[start:end]) * source.randint(2, 20)
            case 2:
                result[start:start] = source.choice(words)
            case 3:
                result[start:end] = source.randbytes(end - start)
            case 4:
                other = source.choice([data, *others])
                cut = source.randint(0, len(other))
                result[start:end] = other[cut : cut + 64]
    return bytes(result[: target.longest])


def shrunk(target: Target, data: bytes, failure: BaseException) -> bytes:
    """The input with all left out that is not needed for the same kind of failure."""
    size = len(data) // 2
    while size:
        start = 0
        while start < len(data):
            without = data[:start] + data[start + size :]
            if type(tried(target, without)) is type(failure):
                data = without
            else:
                start += size
        size //= 2
    return data
