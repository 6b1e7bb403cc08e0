"""How long a router takes a whole table: from its query until it can use the set.

    python -m interop.bench.router_sync --vrps 1000000 --rounds 3

Our router, BIRD 2, rtrtr's client and rtrclient fetch the same answer in turn, each in the version it asks in, from a
thread that was told it beforehand and sends it as fast as it is read. The clock starts when the whole query has come,
and stops when the program says that it is through: our router and rtrtr in the log ("records", "received update"),
rtrclient by its status (ESTABLISHED), BIRD on its control socket, which is asked a hundred times a second. CPU seconds
of the process from and until then. "session" is our router's session in the process of the benchmark, fed by calls: its
part in it.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import NamedTuple

from interop.bench import raw, report
from interop.peers import bird, ours, probe, rtrclient, rtrtr
from interop.peers.base import Peer
from interop.peers.processes import (
    LOOPBACK,
    Daemon,
    PeerFailed,
    cpu_seconds,
    free_port,
    free_ports,
    memory,
    terminated_like_interrupted,
)
from interop.vrps import generate
from rotoro.session.effects import Update
from rotoro.session.router import RouterSession

LOOK_SECONDS = 0.01
QUERY = 8
READ = 1 << 16
"""Octets that a transport of Twisted's reads at once."""


class Sync(NamedTuple):
    """Seconds from the query until the set was there, of the clock and of the processor, and octets of memory then."""

    wall: float
    cpu: float
    peak: int


class Recorded:
    """A cache for one router that knows one answer for each version; use as a context manager."""

    def __init__(self, answers: Mapping[int, bytes]) -> None:
        self.queried = Event()
        self.at = 0.0
        self._answers = answers
        self._listening = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> Recorded:
        Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listening.accept()
            with connection:
                query = connection.recv(QUERY, socket.MSG_WAITALL)
                self.at = time.perf_counter()
                self.queried.set()
                connection.sendall(self._answers[query[0]])
                while connection.recv(READ):
                    pass


class Contender(NamedTuple):
    """Who fetches: how it is started with the cache on a port, and what it says when it has the set."""

    start: Callable[[Path, int], Daemon]
    through: Callable[[Daemon], bool]
    peer: Peer | None


def start_router(folder: Path, port: int) -> Daemon:
    """Our router, which knows that it speaks with a cache."""
    return ours.start_router(folder, free_port(), [port], "rtr")


def start_rtrtr(folder: Path, port: int) -> Daemon:
    """rtrtr, which serves and shows what it fetched."""
    serving, http = free_ports(2)
    return rtrtr.start_from_cache(folder, port, serving, http)


def start_rtrclient(folder: Path, port: int) -> Daemon:
    """rtrclient, which tells nothing but its status."""
    command: list[str | Path] = ["stdbuf", "-oL", rtrclient.RTRCLIENT.binary(), "-s", "tcp", LOOPBACK, str(port)]
    return Daemon("rtrclient", command, folder)


_BIRDS: dict[int, bird.Bird] = {}
"""Those that run, by the ids of their processes."""


def start_bird(folder: Path, port: int) -> Daemon:
    """BIRD 2."""
    client = bird.start2(folder, port)
    assert isinstance(client, bird.Bird)
    _BIRDS[client.daemon.pid] = client
    return client.daemon


def bird_is_through(daemon: Daemon) -> bool:
    """Whether it has had the End of Data."""
    status = _BIRDS[daemon.pid].ask("show protocols all cache").partition("Status:")[2]
    return "Established" in status.partition("\n")[0]


def says(text: str) -> Callable[[Daemon], bool]:
    """Whether this is in the log."""
    return lambda daemon: any(text in line for line in daemon.lines())


CONTENDERS = {
    "our router": Contender(start_router, says(" records"), None),
    "BIRD 2": Contender(start_bird, bird_is_through, bird.BIRD2),
    "rtrtr": Contender(start_rtrtr, says("received update"), rtrtr.RTRTR),
    "rtrclient": Contender(start_rtrclient, says("ESTABLISHED"), rtrclient.RTRCLIENT),
}


def fetch(contender: Contender, folder: Path, answers: Mapping[int, bytes]) -> Sync:
    """One start of one program."""
    with Recorded(answers) as cache, contender.start(folder, cache.port) as daemon:
        if not cache.queried.wait(20):
            daemon.fail("asks nothing")
        spent = cpu_seconds(daemon.pid)
        while not contender.through(daemon):
            if daemon.process.poll() is not None or time.perf_counter() - cache.at > 120:
                daemon.fail("has not got through")
            time.sleep(LOOK_SECONDS)
        wall, spent = time.perf_counter() - cache.at, cpu_seconds(daemon.pid) - spent
        return Sync(wall, spent, memory(daemon.pid, "VmHWM"))


def in_process(answer: bytes, count: int) -> Sync:
    """Our session alone."""
    session = RouterSession("rtr")
    session.start(0.0)
    decoder = session.decoder()
    pieces = [answer[at : at + READ] for at in range(0, len(answer), READ)]
    began, spent = time.perf_counter(), time.process_time()
    updates = []
    for piece in pieces:
        decoder.receive(piece)
        for version, pdu in decoder.items():
            updates += [each for each in session.receive(version, pdu, 0.0) if isinstance(each, Update)]
    wall, spent = time.perf_counter() - began, time.process_time() - spent
    if [update.snapshot.count for update in updates] != [count]:
        raise PeerFailed(f"{len(updates)} updates, none of {count} records")
    return Sync(wall, spent, 0)


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print markdown."""
    parser = argparse.ArgumentParser(
        prog="python -m interop.bench.router_sync", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--vrps", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--routers", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    options = parser.parse_args(words)
    missing = [reason for name in options.routers if (peer := CONTENDERS[name].peer) and (reason := peer.available())]
    if missing:
        print("\n".join(missing), file=sys.stderr)
        return 1
    seen: dict[str, list[Sync]] = {name: [] for name in [*options.routers, "session"]}
    with terminated_like_interrupted(), tempfile.TemporaryDirectory(prefix="rotoro-bench-") as place:
        folder, data = Path(place), generate(options.vrps)
        answers = record(folder, options.vrps)
        for number in range(options.rounds):
            for name in options.routers:
                seen[name].append(fetch(CONTENDERS[name], folder, answers))
            seen["session"].append(in_process(answers[2], data.vrp_count))
            for name, each in seen.items():
                print(f"round {number + 1}: {name:10} {each[-1].wall:.3f} s, CPU {each[-1].cpu:.3f} s", file=sys.stderr)
    print(f"{options.vrps} VRPs, medians of {options.rounds} interleaved rounds. {report.machine()}.\n")
    first = _median(seen[options.routers[0]])
    header = ["router", "wall s", f"/ {options.routers[0]}", "CPU s", f"/ {options.routers[0]}", "peak MiB"]
    print(report.table(header, [_row(name, _median(each), first) for name, each in seen.items()]))
    return 0


def record(folder: Path, count: int) -> dict[int, bytes]:
    """What our connector answers in each version."""
    file, port = folder / "vrps.json", free_port()
    generate(count).write_routinator(file)
    with ours.start_connector(folder, port, [file]) as daemon:
        probe.fetch_when(daemon, port, 1, count)
        return {version: raw.recorded(port, version, (1 << 16) + count * 32) for version in (0, 1, 2)}


def _median(each: Sequence[Sync]) -> Sync:
    wall, cpu, peak = map(median, zip(*each, strict=True))
    return Sync(wall, cpu, round(peak))


def _row(name: str, sync: Sync, first: Sync) -> list[str]:
    times = [
        report.seconds(sync.wall),
        report.ratio(sync.wall, first.wall),
        report.seconds(sync.cpu),
        report.ratio(sync.cpu, first.cpu),
    ]
    return [name, *times, report.mebibytes(sync.peak) if sync.peak else "-"]


if __name__ == "__main__":
    sys.exit(main())
