"""What it costs to look up each route in a table of customers: `python -m interop.bench.table_lookup`.

    python -m interop.bench.table_lookup --routes 1000000 --customers 10000 --rounds 7

The filter is that of `interop.bench.filters`, once as it is and once with a data source more: a table of customers, of
which each has a prefix, an id and the ASes that may announce it. For each route the longest prefix of a customer is
looked for, and a route of a customer with an origin that is not allowed is rejected. The two take turns, cold and warm
as there; seconds are those of the CPU. What is accepted is compared with what a plain walk over all routes accepts.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from rotonda.blocks.check import check
from rotonda.blocks.configs import TableSource
from rotonda.blocks.places import Source
from rotonda.blocks.typed import TypedFilter
from rotonda.blocks.values import Prefix
from rotonda.filters.compile import CompiledFilter, compiled
from rotonda.filters.route_record import AttributesView
from rotonda.filters.set_columns import SetColumns
from rotonda.filters.world import SmallWorld, SourceView
from rotonda.rib.validated import aspa_set
from rotonda.sources.rpki import RpkiView
from rotonda.sources.table import TableView

from interop.bench import filters, report
from interop.bench.mrt import NoTable, full_table
from rotoro.table import Records, RouteSlot, Slot, Snapshot

SOURCE = """
data-source customers: Table with config {
    source_file: "customers.csv", mode: ACTIVE,
    contains: Customer { customer_id: String, prefix: Prefix, allowed_asns: [Asn] }
};
"""
USE = "use rpki;", "use rpki; use customers; found = customers.longest_match(route.prefix);"
TERM = (
    "term blackhole {",
    "term foreign { match { found.matches; route.as_path.origin() not in found.first().allowed_asns; } }\n"
    "    term blackhole {",
)
RULE = (
    "filter match preferred matching { prefer; };",
    "filter match foreign matching { reject; };\n        filter match preferred matching { prefer; };",
)
WRONG = 0.05
"""How many customers have another AS than the one that announces their prefix."""

Customer = tuple[str, Prefix, tuple[int, ...]]


def program() -> str:
    """The file with the table."""
    text = filters.PROGRAM + SOURCE
    for before, after in (USE, TERM, RULE):
        text = text.replace(before, after)
    return text


def the_filter(text: str) -> tuple[TypedFilter, TableSource]:
    """The filter with the look-up, and how its table is configured."""
    made, said = check(Source("benchmark.blocks", text))
    if made is None:
        raise ValueError("; ".join(one.message for one in said))
    config = made.sources["customers"].config
    assert isinstance(config, TableSource)
    return made.filters["from-transit"], config


def customers(routes: Snapshot, count: int, chance: random.Random) -> list[Customer]:
    """Customers whose prefixes routes of the table have, or lie in, and their ASes."""
    found: dict[Prefix, int] = {}
    for slot, records in routes.items():
        assert isinstance(slot, RouteSlot)
        assert records.values is not None
        rows = sorted(chance.sample(range(len(records)), min(len(records), count)))
        sets = SetColumns([slot.attributes.octets[number] for number in records.values[rows].tolist()])
        for row, asn in zip(rows, sets.origin_as.values.tolist(), strict=True):
            key = records.key(row)
            own = Prefix(key[:-5], key[-5])
            found[own.cut(max(0, own.length - chance.choice((0, 0, 1, 2))))] = asn
    chosen = chance.sample(sorted(found, key=str), count)
    return [(f"C{number}", prefix, _asns(found[prefix], chance)) for number, prefix in enumerate(chosen)]


def _asns(own: int, chance: random.Random) -> tuple[int, ...]:
    others = [chance.randrange(1, 400_000) for _ in range(chance.choice((0, 1, 2, 4, 9)))]
    made = others if chance.random() < WRONG else [own, *others]
    return tuple(made) or (64496,)


def csv(rows: Sequence[Customer]) -> bytes:
    """The file of a table."""
    lines = (f"{name},{prefix},{' '.join(f'AS{asn}' for asn in asns)}\n" for name, prefix, asns in rows)
    return ("customer_id,prefix,allowed_asns\n" + "".join(lines)).encode()


class Plain:
    """The same table, looked through as one would write it down."""

    def __init__(self, rows: Sequence[Customer]) -> None:
        self._asns = {prefix: asns for _, prefix, asns in reversed(rows)}
        self._lengths = {
            bits: sorted({one.length for one in self._asns if one.bits == bits}, reverse=True) for bits in (32, 128)
        }

    def is_foreign(self, prefix: Prefix, origin: int | None) -> bool | None:
        """Whether a customer has the prefix and does not allow the origin; None if that cannot be said."""
        for length in self._lengths[prefix.bits]:
            if length <= prefix.length and (asns := self._asns.get(prefix.cut(length))) is not None:
                return None if origin is None else origin not in asns
        return False


def kept(snapshot: Snapshot) -> Iterator[tuple[RouteSlot, bytes, bytes]]:
    """All routes: slot, key and attribute set."""
    for slot, records in snapshot.items():
        assert isinstance(slot, RouteSlot)
        assert records.values is not None
        octets = slot.attributes.octets
        for row, number in enumerate(records.values.tolist()):
            yield slot, records.key(row), octets[number]


def through(routes: Snapshot, own: CompiledFilter) -> Snapshot:
    """What a filter leaves of a table."""
    made: dict[Slot, Records] = {
        slot: own.run(slot, records) for slot, records in routes.items() if isinstance(slot, RouteSlot)
    }
    return Snapshot(made, sum(map(len, made.values())), 0)


def differs(routes: Snapshot, with_table: CompiledFilter, without: CompiledFilter, plain: Plain) -> int:
    """How many routes the two filters do not treat as the plain table says."""
    left = {(slot, key) for slot, key, _ in kept(through(routes, with_table))}
    wrong, origins = 0, dict[bytes, int | None]()
    came = {(slot, key): octets for slot, key, octets in kept(routes)}
    for slot, key, _ in kept(through(routes, without)):
        octets = came[slot, key]
        if octets not in origins:
            origins[octets] = AttributesView(octets).get("origin_asn")
        foreign = plain.is_foreign(Prefix(key[:-5], key[-5]), origins[octets])
        wrong += (foreign is False) != ((slot, key) in left)
    return wrong


def rounds_of(
    routes: Snapshot, filters_of: Mapping[str, tuple[TypedFilter, Mapping[str, SourceView]]], rounds: int
) -> dict[str, dict[str, list[float]]]:
    """The seconds of all rounds, cold and warm, by the filter. Who begins is another one in each round."""
    spent: dict[str, dict[str, list[float]]] = {name: {"cold": [], "warm": []} for name in filters_of}
    for number in range(rounds):
        for name, (filter, sources) in list(filters_of.items())[:: -1 if number % 2 else 1]:
            own = compiled(filter, {"my_asn": 65000}, SmallWorld(sources))
            for look in ("cold", "warm"):
                spent[name][look].append(filters.measured(routes, own.run)[0])
        told = "; ".join(f"{name} {own['cold'][-1]:.3f} s, {own['warm'][-1]:.3f} s" for name, own in spent.items())
        print(f"round {number + 1}: {told}", file=sys.stderr, flush=True)
    return spent


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print markdown; 1 if the filter does not do what the plain table says."""
    options = _parser().parse_args(words)
    try:
        path = options.mrt or full_table(options.routes).file
    except NoTable as missing:
        print(missing, file=sys.stderr)
        return 1
    routes = filters.table(path)
    payload = filters.vrps(routes, np.random.default_rng(20260101))
    rows = customers(routes, options.customers, random.Random(20260101))
    filter, config = the_filter(program())
    view = TableView.read(csv(rows), config.contains, config.source_file)
    sources: dict[str, SourceView] = {"rpki": RpkiView(payload, aspa_set(payload))}
    both = {"without": (filters.the_filter(), sources), "with": (filter, {**sources, "customers": view})}
    spent = rounds_of(routes, both, options.rounds)
    own = {name: compiled(of, {"my_asn": 65000}, SmallWorld(asked)) for name, (of, asked) in both.items()}
    wrong = differs(routes, own["with"], own["without"], Plain(rows))
    print(f"{routes.count:,} routes, of which {_matched(routes, view):,} are of {len(rows):,} customers.")
    print(f"Medians of {options.rounds} rounds in turn. {report.machine()}.\n")
    print(report.table(["", "without, CPU s", "with, CPU s", "routes/s with", "rate / without"], _rows(spent, routes)))
    if wrong:
        print(f"{wrong:,} routes are not judged as the plain table says", file=sys.stderr)
    return 1 if wrong else 0


def _matched(routes: Snapshot, view: TableView) -> int:
    found = 0
    for slot, records in routes.items():
        if isinstance(slot, RouteSlot):
            prefixes = np.ascontiguousarray(records.keys).view(np.uint8).reshape(len(records), -1)[:, :-4]
            keys = np.ascontiguousarray(prefixes).reshape(-1).view(f"S{prefixes.shape[1]}")
            found += int(np.count_nonzero(view.count_column("longest_match", keys)))
    return found


def _rows(spent: Mapping[str, Mapping[str, Sequence[float]]], routes: Snapshot) -> list[list[str]]:
    made = []
    for look in ("cold", "warm"):
        without, own = median(spent["without"][look]), median(spent["with"][look])
        rate = f"{routes.count / own:,.0f}"
        pairs = zip(spent["without"][look], spent["with"][look], strict=True)
        ratio = median(one / other for one, other in pairs)  # of a round, in which the machine was as it was for both
        made.append([look, report.seconds(without), report.seconds(own), rate, f"{ratio:.2f}"])
    return made


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m interop.bench.table_lookup", description=__doc__)
    parser.add_argument("--routes", type=int, default=1_000_000, help="of a made-up table")
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--mrt", type=Path, help="another file instead of the made-up table")
    parser.add_argument("--rounds", type=int, default=7)
    return parser


if __name__ == "__main__":
    sys.exit(main())
