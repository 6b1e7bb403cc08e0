"""Whether routers that ask and then do not read make others wait.

    python -m interop.bench.stalled_clients --stalled 50 --clients 50 --rounds 15

Our connector serves some clients, with and without as many others that have asked for everything, too, and read
nothing: their answers fill all buffers and wait. Rounds with and without them follow one another. The same is done with
the C program that sends the same octets: what the kernel makes of buffers that nobody empties is no server's doing.
"""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from interop.bench import raw, report
from interop.bench.clients import Clients
from interop.bench.rtr_full_sync import LEAST, MOST, RAW, VERSION, Server
from interop.peers import ours, probe
from interop.peers.processes import LOOPBACK, free_port, memory, terminated_like_interrupted
from interop.vrps import generate

SETTLED_SECONDS = 0.5
"""From when the stalled ones have asked until the others do."""


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print markdown."""
    parser = argparse.ArgumentParser(prog="python -m interop.bench.stalled_clients", description=__doc__)
    parser.add_argument("--vrps", type=int, default=500_000)
    parser.add_argument("--stalled", type=int, default=50)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(words)
    with (
        terminated_like_interrupted(),
        tempfile.TemporaryDirectory(prefix="rotoro-bench-") as place,
        ExitStack() as ending,
    ):
        folder, data, port = Path(place), generate(options.vrps), free_port()
        file = folder / "vrps.json"
        data.write_routinator(file)
        clients = Clients(options.clients, (1 << 16) + options.vrps * MOST, options.vrps * LEAST)
        ending.enter_context(clients)
        daemon = ours.start_connector(folder, port, [file])
        ending.callback(daemon.stop)
        probe.fetch_when(daemon, port, VERSION, data.vrp_count)
        raw_port, raw_daemon = raw.start(folder, raw.recorded(port, VERSION, (1 << 16) + options.vrps * MOST))
        ending.callback(raw_daemon.stop)
        pairs = [
            tuple(Server(f"{name}, {stalled} stalled", where, [who]) for stalled in (0, options.stalled))
            for name, where, who in (("connector", port, daemon), (RAW, raw_port, raw_daemon))
        ]
        sizes = [memory(daemon.pid)]
        for number in range(2 * options.rounds):
            for alone, among in pairs:
                if number % 2 == number // 2 % 2:  # which of the two comes first changes from round to round
                    time.sleep(SETTLED_SECONDS)
                    alone.measure(clients, options.clients, data)
                    continue
                with ExitStack() as stalled:
                    for _ in range(options.stalled):
                        stalled.enter_context(_stall(among.port))
                    time.sleep(SETTLED_SECONDS)
                    sizes.append(memory(daemon.pid))
                    among.measure(clients, options.clients, data)
    intro = f"{options.vrps} VRPs to {options.clients} clients, medians of {options.rounds} interleaved rounds"
    print(f"{intro}. {report.machine()}.\n")
    rows = [_row(server, alone, options.clients) for alone, among in pairs for server in (alone, among)]
    print(report.table(["", "wall s", "difference", "CPU s", "difference"], rows))
    before, most = report.mebibytes(sizes[0]), report.mebibytes(max(sizes))
    print(f"\nResident memory of the connector: {before} MiB, with those stalled {most} MiB.")
    return 0


def _row(server: Server, alone: Server, count: int) -> list[str]:
    wall, spent, _ = server.median(count)
    plain_wall, plain_spent, _ = alone.median(count)
    return [
        server.name,
        report.seconds(wall),
        _more(wall, plain_wall),
        report.seconds(spent),
        _more(spent, plain_spent),
    ]


def _more(value: float, than: float) -> str:
    return f"{100 * (value / than - 1):+.0f} %"


def _stall(port: int) -> socket.socket:
    """A router that asks, and reads nothing."""
    connection = socket.create_connection((LOOPBACK, port), 10)
    connection.sendall(probe.query(VERSION))
    return connection


if __name__ == "__main__":
    sys.exit(main())
