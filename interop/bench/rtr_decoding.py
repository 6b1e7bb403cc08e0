"""How fast the wire room reads and writes RTR data: `python -m interop.bench.rtr_decoding [records]` prints a table.

One core, nothing but the codec: octets arrive in slices of 64 KiB, as from a socket, and leave as columns.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from statistics import median

import numpy as np

from interop.bench import report
from rotoro.wire import Decoder, encode
from rotoro.wire.bulk import PREFIX_FORMS, Keys, Prefixes, as_keys, encode_prefixes
from rotoro.wire.rtr import Aspa

SLICE = 1 << 16
ROUNDS = 5


def keys_of(family: int, count: int) -> Keys:
    """Sorted keys of different /24s or /48s, all from one seed."""
    octets = 4 if family == 4 else 16
    rows = np.zeros((count, octets + 6), np.uint8)
    rows[:, : octets // 4 + 2] = np.random.default_rng(family).integers(0, 256, (count, octets // 4 + 2))
    rows[:, octets : octets + 2] = 24 if family == 4 else 48
    rows[:, octets + 3 :] = np.random.default_rng(1).integers(0, 256, (count, 3))
    return np.sort(as_keys(rows))


def pieces(family: int, count: int) -> list[bytes]:
    """So many prefixes, each encoded for itself."""
    form = PREFIX_FORMS[family]
    octets = encode_prefixes(form, keys_of(family, count), True, 2)
    return [octets[i : i + form.size] for i in range(0, len(octets), form.size)]


def aspas(count: int) -> list[bytes]:
    """So many ASPAs of three providers."""
    return [encode(Aspa(1, customer, (1, 2, customer + 3))) for customer in range(count)]


def shuffled(*parts: list[bytes]) -> bytes:
    """Everything in one random order."""
    everything = [piece for part in parts for piece in part]
    Random(1).shuffle(everything)
    return b"".join(everything)


def records(octets: bytes) -> int:
    """Decode all, in slices; the number of records."""
    decoder, count = Decoder(), 0
    for start in range(0, len(octets), SLICE):
        decoder.receive(octets[start : start + SLICE])
        for _, pdu in decoder.items():
            count += len(pdu) if isinstance(pdu, Prefixes) else 1
    return count


def rate(count: int, work: Callable[[], object]) -> float:
    """Records a second, the median of several rounds."""
    took = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return count / median(took)


def decoding(count: int) -> Iterator[tuple[str, int, bytes]]:
    """What is decoded: its name, its records, its octets."""
    four, six = pieces(4, count * 4 // 5), pieces(6, count // 5)
    yield "IPv4, then IPv6", len(four) + len(six), b"".join(four + six)
    yield "IPv4 and IPv6 at random", len(four) + len(six), shuffled(four, six)
    few = aspas(count // 100)
    yield "IPv4, IPv6 and 1 % ASPA at random", len(four) + len(six) + len(few), shuffled(four, six, few)
    third = count // 30
    yield "a third each of IPv4, IPv6 and ASPA at random", 3 * third, shuffled(four[:third], six[:third], aspas(third))
    yield "ASPA only", count // 10, b"".join(aspas(count // 10))


def main(count: int) -> None:
    """Measure and print."""
    rows = []
    for name, number, octets in decoding(count):
        assert records(octets) == number
        rows.append(_row(f"decode: {name}", rate(number, partial(records, octets)), len(octets) / number))
    for family, form in PREFIX_FORMS.items():
        keys = keys_of(family, count)
        rows.append(_row(f"encode: IPv{family}", rate(count, partial(encode_prefixes, form, keys, True, 2)), form.size))
    print(f"{count:,} records, 80 % IPv4, in slices of {SLICE // 1024} KiB, medians of {ROUNDS} rounds.", end=" ")
    print(f"{report.machine()}.\n\n{report.table(['', 'records/s', 'MiB/s'], rows)}")


def _row(name: str, each: float, octets: float) -> list[str]:
    return [name, f"{each / 1e6:.2f} M", report.mebibytes(each * octets)]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
