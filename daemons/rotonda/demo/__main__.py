"""`rotonda-demo`: three daemons over real sockets, in a minute.

Whatever ends the demo - its end, Ctrl-C, SIGTERM, a daemon that dies - ends the daemons first and removes what it made.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

from rotonda import VERSION

from .errors import DemoFailed
from .facts import Facts
from .inputs import Size, prepare
from .processes import Daemons
from .screen import Screen
from .show import Show

DEFAULT = Size(prefixes4=250_000, prefixes6=50_000, peers=4, seed=1)
_LAST_PORT = 65_535
_PORTS = 4
_INTERRUPTED = 130
_LOOK_SECONDS = 0.25


class Stopped(Exception):
    """A signal says that it is time to go."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def main(words: Sequence[str] | None = None) -> int:
    """The console script; returns its exit status."""
    options = parser().parse_args(words)
    screen = Screen.of(sys.stdout, os.environ)
    try:
        with _signals(), _folder(options.keep) as folder, Daemons(folder) as daemons:
            return _run(options, screen, daemons)
    except BrokenPipeError:  # nobody reads on, as in `rotonda-demo | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (DemoFailed, OSError) as failed:
        screen.say()
        Screen.of(sys.stderr, os.environ).fail(f"The demo failed: {failed}")
        return 1
    except (KeyboardInterrupt, Stopped) as stopped:
        screen.say()
        screen.say("Stopped before the end of the show; nothing is left running.")
        return 128 + stopped.number if isinstance(stopped, Stopped) else _INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """What the command line may say."""
    made = argparse.ArgumentParser(
        prog="rotonda-demo",
        description="Starts rotonda-connector, rotonda-rib and rotonda-router on loopback, shows what they do, and"
        " waits for Ctrl-C. Without files it makes a synthetic table and VRPs that go with it.",
    )
    made.add_argument("--version", action="version", version=f"rotonda-demo {VERSION}")
    add = made.add_argument
    add("--mrt", metavar="FILE|URL", action="append", default=[], help="a real table (MRT, plain or compressed)")
    add("--vrps", metavar="FILE|URL", help="real VRPs (JSON or CSV of routinator or rpki-client)")
    add("--keep-expired", action="store_true", help="use VRPs past their expiry too, for archives")
    add("--seconds", metavar="N", type=_seconds, help="stop so long after the show, instead of at Ctrl-C")
    add("--check", action="store_true", help="stop after the show; exit status 1 unless all that it shows was there")
    add("--json", metavar="FILE", type=Path, help="write what was shown into a file")
    add("--keep", metavar="DIR", type=Path, help="keep input and logs in this folder")
    add("--ports", metavar="BASE", type=_base, help="use this port and the next three, instead of any that are free")
    for name, help_text in (
        ("prefixes4", "IPv4 prefixes of the synthetic table"),
        ("prefixes6", "IPv6 prefixes of the synthetic table"),
        ("peers", "peers of the synthetic table"),
        ("seed", "another seed gives another Internet"),
    ):
        default = getattr(DEFAULT, name)
        add(f"--{name}", metavar="N", type=_natural, default=default, help=f"{help_text} (default: {default:,})")
    return made


def _run(options: argparse.Namespace, screen: Screen, daemons: Daemons) -> int:
    started = time.monotonic()
    size = Size(options.prefixes4, options.prefixes6, options.peers, options.seed)
    screen.say("Rotoro: a connector, a RIB and a router, three processes over real sockets on this machine.")
    screen.title("Input")
    inputs = prepare(options.mrt, options.vrps, size, daemons.folder, screen)
    base = options.ports
    ports = (base, base + 1, base + 2, base + 3) if base else (0, 0, 0, 0)
    facts = Show(screen, inputs, daemons, ports, options.keep_expired).perform()
    facts.seed = size.seed if inputs.synthetic_table or inputs.synthetic_vrps else None
    facts.show_seconds = round(time.monotonic() - started, 3)
    screen.say(f"The show took {facts.show_seconds:.0f} s, {inputs.seconds:.0f} s of them for the input.")
    if options.json:
        options.json.write_text(json.dumps(facts.as_json(), indent=2) + "\n")
    if options.seconds is not None or not options.check:
        _wait(options.seconds, screen, daemons)
    return _checked(facts, screen) if options.check else 0


def _wait(seconds: float | None, screen: Screen, daemons: Daemons) -> None:
    """Until it is time to go, as long as nobody dies."""
    end = None if seconds is None else time.monotonic() + seconds
    try:
        screen.say("Press Ctrl-C to stop everything." if end is None else f"It stops in {seconds:g} s, or at Ctrl-C.")
        while end is None or time.monotonic() < end:
            daemons.check()
            time.sleep(_LOOK_SECONDS)
    except (KeyboardInterrupt, Stopped):
        screen.say()
    screen.say("Stopping.")


def _checked(facts: Facts, screen: Screen) -> int:
    problems = facts.problems()
    for problem in problems:
        screen.fail(f"Check failed: {problem}")
    if not problems:
        screen.good("Checked: everything that was shown was there.")
    return 1 if problems else 0


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    with ExitStack() as stack:
        if kept is None:
            yield Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rotonda-demo-")))
            return
        try:
            kept.mkdir(parents=True, exist_ok=True)
        except OSError as wrong:
            raise DemoFailed(f"--keep: {wrong}") from None
        yield kept.resolve()


@contextmanager
def _signals() -> Iterator[None]:
    """Within: SIGTERM and SIGHUP unwind the program as Ctrl-C does."""

    def leave(number: int, _: object) -> NoReturn:
        raise Stopped(number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _natural(words: str) -> int:
    number = int(words.replace(",", "").replace("_", ""))
    if number < 0:
        raise argparse.ArgumentTypeError(f"{words} is below 0")
    return number


def _seconds(words: str) -> float:
    seconds = float(words)
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{words} is no time to wait")
    return seconds


def _base(words: str) -> int:
    number = int(words)
    if not 1 <= number <= _LAST_PORT - _PORTS + 1:
        raise argparse.ArgumentTypeError(f"{words} is not between 1 and {_LAST_PORT - _PORTS + 1}")
    return number


if __name__ == "__main__":
    sys.exit(main())
