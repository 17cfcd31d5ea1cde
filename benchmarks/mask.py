"""How fast the mask is: MB/s over log-like text, by number of secrets and size of chunk.

Run it with `python benchmarks/mask.py`. A second table shows one 4 kB private key among the secrets.
"""

import random
import string
import time

from delegate_core.logs import Mask

TEXT_BYTES = 8 * 1024 * 1024
CHUNKS = (64 * 1024, 100)
COUNTS = (0, 1, 10, 100, 1000)


def main() -> None:
    """Measure and print both tables."""
    rng = random.Random(7)  # noqa: S311 - the same text in every run
    secrets = [_secret(rng) for _ in range(max(COUNTS))]
    text = _text(rng, secrets)
    _table("secrets of 20 to 40 characters", text, {str(count): secrets[:count] for count in COUNTS})
    key = _key(rng)
    _table("and a private key of 4 kB", text, {str(count + 1): [*secrets[:count], key] for count in COUNTS})


def _table(title: str, text: bytes, cases: dict[str, list[str]]) -> None:
    print(f"\n{title}\n{'secrets':>8} {'patterns ready':>15}" + "".join(f"{f'{size} B chunks':>16}" for size in CHUNKS))
    for name, secrets in cases.items():
        start = time.perf_counter()
        mask = Mask(secrets)
        mask.text("the first use builds the automaton")
        ready = time.perf_counter() - start
        speeds = (_speed(mask, text, size) for size in CHUNKS)
        print(f"{name:>8} {ready * 1000:>12.1f} ms" + "".join(f"{speed:>11.0f} MB/s" for speed in speeds))


def _speed(mask: Mask, text: bytes, size: int) -> float:
    chunks = [text[start : start + size] for start in range(0, len(text), size)]
    stream = mask.stream()
    start = time.perf_counter()
    for chunk in chunks:
        stream.feed(chunk)
    stream.finish()
    return len(text) / (time.perf_counter() - start) / 1e6


def _secret(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_letters + string.digits + "+/=&", k=rng.randint(20, 40)))


def _key(rng: random.Random) -> str:
    body = "\n".join("".join(rng.choices(string.ascii_letters + string.digits + "+/", k=64)) for _ in range(62))
    return f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"


def _text(rng: random.Random, secrets: list[str]) -> bytes:
    """Lines of a build, one of a thousand with a secret in it."""
    lines = []
    length = 0
    while length < TEXT_BYTES:
        secret = f" token={rng.choice(secrets)}" if rng.random() < 0.001 else ""
        stamp = f"2024-05-01T10:00:{rng.randint(0, 59):02} [{rng.randint(1, 9999)}]"
        line = f"{stamp} gcc -O2 -c src/{_word(rng)}.c{secret}\n"
        lines.append(line)
        length += len(line)
    return "".join(lines).encode()


def _word(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 12)))


if __name__ == "__main__":
    main()
