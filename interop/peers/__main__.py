"""`python -m interop.peers status` says which peers are here; `... install` gets those that the tests need."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

from interop.peers.base import CannotInstall, Peer
from interop.peers.bgpdump import BGPDUMP
from interop.peers.bgpkit import BGPKIT
from interop.peers.bird import BIRD2, BIRD3
from interop.peers.debian import AptPeer, UnpackedPeer
from interop.peers.frr import FRR, FRR10
from interop.peers.gobgp import GOBGP3, GOBGP4
from interop.peers.kafka import JAVA, KAFKA, MAVEN
from interop.peers.mosquitto import MOSQUITTO
from interop.peers.openbgpd import OPENBGPD7, OPENBGPD8
from interop.peers.openssl import OPENSSL
from interop.peers.rabbitmq import RABBITMQ
from interop.peers.rotonda import ROTONDA
from interop.peers.routinator import ROUTINATOR
from interop.peers.rtrclient import RTRCLIENT
from interop.peers.rtrmon import RTRDUMP, RTRDUMP_06, RTRMON
from interop.peers.rtrtr import RTRTR, RTRTR_TLS
from interop.peers.stayrtr import STAYRTR, STAYRTR_06

FROM_APT = [STAYRTR, RTRDUMP, RTRMON, RTRCLIENT, BIRD2, GOBGP3, FRR, OPENBGPD7, BGPDUMP, OPENSSL]
BROKERS = [MOSQUITTO, RABBITMQ, JAVA, MAVEN]
UNPACKED = [BIRD3, FRR10, OPENBGPD8, STAYRTR_06, RTRDUMP_06]
BUILT = [GOBGP4, RTRTR, RTRTR_TLS, ROUTINATOR, ROTONDA, KAFKA, BGPKIT]
ALL: list[Peer] = [*FROM_APT, *BROKERS, *UNPACKED, *BUILT]
PEERS = {peer.name: peer for peer in ALL}


def main(words: list[str] | None = None) -> int:
    """The command; its exit status is 0 only when everything asked for is here."""
    options = _parser().parse_args(words)
    if options.command == "status":
        for peer in PEERS.values():
            print(f"{peer.name:12} {peer.available() or f'{peer.version()} at {peer.binary()}'}")
        return 0
    chosen = options.names or [name for name, peer in PEERS.items() if options.all or not peer.only_for_benchmarks]
    return _install([PEERS[name] for name in chosen])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m interop.peers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("status", help="which peers are here, and why the others are not")
    install = commands.add_parser("install", help="get peers through apt, cargo, Go and Maven")
    install.add_argument("names", nargs="*", choices=[*PEERS, []], metavar="NAME", help=", ".join(PEERS))
    install.add_argument("--all", action="store_true", help="those that only the benchmarks need, too")
    return parser


def _install(peers: Sequence[Peer]) -> int:
    """Get those that are not here: Debian's in one go each, since what takes long is to learn what there is."""
    missing = [peer for peer in peers if peer.available() is not None]
    print(f"{len(peers) - len(missing)} of {len(peers)} peers are here", flush=True)
    steps: list[tuple[str, Callable[[], None]]] = []
    if installed := [peer for peer in missing if isinstance(peer, AptPeer)]:
        steps.append((_names(installed), lambda: AptPeer.install_all(installed)))
    if unpacked := [peer for peer in missing if isinstance(peer, UnpackedPeer)]:
        steps.append((_names(unpacked), lambda: UnpackedPeer.install_all(unpacked)))
    steps += [(peer.name, peer.install) for peer in missing if not isinstance(peer, AptPeer | UnpackedPeer)]
    return max([_take(names, step) for names, step in steps], default=0)


def _take(names: str, step: Callable[[], None]) -> int:
    started = time.monotonic()
    try:
        step()
    except CannotInstall as reason:
        print(f"{names}: {reason}", file=sys.stderr, flush=True)
        return 1
    print(f"{names}: in {time.monotonic() - started:.0f} s", flush=True)
    return 0


def _names(peers: Sequence[Peer]) -> str:
    return ", ".join(peer.name for peer in peers)


if __name__ == "__main__":
    sys.exit(main())
