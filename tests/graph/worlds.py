"""Instances in memory: programs from text, a clock that a test sets, and tables in the hands of a test."""

from __future__ import annotations

import struct
from ipaddress import ip_network
from typing import Any, Literal

from rotonda.blocks.check import check
from rotonda.blocks.places import Source
from rotonda.blocks.program import Program
from rotonda.blocks.render import text
from rotonda.graph.instance import Instance
from rotonda.rpki.records import parse_vrp
from rotonda.rpki.sources import SourceState
from twisted.internet.defer import ensureDeferred, maybeDeferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import VRP4, Ingress, IngressKind, Records, RouteSlot, Slot, Snapshot

NOW = 1_700_000_000.0
SEVERAL = """
unit w1: BgpConnector with config { topology: WestOnly };
unit w2: BgpConnector with config { topology: WestOnly };
unit val: RtrConnector with config { server: 127.0.0.1:323 };
"""
"""Connectors that bring nothing in by themselves."""

Rows = dict[str, tuple[int, ...]]
"""Routes: AS paths by prefix."""


def program_of(words: str) -> Program:
    """A program without mistakes."""
    source = Source("test.blocks", words)
    made, found = check(source)
    assert made is not None, text(source, found)
    return made


def path_attributes(*path: int) -> bytes:
    """ORIGIN, AS_PATH and NEXT_HOP."""
    segment = struct.pack(f">BB{len(path)}I", 2, len(path), *path)
    return b"\x40\x01\x01\0\x40\x02" + bytes([len(segment)]) + segment + b"\x40\x03\x04\xc0\0\x02\x01"


def key_of(prefix: str) -> bytes:
    """The key of a route without a path identifier."""
    network = ip_network(prefix)
    return network.network_address.packed + bytes([network.prefixlen]) + bytes(4)


class Hands:
    """What a test does to an instance, and sees of it."""

    def announce(self, instance: Instance, unit: str, rows: Rows, peer: int = 1, time: int = 0) -> None:
        """The table of a connector is this now: routes of one peer."""
        stage: Any = instance.stages[unit]
        described = Ingress(peer, IngressKind.BGP, bytes((192, 0, 2, peer)), 64500 + peer)
        ingress, store = stage.adopt(described), stage.flow.store
        made: dict[Slot, Records] = {}
        families: tuple[tuple[Literal[4, 6], int], ...] = ((4, 9), (6, 21))
        for family, width in families:
            own = {
                key_of(prefix): path_attributes(*path) for prefix, path in rows.items() if len(key_of(prefix)) == width
            }
            slot = RouteSlot(family, ingress, store)
            made[slot] = Records.of(slot, list(own), store.intern_all(list(own.values())), [time] * len(own))
        stage.flow.history.commit(Snapshot.of(made))

    def say(self, instance: Instance, unit: str, *vrps: tuple[int, str, int]) -> None:
        """A source of RPKI data says this now."""
        rpki = instance.stages[unit].rpki
        assert rpki is not None
        keys = [parse_vrp(asn, prefix, longest)[0].key() for asn, prefix, longest in vrps]
        rpki._tell(SourceState.CURRENT, Snapshot.of({VRP4: Records.of(VRP4, keys)}))

    def held(self, instance: Instance, unit: str) -> list[str]:
        """The prefixes of a table."""
        flow = instance.stages[unit].flow
        assert flow is not None
        found = []
        for records in flow.history.snapshot.values():
            for row in range(len(records)):
                key = records.key(row)
                found.append(str(ip_network((key[:-5], key[-5]))))
        return sorted(found)


class GraphCase(Hands, SynchronousTestCase):
    """A test of one instance."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.now = NOW

    def run_program(self, words: str, name: str | None = None) -> Instance:
        """Run an instance of this file."""
        made = Instance(self.reactor, program_of(words), name, lambda: self.now, maybeDeferred)
        made.privilegedStartService()
        made.startService()
        self.addCleanup(made.stopService)
        return made

    def reload(self, instance: Instance, words: str) -> str:
        """Have it run this file from now on."""
        return self.successResultOf(ensureDeferred(instance.reload(program_of(words))))
