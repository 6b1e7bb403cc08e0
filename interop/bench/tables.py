"""What tables cost: `python -m interop.bench.tables` prints memory and CPU time as a Markdown table.

CPU seconds of this process, medians of several runs. The data is made up from a fixed seed.
"""

from __future__ import annotations

import gc
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interop.bench import report
from rotoro.table import (
    VRP4,
    VRP6,
    AttributeStore,
    Diff,
    Ingress,
    IngressKind,
    Records,
    RouteSlot,
    Snapshot,
    resolve,
    resolve_rows,
)

RUNS = 7
VRPS = 500_000
ROUTES = 1_000_000
SETS = 170_000
CHANGED_ROUTES = 10_000
WIRE = {VRP4: 20, VRP6: 32}  # octets of an RTR PDU (RFC 8210 sections 5.6 and 5.7)

Octets = NDArray[np.uint8]


def cpu(work: Callable[[], object]) -> str:
    spent = []
    for _ in range(RUNS):
        started = time.process_time()
        result = work()
        spent.append(time.process_time() - started)
        del result
    return f"{statistics.median(spent) * 1000:.1f} ms"


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def keys(random: np.random.Generator, count: int, width: int) -> NDArray[np.bytes_]:
    octets: Octets = random.integers(0, 256, (count, width), dtype=np.uint8)
    return octets.reshape(-1).view(f"S{width}")


def vrps(random: np.random.Generator) -> Snapshot:
    four = VRPS * 8 // 10
    return Snapshot.of(
        {
            VRP4: Records.of(VRP4, keys(random, four, 10)),
            VRP6: Records.of(VRP6, keys(random, VRPS - four, 22)),
        }
    )


def partly_other(random: np.random.Generator, snapshot: Snapshot, part: float) -> Snapshot:
    """That part withdrawn and as much announced, so that the sizes stay."""
    changed = {}
    for slot, records in snapshot.items():
        kept = records.keys[random.random(len(records)) >= part]
        fresh = keys(random, len(records) - len(kept), slot.key_dtype.itemsize)
        changed[slot] = Records.of(slot, np.concatenate((kept, fresh)))
    return Snapshot.of(changed)


def measure_vrps(random: np.random.Generator) -> list[tuple[str, str]]:
    gc.collect()
    before = resident()
    first = vrps(random)
    gc.collect()
    grown = resident() - before
    wire = sum(len(records) * WIRE[slot] for slot, records in first.items() if slot in WIRE)
    second = partly_other(random, first, 0.2)
    diff = first.diff(second)
    third = partly_other(random, second, 0.2)
    other = second.diff(third)
    small = first.diff(partly_other(random, first, 0.0002))
    withdrawn, announced = small[VRP4].before.keys, small[VRP4].after
    return [
        (f"{first.count:,} VRPs on the wire", f"{wire / 1e6:.2f} MB"),
        ("- snapshot, nbytes", f"{first.nbytes / 1e6:.2f} MB, {first.nbytes / wire:.2f} x wire"),
        ("- snapshot, growth of resident memory", f"{grown / 1e6:.2f} MB, {grown / wire:.2f} x wire"),
        ("- snapshot from sorted columns, with digest", cpu(lambda: Snapshot.of(dict(first)))),
        (f"- diff of two sets ({diff.count:,} changes)", cpu(lambda: first.diff(second))),
        ("- apply it", cpu(lambda: diff.apply(first))),
        ("- chain two such diffs", cpu(lambda: diff.then(other))),
        ("- digest of it from nothing", cpu(lambda: Diff.of(dict(diff)))),
        (f"- apply {small.count} changes", cpu(lambda: small.apply(first))),
        (
            "- resolve as many in one family, strictly",
            cpu(lambda: resolve(first, VRP4, announced, withdrawn, strict=True)),
        ),
    ]


def measure_routes(random: np.random.Generator) -> list[tuple[str, str]]:
    sets = [random.bytes(100) for _ in range(SETS)]
    store = AttributeStore()
    numbers = store.intern_all(sets)
    slot = RouteSlot(4, Ingress(1, IngressKind.BGP, bytes([192, 0, 2, 1]), 64496), store)
    route_keys = keys(random, ROUTES, 9)
    values = numbers[random.integers(0, SETS, ROUTES)]
    records = Records.of(slot, route_keys, values)
    snapshot = Snapshot.of({slot: records})
    touched = np.sort(random.choice(len(records), CHANGED_ROUTES, replace=False))
    other_values = numbers[random.integers(0, SETS, CHANGED_ROUTES)]
    rows = np.concatenate((records.keys[touched[::2]], keys(random, CHANGED_ROUTES // 2, 9)))
    announce = np.ones(len(rows), np.bool_)
    announce[: CHANGED_ROUTES // 4] = False

    def mixed() -> Diff:
        return Diff.of({slot: resolve_rows(snapshot, slot, announce, rows, other_values, strict=False).change})

    def replaced() -> Diff:
        announced = Records.of(slot, records.keys[touched], other_values)
        return Diff.of({slot: resolve(snapshot, slot, announced, (), strict=False).change})

    def retained() -> None:
        store.retain(values)
        store.release(values)

    mixed_diff, replaced_diff = mixed(), replaced()
    second = mixed_diff.apply(snapshot)
    return [
        (f"{SETS:,} attribute sets of 100 octets interned", cpu(lambda: AttributeStore().intern_all(sets))),
        ("- once more", cpu(lambda: store.intern_all(sets))),
        (f"- retain and release {ROUTES:,} rows", cpu(retained)),
        (f"{ROUTES:,} routes: sort a batch into columns", cpu(lambda: Records.of(slot, route_keys, values))),
        (
            "- snapshot, nbytes",
            f"{snapshot.nbytes / 1e6:.2f} MB, {snapshot.nbytes / snapshot.count:.1f} octets per route",
        ),
        ("- digest from nothing", cpu(lambda: slot.hashes(records.keys, records.values))),
        (f"- resolve and hash {mixed_diff.count:,} mixed changes", cpu(mixed)),
        ("- apply them", cpu(lambda: mixed_diff.apply(snapshot))),
        (f"- resolve and hash {replaced_diff.count:,} replacements", cpu(replaced)),
        ("- apply them", cpu(lambda: replaced_diff.apply(snapshot))),
        (f"- diff of the two snapshots ({mixed_diff.count:,} changes)", cpu(lambda: snapshot.diff(second))),
    ]


def main() -> None:
    random = np.random.default_rng(20260101)
    rows = [*measure_vrps(random), *measure_routes(random)]
    print(f"Medians of {RUNS} runs. {report.machine()}.\n\n{report.table(['', 'measured'], rows)}")


if __name__ == "__main__":
    main()
