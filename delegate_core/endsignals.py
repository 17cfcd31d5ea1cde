"""The signals by which somebody has a command end, and with it all that it has started."""

import signal

__all__ = ["end_as_by_ctrl_c", "ending_signals"]


def ending_signals() -> tuple[signal.Signals, ...]:
    """Ctrl-C, SIGTERM, and the end of the terminal: steps are in sessions of their own, so nobody tells them of it.

    Not the last one where whoever started this wants it to go on after that (nohup).
    """
    heeds_hangup = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if heeds_hangup else []))


def end_as_by_ctrl_c() -> None:
    """Have SIGTERM, and SIGHUP where nobody heeds it yet, do what Ctrl-C does."""
    hangup = [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL else []
    for number in (signal.SIGTERM, *hangup):
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
