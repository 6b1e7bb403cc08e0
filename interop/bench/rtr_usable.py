"""How long our router takes from query to usable set: `python -m interop.bench.rtr_usable [records]` prints a table.

One process, one core: the answer of a cache comes to the router of the daemons in slices of 64 KiB, as from a socket.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from statistics import median

import numpy as np

from interop.bench import report
from interop.bench.rtr_decoding import ROUNDS, SLICE, keys_of, shuffled
from interop.conformance.octets import cache_response, end_of_data
from interop.conformance.router_memory import MemoryRouter
from rotoro.wire.bulk import PREFIX_FORMS, Keys, encode_prefixes


def _octets(order: Callable[[Keys], Keys], keys: dict[int, Keys]) -> bytes:
    return b"".join(encode_prefixes(form, order(keys[family]), True, 2) for family, form in PREFIX_FORMS.items())


def answers(count: int) -> Iterator[tuple[str, bytes]]:
    """What a cache may send: in which order, and the octets."""
    keys = {4: np.unique(keys_of(4, count * 4 // 5)), 6: np.unique(keys_of(6, count // 5))}
    dice = np.random.default_rng(1)
    yield "descending, as 8210bis has it", _octets(lambda own: own[::-1], keys)
    yield "ascending", _octets(lambda own: own, keys)
    yield "at random, IPv4 before IPv6", _octets(dice.permutation, keys)
    single = [
        [octets[at : at + form.size] for at in range(0, len(octets), form.size)]
        for family, form in PREFIX_FORMS.items()
        for octets in [encode_prefixes(form, keys[family], True, 2)]
    ]
    yield "IPv4 and IPv6 at random", shuffled(*single)


def usable(octets: bytes) -> float:
    """Seconds from the first octet of an answer until its data is used."""
    router = MemoryRouter()
    line = router.connect()
    line.hear(0)
    answer = cache_response(2, 1) + octets + end_of_data(2, 1, 1)
    start = time.perf_counter()
    for at in range(0, len(answer), SLICE):
        line.say(answer[at : at + SLICE])
    took = time.perf_counter() - start
    assert router.count, router.log()
    return took


def main(count: int) -> None:
    """Measure and print."""
    rows = [[name, f"{median(usable(octets) for _ in range(ROUNDS)):.3f} s"] for name, octets in answers(count)]
    print(f"{count:,} VRPs, 80 % IPv4, from query to usable set, medians of {ROUNDS} rounds. {report.machine()}.\n")
    print(report.table(["order", "time"], rows))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
