"""`python -m interop.peers status` says which peers are here; `... install` gets those that the tests need."""

from __future__ import annotations

import argparse
import sys

from interop.peers.base import CannotInstall, Peer
from interop.peers.bgpdump import BGPDUMP
from interop.peers.rotonda import ROTONDA
from interop.peers.rtrclient import RTRCLIENT
from interop.peers.rtrtr import RTRTR
from interop.peers.stayrtr import STAYRTR

PEERS: dict[str, Peer] = {peer.name: peer for peer in (STAYRTR, RTRCLIENT, BGPDUMP, RTRTR, ROTONDA)}


def main(words: list[str] | None = None) -> int:
    """The command; its exit status is 0 only when everything asked for is here."""
    options = _parser().parse_args(words)
    if options.command == "status":
        for peer in PEERS.values():
            print(f"{peer.name:10} {peer.available() or f'{peer.version()} at {peer.binary()}'}")
        return 0
    chosen = options.names or [name for name, peer in PEERS.items() if options.all or not peer.only_for_benchmarks]
    return max([_install(PEERS[name]) for name in chosen])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m interop.peers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("status", help="which peers are here, and why the others are not")
    install = commands.add_parser("install", help="get peers through apt and cargo")
    install.add_argument("names", nargs="*", choices=[*PEERS, []], metavar="NAME", help=", ".join(PEERS))
    install.add_argument("--all", action="store_true", help="those that only the benchmarks need, too")
    return parser


def _install(peer: Peer) -> int:
    if peer.available() is None:
        print(f"{peer.name}: is here already")
        return 0
    try:
        peer.install()
    except CannotInstall as reason:
        print(f"{peer.name}: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
