"""How soon routers have a change of 100 records.

    python -m interop.bench.diff_latency --vrps 10000 --routers 1 1000 --rounds 5

Two questions. First, how long from our commit until one router has all of the change: our cache says when it commits,
the router when it has the End of Data, both by CLOCK_MONOTONIC. Second, whether others are sooner: our connector, rtrtr
and StayRTR read a new version of the same file, and what counts is the time from the first Serial Notify that any
router gets until the last of all routers has its End of Data, since when they commit is not to be seen from outside.
"raw" is a program in C that sends the same octets from its memory (`raw_notifier.c`): no server can do much better.
Every router's change is held to the two files. Routers connect anew for each round: a cache notifies no router twice in
a minute.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from rotonda.rpki.exports import read_export

from interop.bench import report
from interop.bench.raw import build
from interop.bench.routers import VERSION, Routers, Told, changes_between
from interop.peers import ours, probe, rtrtr, stayrtr
from interop.peers.base import Peer
from interop.peers.processes import Daemon, PeerFailed, cpu_seconds, free_port, terminated_like_interrupted
from interop.vrps import Keys, RpkiData, generate
from rotoro.session.payload import DEFAULT_TIMERS, RtrEncoder
from rotoro.table.history import History

CHANGES = 100
LOOK_SECONDS = 2  # between two looks of others at their file


class Contender(NamedTuple):
    """Who serves the file on its port."""

    start: Callable[[Path, Path, int], Daemon]
    peer: Peer | None


RAW = "raw"

CONTENDERS = {
    "connector": Contender(lambda folder, file, port: ours.start_connector(folder, port, [file]), None),
    "rtrtr": Contender(lambda folder, file, port: rtrtr.start_from_file(folder, file, port, LOOK_SECONDS), rtrtr.RTRTR),
    "stayrtr": Contender(
        lambda folder, file, port: stayrtr.start(folder, file, port, VERSION, refresh=LOOK_SECONDS), stayrtr.STAYRTR
    ),
}


class Measured(NamedTuple):
    """Seconds from the first Serial Notify until half of the routers and all of them had it; CPU seconds."""

    half: float
    last: float
    spent: float
    """By the server."""
    own: float
    """By the routers."""


class Server:
    """A server of one of two states, between which it can be made to change."""

    daemon: Daemon

    def __init__(self, name: str, folder: Path, states: Sequence[RpkiData]) -> None:
        self.name = name
        self._states, self._at = states, 0
        self._port = free_port()
        self._start(folder)
        self.measured: dict[int, list[Measured]] = {}
        """By the number of routers."""

    def _start(self, folder: Path) -> None:
        self._file = folder / f"{self.name}.json"
        self._states[0].write_routinator(self._file)
        self.daemon = CONTENDERS[self.name].start(folder, self._file, self._port)

    def _prepare(self, state: RpkiData) -> Callable[[], None]:
        """What makes it change to this state at once."""
        new = self._file.with_suffix(".new")
        state.write_routinator(new)

        def change() -> None:
            new.rename(self._file)

        return change

    def ready(self) -> None:
        """Wait until it serves the first state."""
        probe.fetch_when(self.daemon, self._port, VERSION, self._states[0].vrp_count)

    def measure(self, count: int) -> None:
        """Change while so many routers are there."""
        before, self._at = self._states[self._at], 1 - self._at
        after = self._states[self._at]
        with Routers(self._port, count) as routers:
            change = self._prepare(after)
            spent, own = cpu_seconds(self.daemon.pid), routers.cpu_seconds
            change()
            told = routers.change()
            own = routers.cpu_seconds - own
            time.sleep(0.1)
            spent = cpu_seconds(self.daemon.pid) - spent
        hold(self.name, told, before, after)
        ends = [end - told.first_notify for end in told.ends]
        self.measured.setdefault(count, []).append(Measured(median(ends), ends[-1], spent, own))


class RawServer(Server):
    """A program in C that sends what a cache would, from its memory: what any server at least takes here."""

    def _start(self, folder: Path) -> None:
        files = [folder / f"raw-{number}" for number in range(4)]
        for file, answer in zip(files, _answers(folder, self._states), strict=True):
            file.write_bytes(answer)
        self.daemon = Daemon(RAW, [build(folder, "raw_notifier"), str(self._port), *files], folder, commanded=True)
        self.daemon.expect_port(self._port)

    def _prepare(self, state: RpkiData) -> Callable[[], None]:
        return lambda: self.daemon.tell("change")


def _answers(folder: Path, states: Sequence[RpkiData]) -> list[bytes]:
    """What a cache says in each of two states to a Reset Query, and to one who has the other state."""
    file, history, encoder = folder / "raw.json", History(1), RtrEncoder(VERSION, 1, DEFAULT_TIMERS)
    whole, changes = [], []
    for state in (*states, states[0]):
        state.write_routinator(file)
        history.commit(read_export(file.read_bytes(), str(file), 0).snapshot())
        whole.append(history.encoded_snapshot(encoder))
        changes.append(history.encoded_since(max(0, history.serial - 1), encoder))
    return [b"".join(each.chunks) for each in (*whole[:2], changes[2], changes[1]) if each is not None]


def hold(name: str, told: Told, before: RpkiData, after: RpkiData) -> None:
    """Each change of the two states must be among what routers were told, and no other."""
    if told.changes != changes_between(before, after):
        raise PeerFailed(f"{name} told {len(told.changes)} changes, not those that there were")


def two_states(count: int) -> tuple[RpkiData, RpkiData]:
    """So many VRPs, of which half of the changes are there only before and the other half only after."""
    everything = generate(count + CHANGES // 2)
    chance = np.random.default_rng(count)
    gone4 = chance.permutation(len(everything.vrps4))[: CHANGES * 4 // 5]
    gone6 = chance.permutation(len(everything.vrps6))[: CHANGES // 5]

    def without(part: int) -> RpkiData:
        keys: tuple[Keys, Keys] = (
            np.delete(everything.vrps4, gone4[part::2]),
            np.delete(everything.vrps6, gone6[part::2]),
        )
        return RpkiData(*keys)

    return without(0), without(1)


def one_router(folder: Path, states: Sequence[RpkiData], rounds: int) -> tuple[list[float], list[float]]:
    """Seconds from our commit until a router is notified, and until it has its End of Data."""
    files = [folder / f"state-{number}.json" for number in range(2)]
    for state, file in zip(states, files, strict=True):
        state.write_routinator(file)
    port = free_port()
    command: list[str | Path] = [sys.executable, "-m", "interop.bench.committing_cache", str(port), *files]
    notified, ended = [], []
    with Daemon("committing-cache", command, folder, ours.ENVIRONMENT, commanded=True) as cache:
        cache.expect_line("ready")
        for number in range(rounds):
            with Routers(port, 1) as router:
                cache.tell("go")
                told = router.change()
            cache.expect(lambda: len(_commits(cache)) > number or None, "it says when", pause=0.01)  # noqa: B023
            began = _commits(cache)[number]
            hold(cache.name, told, *(states if number % 2 == 0 else states[::-1]))
            notified.append(told.first_notify - began)
            ended.append(told.last_end - began)
    return notified, ended


def _commits(cache: Daemon) -> list[float]:
    return [float(line.split()[1]) for line in cache.lines() if line.startswith("committed: ")]


def main(words: Sequence[str] | None = None) -> int:
    """Run it all and print markdown."""
    options = _parser().parse_args(words)
    peers = [CONTENDERS[name].peer for name in options.servers if name in CONTENDERS]
    missing = [reason for peer in peers if peer and (reason := peer.available())]
    if missing:
        print("\n".join(missing), file=sys.stderr)
        return 1
    with (
        terminated_like_interrupted(),
        tempfile.TemporaryDirectory(prefix="rotoro-bench-") as place,
        contextlib.ExitStack() as ending,
    ):
        folder = Path(place)
        print(f"{CHANGES} changes. {report.machine()}.\n")
        for count in options.single_vrps:
            notified, ended = one_router(folder, two_states(count), options.single_rounds)
            print(f"From our commit, one router, {count} VRPs, {options.single_rounds} rounds:", end=" ")
            print(f"notified after {_milliseconds(notified)}, End of Data after {_milliseconds(ended)}\n", flush=True)
        states = two_states(options.vrps)
        servers = [(RawServer if name == RAW else Server)(name, folder, states) for name in options.servers]
        for server in servers:
            ending.callback(server.daemon.stop)
        for server in servers:
            server.ready()
        for number in range(options.rounds):
            for count in options.routers:
                for server in servers:
                    server.measure(count)
                    half, last, spent, own = server.measured[count][-1]
                    line = f"round {number + 1}: {server.name:10} {count:4} routers: half {half:.4f} s"
                    line = f"{line}, all {last:.4f} s, CPU {spent:.4f} s (routers {own:.4f} s)"
                    print(line, file=sys.stderr, flush=True)
        for count in options.routers:
            routers = f"{count} router{'s' if count > 1 else ''}"
            print(f"**{routers}**, {options.vrps} VRPs, medians of {options.rounds} rounds\n")
            header = [
                "server",
                "half have it after s",
                "all after s",
                f"/ {servers[0].name}",
                "CPU s, file read",
                "routers' own CPU s",
            ]
            print(report.table(header, [_row(server, servers[0], count) for server in servers]), end="\n\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m interop.bench.diff_latency", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--vrps", type=int, default=10_000)
    parser.add_argument("--routers", type=int, nargs="+", default=[1, 1000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--servers", nargs="+", choices=[*CONTENDERS, RAW], default=["connector", RAW, "rtrtr", "stayrtr"]
    )
    parser.add_argument("--single-vrps", type=int, nargs="+", default=[10_000, 500_000])
    parser.add_argument("--single-rounds", type=int, default=50)
    return parser


def _row(server: Server, first: Server, count: int) -> list[str]:
    half, last, spent, own = map(median, zip(*server.measured[count], strict=True))
    ours = median(each.last for each in first.measured[count])
    times = [report.seconds(half), report.seconds(last), report.ratio(last, ours)]
    return [server.name, *times, report.seconds(spent), report.seconds(own)]


def _milliseconds(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{median(values) * 1000:.2f} ms ({low * 1000:.2f} to {high * 1000:.2f})"


if __name__ == "__main__":
    sys.exit(main())
