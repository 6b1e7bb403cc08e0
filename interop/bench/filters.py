"""How many routes a second go through a filter-map as operators write them: `python -m interop.bench.filters`.

    python -m interop.bench.filters --routes 1000000 --rounds 5

The filter has limits of prefix lengths, a list of bogons, conditions on AS paths and communities, route origin
validation, and changes a tenth of the routes. "Cold" is its first look at a table, with every attribute set new to it;
"warm" is the same again, as when a filter decides on what has come before; "every row" is the first look without
anything kept per attribute set: each distinct set is as good as each row. Seconds are those of the CPU.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from rotonda.bgp.mrt import MrtReader
from rotonda.bgp.update import RouteBatch
from rotonda.blocks.check import check
from rotonda.blocks.places import Source
from rotonda.blocks.typed import TypedFilter
from rotonda.filters.compile import compiled
from rotonda.filters.set_columns import SetColumns
from rotonda.filters.world import SmallWorld
from rotonda.rib.builder import TableBuilder
from rotonda.rib.validated import aspa_set
from rotonda.sources.rpki import RpkiView
from rotonda.units.files import decompressed

from interop.bench import report
from interop.bench.mrt import NoTable, full_table
from rotoro.table import (
    EMPTY,
    VRP4,
    VRP6,
    AttributeStore,
    Ingress,
    IngressKind,
    Records,
    RouteSlot,
    Slot,
    Snapshot,
)

PROGRAM = """
unit validator: RtrConnector with config { server: 192.0.2.1:323 };
data-source rpki: Rpki with config { related: validator };
unit archive: MrtConnector with config { files: ["table.mrt"] };
unit rib: PhysicalRib with config { filter_map: from-transit(AS65000) };
instance all: Daemon with config { graph = [ archive -> rib, validator ] };

filter-map from-transit with my_asn: Asn {
    define {
        rx_tx route: Route;
        use rpki;
        state = rpki.validate(route.prefix, route.as_path.origin());
    }
    term too-specific {
        some {
            !route.prefix.is_ipv6() && (route.prefix.len() > /24 || route.prefix.len() < /8);
            route.prefix.is_ipv6() && (route.prefix.len() > /48 || route.prefix.len() < /16);
        }
    }
    term bogon {
        match {
            route.prefix in [
                0.0.0.0/8 orlonger, 10.0.0.0/8 orlonger, 100.64.0.0/10 orlonger, 127.0.0.0/8 orlonger,
                169.254.0.0/16 orlonger, 172.16.0.0/12 orlonger, 192.0.2.0/24 orlonger, 192.168.0.0/16 orlonger,
                198.18.0.0/15 orlonger, 198.51.100.0/24 orlonger, 203.0.113.0/24 orlonger, 224.0.0.0/3 orlonger,
                ::/8 orlonger, 100::/64 orlonger, 2001:2::/48 orlonger, 2001:10::/28 orlonger,
                2001:db8::/32 orlonger, 3ffe::/16 orlonger, fc00::/7 orlonger, fe80::/10 orlonger, ff00::/8 orlonger
            ];
        }
    }
    term bad-path {
        some {
            route.as_path.len() > 50;
            route.as_path.contains_any([my_asn, AS0, AS23456, AS65535, AS4294967295]);
            route.as_path.has_set();
        }
    }
    term blackhole {
        match { route.communities.contains(65535:666); }
    }
    term preferred {
        some {
            route.communities.contains_any([3356:100, 1299:20000, 174:21000, 2914:410]);
            route.as_path.len() <= 2;
            route.med.exists() && route.med > 1000;
        }
    }
    action prefer {
        route.local_pref.set(200);
    }
    apply {
        filter some too-specific matching { reject; };
        filter match bogon matching { reject; };
        filter match bad-path matching { reject; };
        filter match blackhole matching { reject; };
        filter match route.as_path.origin().exists() && state == INVALID matching { reject; };
        filter match preferred matching { prefer; };
        accept;
    }
}
"""


def table(path: Path) -> Snapshot:
    """The routes of an MRT file."""
    reader, store = MrtReader("benchmark"), AttributeStore()
    snapshot = EMPTY

    def slot(peer: int, family: int) -> RouteSlot:
        known = reader.peers[peer]
        ingress = Ingress(peer, IngressKind.MRT, known.address, known.asn, known.bgp_id)
        return RouteSlot(4 if family == 4 else 6, ingress, store)

    builder = TableBuilder(store, reader.sets, slot, lambda: snapshot)
    for piece in decompressed(path):
        for given in reader.receive(piece):
            if isinstance(given, RouteBatch):
                builder.add(given)
    for given in reader.finish():
        if isinstance(given, RouteBatch):
            builder.add(given)
    return builder.take().apply(snapshot)


def vrps(routes: Snapshot, random: np.random.Generator) -> Snapshot:
    """VRPs for about half of the routes of a table, of which some are of other ASes."""
    made: dict[Slot, Records] = {}
    for slot, records in routes.items():
        if isinstance(slot, RouteSlot) and records.values is not None:
            octets = slot.key_dtype.itemsize - 5
            some = np.flatnonzero(random.random(len(records)) < 0.5)
            sets = SetColumns([slot.attributes.octets[number] for number in records.values[some].tolist()])
            asns = sets.origin_as.values + (random.random(len(some)) < 0.02)
            payload = _payload(records.keys[some], octets, asns.astype(np.uint32))
            own = VRP4 if octets == 4 else VRP6
            made[own] = Records.of(own, payload)
    return Snapshot.of(made)


def _payload(keys: NDArray[np.bytes_], octets: int, asns: NDArray[np.uint32]) -> NDArray[np.bytes_]:
    rows = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), -1)
    lengths = rows[:, octets : octets + 1]
    told = np.ascontiguousarray(asns.astype(">u4")).view(np.uint8).reshape(-1, 4)
    whole = np.ascontiguousarray(np.hstack((rows[:, :octets], lengths, lengths, told)))
    return whole.reshape(-1).view(f"S{octets + 6}")


def the_filter() -> TypedFilter:
    """The filter that is measured."""
    program, said = check(Source("benchmark.blocks", PROGRAM))
    if program is None:
        raise ValueError("; ".join(one.message for one in said))
    return program.filters["from-transit"]


def apart(routes: Snapshot) -> Snapshot:
    """The same table as if every route had a set of its own."""
    made: dict[Slot, Records] = {}
    for slot, records in routes.items():
        assert isinstance(slot, RouteSlot)
        assert records.values is not None
        store = AttributeStore()
        alone = [slot.attributes.octets[number] + _own(row) for row, number in enumerate(records.values.tolist())]
        made[RouteSlot(slot.family, slot.ingress, store)] = Records(
            records.keys, store.intern_all(alone), records.times
        )
    return Snapshot(made, routes.count, 0)


def _own(row: int) -> bytes:
    """An attribute of a type that nobody knows."""
    return bytes((0xC0, 250, 4)) + row.to_bytes(4)


def measured(routes: Snapshot, work: Callable[[RouteSlot, Records], Records]) -> tuple[float, int]:
    """CPU seconds to put all slots of a table through, and how many routes are left."""
    started, left = time.process_time(), 0
    for slot, records in routes.items():
        assert isinstance(slot, RouteSlot)
        left += len(work(slot, records))
    return time.process_time() - started, left


def rounds_of(routes: Snapshot, filter: TypedFilter, world: SmallWorld, rounds: int) -> dict[str, list[float]]:
    """The seconds of all rounds."""
    spent: dict[str, list[float]] = {"cold": [], "warm": [], "every row": []}
    alone = apart(routes)
    for number in range(rounds):
        own = compiled(filter, {"my_asn": 65000}, world)
        for name in ("cold", "warm"):
            seconds, left = measured(routes, own.run)
            spent[name].append(seconds)
        spent["every row"].append(measured(alone, compiled(filter, {"my_asn": 65000}, world).run)[0])
        told = ", ".join(f"{name} {times[-1]:.3f} s" for name, times in spent.items())
        print(f"round {number + 1}: {told}; {left} of {routes.count} accepted", file=sys.stderr, flush=True)
    return spent


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print markdown."""
    options = _parser().parse_args(words)
    try:
        path = options.mrt or full_table(options.routes).file
    except NoTable as missing:
        print(missing, file=sys.stderr)
        return 1
    routes = table(path)
    payload = vrps(routes, np.random.default_rng(20260101))
    world = SmallWorld({"rpki": RpkiView(payload, aspa_set(payload))})
    spent = rounds_of(routes, the_filter(), world, options.rounds)
    sets = len({slot.attributes for slot in routes if isinstance(slot, RouteSlot)}.pop())
    print(f"{routes.count:,} routes with {sets:,} attribute sets, {payload.count:,} VRPs.")
    print(f"Medians of {options.rounds} rounds. {report.machine()}.\n")
    rows = [_row(name, routes.count, times) for name, times in spent.items()]
    print(report.table(["", "CPU s", "routes/s"], rows))
    return 0


def _row(name: str, routes: int, times: Sequence[float]) -> tuple[str, str, str]:
    seconds = median(times)
    return name, report.seconds(seconds), f"{routes / seconds:,.0f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m interop.bench.filters", description=__doc__)
    parser.add_argument("--routes", type=int, default=1_000_000, help="of a made-up table")
    parser.add_argument("--mrt", type=Path, help="another file instead of the made-up table")
    parser.add_argument("--rounds", type=int, default=5)
    return parser


if __name__ == "__main__":
    sys.exit(main())
