"""A full table over RTR and TLS: what it costs the server until the last of many routers has all VRPs.

    python -m interop.bench.tls_sync --vrps 500000 --clients 1 10 --rounds 3

Our connector and rtrtr 0.3.2, the last one that has TLS, serve the same file side by side with the same certificate.
Handshakes come before the clock starts, but are in the server's CPU, which is what counts: the clients decrypt as much
as the server encrypts, and need longer for many small records. Every client's answer is held to the file.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from interop.bench import report
from interop.bench.clients import Clients
from interop.bench.rtr_full_sync import LEAST, MOST, VERSION, Server, compare, tables
from interop.peers import openssl, ours, probe, rtrtr
from interop.peers.processes import LOOPBACK, Daemon, free_ports, memory, terminated_like_interrupted
from interop.vrps import RpkiData, generate

Start = Callable[[Path, Path, int, int, tuple[Path, Path]], Daemon]


def start_connector(folder: Path, file: Path, plain: int, secure: int, issued: tuple[Path, Path]) -> Daemon:
    """Our connector, on two ports."""
    listening = f"tls:{LOOPBACK}:{secure},certificate={issued[0]},key={issued[1]}"
    return ours.start_connector(folder, plain, [file], options=["--listen", listening])


CONTENDERS: dict[str, Start] = {"connector": start_connector, "rtrtr 0.3.2": rtrtr.start_tls_server}


class TlsReader(probe.Reader):
    """A client with TLS that believes one authority."""

    def __init__(self, buffer: bytearray, least: int, authority: Path) -> None:
        super().__init__(buffer, least)
        self._context = ssl.create_default_context(cafile=str(authority))

    def connect(self, port: int, version: int, host: str = LOOPBACK) -> socket.socket:
        """Connect, shake hands and be ready to ask."""
        plain = super().connect(port, version, host)
        self.connection = self._context.wrap_socket(plain, server_hostname=host)
        return self.connection

    def read(self) -> bool:
        """Take what has arrived, to the last record of it: what OpenSSL holds back no selector tells of."""
        with contextlib.suppress(ssl.SSLWantReadError):
            while not super().read():
                pass
            return True
        return False


def main(words: Sequence[str] | None = None) -> int:
    """Run it all and print markdown."""
    options = _parser().parse_args(words)
    missing = [reason for peer in (openssl.OPENSSL, rtrtr.RTRTR_TLS) if (reason := peer.available())]
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
        authority = openssl.Authority(folder)
        issued = authority.issue("cache", f"DNS:localhost,IP:{LOOPBACK}")
        most, least = (1 << 16) + options.vrps * MOST, options.vrps * LEAST
        clients = ending.enter_context(
            Clients(
                max(options.clients), most, least, lambda buffer, least: TlsReader(buffer, least, authority.certificate)
            )
        )
        servers = [_start(name, folder, file, data, issued, ending) for name in CONTENDERS]
        compare(servers, clients, options.clients, options.rounds, data)
        print(f"{data.vrp_count} VRPs over TLS, medians of {options.rounds} interleaved rounds. {report.machine()}.\n")
        print(tables(servers, options.clients))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m interop.bench.tls_sync", description=__doc__)
    parser.add_argument("--vrps", type=int, default=500_000)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--rounds", type=int, default=3)
    return parser


def _start(
    name: str, folder: Path, file: Path, data: RpkiData, issued: tuple[Path, Path], ending: contextlib.ExitStack
) -> Server:
    """Start one contender and wait until it serves everything."""
    started = time.perf_counter()
    plain, secure = free_ports(2)
    daemon = CONTENDERS[name](folder, file, plain, secure, issued)
    ending.callback(daemon.stop)
    probe.fetch_when(daemon, plain, VERSION, data.vrp_count, 300)
    return Server(name, secure, [daemon], time.perf_counter() - started, {}, memory(daemon.pid))


if __name__ == "__main__":
    sys.exit(main())
