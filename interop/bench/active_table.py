"""What it takes to judge a full table again when an ACTIVE table changes: `python -m interop.bench.active_table`.

    python -m interop.bench.active_table --routes 1000000 --customers 10000 --rounds 5

A physical RIB and a virtual one hold what the filter of `interop.bench.table_lookup` leaves of all routes, by a table
of customers of which one in a hundred then changes: other ASes, another prefix, gone or new. Measured is everything
from the octets of the new file to the diff that goes east: reading it, what differs, and judging what that touches. A
second filter looks customers up by origin, so that every route has to be judged again.

After each change each RIB is compared, row by row, with what a filter that was made afresh leaves of all routes, and
the diff with the difference between what the RIB held before and holds then. Seconds are those of the CPU.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TypeVar

import numpy as np
from rotonda.blocks.configs import TableSource
from rotonda.blocks.typed import TypedFilter
from rotonda.blocks.values import Prefix
from rotonda.filters.compile import CompiledFilter, compiled
from rotonda.filters.world import SmallWorld, SourceView
from rotonda.flow.filtered import FilteredTable
from rotonda.flow.joined import JoinedTable
from rotonda.flow.touched import Touched
from rotonda.rib.validated import aspa_set
from rotonda.sources.rpki import RpkiView
from rotonda.sources.table import TableView

from interop.bench import filters, report
from interop.bench.mrt import NoTable, full_table
from interop.bench.table_lookup import Customer, csv, customers, program, the_filter
from rotoro.table import Diff, History, RouteSlot, Snapshot

T = TypeVar("T")

ARGUMENTS = {"my_asn": 65000}
ONE_IN = 100
BY_ORIGIN = ("found = customers.longest_match(route.prefix);", "found = customers.find(route.as_path.origin());"), (
    "prefix: Prefix, allowed_asns: [Asn]",
    "prefix: Prefix, allowed_asns: [Asn], asn: Asn",
), (
    "match { found.matches; route.as_path.origin() not in found.first().allowed_asns; }",
    "match { route.as_path.origin().exists(); found.matches; route.as_path.origin() in found.first().allowed_asns; }",
)  # fmt: skip


def by_origin(text: str) -> str:
    """The file with a filter that looks customers up by origin."""
    for before, after in BY_ORIGIN:
        if before not in text:
            raise ValueError(before)
        text = text.replace(before, after)
    return text


def file_of(rows: Sequence[Customer], with_asn: bool) -> bytes:
    """The octets of a table; of those that are looked up by origin, customers have an AS of their own."""
    octets = csv(rows)
    if not with_asn:
        return octets
    header, *lines = octets.decode().splitlines()
    made = (f"{line},AS{asns[-1]}" for line, (_, _, asns) in zip(lines, rows, strict=True))
    return "\n".join([f"{header},asn", *made]).encode()


def others(rows: Sequence[Customer], chance: random.Random) -> list[Customer]:
    """The same table with one in a hundred changed."""
    made = list(rows)
    for at in chance.sample(range(len(made)), len(made) // ONE_IN):
        name, prefix, asns = made[at]
        match chance.randrange(4):
            case 0:
                made[at] = name, prefix, (*asns, chance.randrange(1, 400_000))
            case 1:
                made[at] = name, prefix, (chance.randrange(1, 400_000),)
            case 2:
                made[at] = name, prefix.cut(max(0, prefix.length - 1)), asns
            case _:
                address = chance.getrandbits(16).to_bytes(2) + bytes(2)
                made[at] = f"{name}a", Prefix(address, 16), (chance.randrange(1, 400_000),)
    return made


@dataclass
class Ribs:
    """A RIB of each kind, on the same routes, with one filter."""

    routes: Snapshot
    filter: TypedFilter
    config: TableSource
    sources: Mapping[str, SourceView]
    view: TableView
    spent: dict[str, list[float]] = field(default_factory=dict)
    changed: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.own = compiled(self.filter, ARGUMENTS, self._world())
        self.west, history = History(1, 0), History(2, 0)
        self.west.commit(self.routes)
        self.physical = JoinedTable(history, ("west",), self.own)
        self.physical.update("west", self.routes)
        self.virtual = FilteredTable(self.west, self.own, History(3, 0))

    def _world(self) -> SmallWorld:
        return SmallWorld({**self.sources, "customers": self.view})

    def change(self, octets: bytes) -> Iterator[str]:
        """The table is this now; tells what is wrong with what comes of that."""
        before = self.physical.history.snapshot, self.virtual.history.snapshot
        held = [dict(one) for one in before]
        view, touched, own = self._timed("read", lambda: self._read(octets))
        diffs = [
            self._timed("physical", lambda: self.physical.use(own, touched)),
            self._timed("virtual", lambda: self.virtual.use(own, touched)),
        ]
        self.view, self.own = view, own
        fresh = self._fresh()
        for name, diff, was, now in zip(
            ("physical", "virtual"), diffs, held, (self.physical.history.snapshot, self.virtual.history.snapshot),
            strict=True,
        ):  # fmt: skip
            if any(now.records(slot) != records for slot, records in fresh.items()):
                yield f"{name}: the table is not what a new filter makes"
            true = Snapshot.of(was).diff(fresh)
            self.changed.append(true.count)
            if not _same(diff, true):
                yield f"{name}: not exactly the true differences, {true.count}"

    def _read(self, octets: bytes) -> tuple[TableView, Touched | None, CompiledFilter]:
        view = TableView.read(octets, self.config.contains, self.config.source_file, self.view.version + 1)
        prefixes = view.changed_since(self.view)
        touched = Touched.within(self.own, prefixes) if self.own.asks_what_covers("customers") else None
        return view, touched, self.own.in_world(SmallWorld({**self.sources, "customers": view}))

    def _timed(self, name: str, work: Callable[[], T]) -> T:
        started = time.process_time()
        result = work()
        self.spent.setdefault(name, []).append(time.process_time() - started)
        return result

    def _fresh(self) -> Snapshot:
        own = compiled(self.filter, ARGUMENTS, self._world())
        return Snapshot.of({s: own.run(s, r) for s, r in self.routes.items() if isinstance(s, RouteSlot)})


def _same(diff: Diff | None, true: Diff) -> bool:
    if diff is None:
        return not true
    return dict(diff) == dict(true)


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print markdown; 1 if something is not exact."""
    options = _parser().parse_args(words)
    try:
        path = full_table(options.routes).file
    except NoTable as missing:
        print(missing, file=sys.stderr)
        return 1
    routes = filters.table(path)
    payload = filters.vrps(routes, np.random.default_rng(20260101))
    sources: dict[str, SourceView] = {"rpki": RpkiView(payload, aspa_set(payload))}
    wrong: list[str] = []
    rows = []
    for name, text in (("by prefix", program()), ("by origin", by_origin(program()))):
        filter, config = the_filter(text)
        chance = random.Random(20260101)
        table = customers(routes, options.customers, chance)
        first = TableView.read(file_of(table, name == "by origin"), config.contains, config.source_file)
        ribs = Ribs(routes, filter, config, sources, first)
        for number in range(options.rounds):
            table = others(table, chance)
            found = list(ribs.change(file_of(table, name == "by origin")))
            wrong += [f"{name}, round {number + 1}: {one}" for one in found]
            told = ", ".join(f"{part} {spent[-1]:.3f} s" for part, spent in ribs.spent.items())
            print(f"{name}, round {number + 1}: {told}; {ribs.changed[-1]} changes", file=sys.stderr, flush=True)
        rows.append(_row(name, ribs))
    print(f"{routes.count:,} routes, {options.customers:,} customers, one in {ONE_IN} of whom changes.")
    print(f"Medians of {options.rounds} rounds. {report.machine()}.\n")
    header = ["CPU s", "reading the table", "physical RIB", "both", "virtual RIB", "both", "routes that change"]
    print(report.table(header, rows))
    for each in wrong:
        print(each, file=sys.stderr)
    return 1 if wrong else 0


def _row(name: str, ribs: Ribs) -> list[str]:
    read, physical, virtual = (median(ribs.spent[part]) for part in ("read", "physical", "virtual"))
    figures = read, physical, read + physical, virtual, read + virtual
    return [f"looked up {name}", *map(report.seconds, figures), f"{median(ribs.changed):,.0f}"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m interop.bench.active_table", description=__doc__)
    parser.add_argument("--routes", type=int, default=1_000_000, help="of a made-up table")
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    return parser


if __name__ == "__main__":
    sys.exit(main())
