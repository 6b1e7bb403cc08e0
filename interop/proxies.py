"""What the tests of our connector as a proxy share: its sources, its routers, and what those must be told.

Routers are neutral clients that ask with a Reset Query, or with a Serial Query for what has changed.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from interop import cases
from interop.peers import ours, probe
from interop.peers.probe import Answer, BadAnswer
from interop.peers.processes import LOOPBACK, Daemon, free_port, wait_until
from interop.vrps import RpkiData, generate

SERIAL_QUERY = 1


class Changes(NamedTuple):
    """What a Serial Query brought."""

    serial: int
    announced: int
    withdrawn: int


def changes(port: int, since: Answer) -> Changes:
    """What has changed since a router got that answer; raises `BadAnswer` if it has to start over."""
    with socket.create_connection((LOOPBACK, port), 10) as connection, connection.makefile("rb") as answer:
        connection.sendall(struct.pack(">BBHII", since.version, SERIAL_QUERY, since.session, 12, since.serial))
        counts = [0, 0]
        while True:
            header = answer.read(8)
            if len(header) < 8:
                raise BadAnswer(f"the cache closed, having said {header.hex()}")
            _, kind, _, length = struct.unpack(">BBHI", header)
            body = answer.read(length - 8)
            if kind == probe.END_OF_DATA:
                return Changes(int.from_bytes(body[:4], "big"), counts[1], counts[0])
            if kind in (probe.IPV4, probe.IPV6):
                counts[body[0] & 1] += 1
            elif kind in (probe.ROUTER_KEY, probe.ASPA):
                counts[header[2] & 1] += 1
            elif kind != probe.CACHE_RESPONSE:
                raise BadAnswer(f"type {kind} in answer to a Serial Query: {(header + body)[:64].hex()}")


def minimal(serial: int, before: RpkiData, after: RpkiData) -> Changes:
    """The fewest changes that lead from one to the other; a replaced ASPA is announced once."""
    old, new = (set(data.rows()) | data.router_keys for data in (before, after))
    announced = len(new - old) + len(set(after.aspas.items()) - set(before.aspas.items()))
    return Changes(serial, announced, len(old - new) + len(set(before.aspas) - set(after.aspas)))


def union(*several: RpkiData) -> RpkiData:
    """Everything that any of them has; of ASPAs, the providers that any of them names."""
    customers: dict[int, set[int]] = {}
    for data in several:
        for customer, providers in data.aspas.items():
            customers[customer] = customers.get(customer, set()) | set(providers)
    return RpkiData(
        np.unique(np.concatenate([data.vrps4 for data in several])),
        np.unique(np.concatenate([data.vrps6 for data in several])),
        frozenset().union(*(data.router_keys for data in several)),
        {customer: tuple(sorted(own - {0} or own)) for customer, own in customers.items()},
    )


class ProxyCase(cases.MeetingCase):
    def setUp(self) -> None:
        super().setUp()
        self.first = self.data
        rest = generate(3000, seed=64497, router_keys=5, aspas=20)
        self.second = union(replace(self.first, vrps4=self.first.vrps4[::2], router_keys=frozenset(), aspas={}), rest)

    def file_of(self, data: RpkiData, name: str) -> Path:
        path = self.folder / name
        unfinished = path.with_suffix(".unfinished")
        data.write_routinator(unfinished)
        unfinished.replace(path)
        return path

    def cache(self, data: RpkiData, name: str, port: int | None = None) -> tuple[Daemon, int]:
        """A connector of ours that serves this, and where."""
        port = free_port() if port is None else port
        daemon = self.keep(ours.start_connector(self.folder, port, vrps=[self.file_of(data, name)]))
        daemon.expect_port(port)
        return daemon, port

    def proxy(self, *options: str, vrps: Sequence[Path] = ()) -> int:
        """Our connector with these sources, and where it serves them."""
        port = free_port()
        self.daemon = self.keep(ours.start_connector(self.folder, port, vrps=vrps, options=options))
        self.daemon.expect_port(port)
        return port

    def assertServes(self, port: int, expected: RpkiData, seconds: float = 30) -> Answer:
        """Routers of every version get exactly this in the end, and the same (P-05); the answer in version 2."""
        told: list[str] = ["nothing yet"]

        def served() -> Answer | None:
            with contextlib.suppress(OSError, BadAnswer):
                answer = probe.fetch(port, 2)
                told[:] = expected.differences(answer.data)
                return None if told else answer
            return None

        answer = wait_until(served, seconds, 0.1)
        if answer is None:
            self.fail(f"after {seconds} s still: {told}\n" + "\n".join(self.daemon.lines()[-20:]))
        for version, missing in ((0, ("router_keys", "aspas")), (1, ("aspas",))):
            self.assertTold(expected.without(*missing), probe.fetch(port, version).data)
        return answer
