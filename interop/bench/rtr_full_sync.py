"""A full table over RTR: seconds until the last of many routers that start at once has all VRPs.

    python -m interop.bench.rtr_full_sync --vrps 500000 --clients 1 10 50 --rounds 3

Our connector (or RIB), rtrtr, routinator and StayRTR are started side by side from the same data and asked in turn, in
version 1, which all have.  Every client's answer is held to the file.  "raw C" is a C program that sends the same
octets from its memory (`raw_sender.c`): no server can do much better.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from interop.bench import raw, report
from interop.bench.clients import Clients, Fetched
from interop.peers import ours, probe, routinator, rtrtr, stayrtr
from interop.peers.base import Peer
from interop.peers.processes import (
    Daemon,
    PeerFailed,
    cpu_seconds,
    free_port,
    free_ports,
    memory,
    terminated_like_interrupted,
)
from interop.vrps import RpkiData, generate

VERSION = 1
RAW = "raw C"
LEAST, MOST = 20, 32  # octets of a VRP on the wire


@dataclass
class Server:
    """One contender: the processes it is made of, the last of which serves the port."""

    name: str
    port: int
    daemons: list[Daemon]
    loading: float = 0.0
    rounds: dict[int, list[tuple[float, float, float]]] = field(default_factory=dict)  # wall, CPU, clients' own CPU
    memory_before: int = 0

    @property
    def daemon(self) -> Daemon:
        return self.daemons[-1]

    def measure(self, clients: Clients, count: int, expected: RpkiData) -> None:
        """Let so many clients fetch everything at once, and hold each answer to the file."""
        before = cpu_seconds(self.daemon.pid)
        fetched = clients.fetch(self.port, VERSION, count, 120)
        time.sleep(0.3)  # what the server does when its clients are gone is part of the price
        spent = cpu_seconds(self.daemon.pid) - before
        self._hold(fetched, expected)
        self.rounds.setdefault(count, []).append((fetched.seconds, spent, fetched.own_cpu_seconds))

    def _hold(self, fetched: Fetched, expected: RpkiData) -> None:
        if fetched.digests != {f"{expected.vrp_count} VRPs, {expected.digest()}"}:
            raise PeerFailed(f"{self.name} served {set(fetched.digests)}, not what the file says")

    def median(self, count: int) -> tuple[float, float, float]:
        """Medians of wall seconds, the server's CPU seconds and the clients' own."""
        wall, spent, own = zip(*self.rounds[count], strict=True)
        return median(wall), median(spent), median(own)


def start_connector(folder: Path, file: Path) -> tuple[int, list[Daemon]]:
    port = free_port()
    return port, [ours.start_connector(folder, port, vrps=[file])]


def start_rib(folder: Path, file: Path) -> tuple[int, list[Daemon]]:
    west, port, http = free_ports(3)
    connector = ours.start_connector(folder, west, vrps=[file])
    return port, [connector, ours.start_rib(folder, port, http, [west])]


def start_rtrtr(folder: Path, file: Path) -> tuple[int, list[Daemon]]:
    port = free_port()
    return port, [rtrtr.start_from_file(folder, file, port)]


def start_routinator(folder: Path, file: Path) -> tuple[int, list[Daemon]]:
    """All that it has is local exceptions, and it looks at them again only after a day."""
    exceptions, port = folder / "exceptions.json", free_port()
    routinator.write_exceptions(RpkiData.from_json(file.read_bytes()), exceptions)
    return port, [routinator.start(folder, exceptions, port, refresh=86400)]


def start_stayrtr(folder: Path, file: Path) -> tuple[int, list[Daemon]]:
    port = free_port()
    return port, [stayrtr.start(folder, file, port, VERSION)]


Start = Callable[[Path, Path], tuple[int, list[Daemon]]]
CONTENDERS: dict[str, tuple[Start, Peer | None]] = {
    "connector": (start_connector, None),
    "rib": (start_rib, None),
    "rtrtr": (start_rtrtr, rtrtr.RTRTR),
    "routinator": (start_routinator, routinator.ROUTINATOR),
    "stayrtr": (start_stayrtr, stayrtr.STAYRTR),
}


def main(words: list[str] | None = None) -> int:
    """Run it all and print markdown."""
    options = _parser().parse_args(words)
    missing = [reason for name in options.servers if (peer := CONTENDERS[name][1]) and (reason := peer.available())]
    if missing:
        print("\n".join(missing), file=sys.stderr)
        return 1
    with (
        terminated_like_interrupted(),
        tempfile.TemporaryDirectory(prefix="rotoro-bench-") as place,
        contextlib.ExitStack() as ending,
    ):
        folder, data = Path(place), generate(options.vrps)
        file = folder / "vrps.json"
        data.write_routinator(file)
        most = (1 << 16) + options.vrps * MOST
        clients = ending.enter_context(Clients(max(options.clients), most, options.vrps * LEAST))
        servers = [_start(name, folder, file, data, ending) for name in options.servers]
        servers.append(_start_raw(folder, servers[0].port, most, ending))
        compare(servers, clients, options.clients, options.rounds, data)
        print(_introduction(options.rounds, data))
        print(tables(servers, options.clients))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m interop.bench.rtr_full_sync", description=__doc__)
    parser.add_argument("--vrps", type=int, default=500_000)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--servers", nargs="+", choices=CONTENDERS, default=["connector", "rtrtr", "routinator", "stayrtr"]
    )
    return parser


def _start(name: str, folder: Path, file: Path, data: RpkiData, ending: contextlib.ExitStack) -> Server:
    """Start one contender and wait until it serves everything; one after the other, so that none slows another."""
    started = time.perf_counter()
    port, daemons = CONTENDERS[name][0](folder, file)
    for daemon in daemons:
        ending.callback(daemon.stop)
    probe.fetch_when(daemons[-1], port, VERSION, data.vrp_count, 300)
    return Server(name, port, daemons, time.perf_counter() - started, {}, memory(daemons[-1].pid))


def _start_raw(folder: Path, like: int, most: int, ending: contextlib.ExitStack) -> Server:
    port, daemon = raw.start(folder, raw.recorded(like, VERSION, most))
    ending.callback(daemon.stop)
    return Server(RAW, port, [daemon], 0, {}, memory(daemon.pid))


def compare(servers: list[Server], clients: Clients, counts: list[int], rounds: int, data: RpkiData) -> None:
    """Ask all of them in turn, so many rounds."""
    for number in range(rounds):
        for count in counts:
            for server in servers:
                server.measure(clients, count, data)
                wall, spent, own = server.rounds[count][-1]
                line = f"round {number + 1}: {server.name:10} {count:3} clients: {wall:8.4f} s"
                print(f"{line}, CPU {spent:8.4f} s (clients {own:.4f} s)", file=sys.stderr, flush=True)


def _introduction(rounds: int, data: RpkiData) -> str:
    return (
        f"{data.vrp_count} VRPs ({len(data.vrps4)} IPv4), RTR version {VERSION}, "
        f"medians of {rounds} interleaved rounds. {report.machine()}.\n\n"
        "Wall seconds from the first query until the last client has End of Data; CPU seconds of the server. "
        f"Every client of every server got exactly the file's set, SHA-256 {data.digest()[:16]}....\n"
    )


def tables(servers: list[Server], counts: list[int]) -> str:
    """What was measured, with ratios to the first server."""
    parts, first = [], servers[0]
    for count in counts:
        parts.append(f"**{count} client{'s' if count > 1 else ''}**")
        header = ["server", "wall s", f"/ {first.name}", "CPU s", f"/ {first.name}", "clients' own CPU s"]
        parts.append(report.table(header, [_row(server, first, count) for server in servers]))
    parts.append("**Memory (MiB) and loading**")
    header = ["server", "resident before the first client", "after the last", "peak", "seconds from start to served"]
    parts.append(report.table(header, [_memory_row(server) for server in servers]))
    return "\n\n".join(parts)


def _row(server: Server, first: Server, count: int) -> list[str]:
    (wall, spent, own), (our_wall, our_spent, _) = server.median(count), first.median(count)
    times = [report.seconds(wall), report.ratio(wall, our_wall), report.seconds(spent), report.ratio(spent, our_spent)]
    return [server.name, *times, report.seconds(own)]


def _memory_row(server: Server) -> list[str]:
    after, peak = memory(server.daemon.pid), memory(server.daemon.pid, "VmHWM")
    sizes = [report.mebibytes(each) for each in (server.memory_before, after, peak)]
    return [server.name, *sizes, f"{server.loading:.1f}"]


if __name__ == "__main__":
    sys.exit(main())
