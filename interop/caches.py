"""What the tests of our router with caches of others share: the caches, and a router whose line to one is tapped.

    a cache of others --RTR--> tap --RTR--> our router

A cache is told by its file; what it makes of a change is seen on the line, and what our router makes of it, over HTTP.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interop.cases import MeetingCase
from interop.conformance.octets import (
    ASPA,
    END_OF_DATA,
    ERROR_REPORT,
    IPV4,
    IPV6,
    RESET_QUERY,
    ROUTER_KEY,
    SERIAL_QUERY,
    Heard,
)
from interop.peers import ours, probe, routinator, rtrtr, stayrtr
from interop.peers.base import Peer, require
from interop.peers.debian import AptPeer, UnpackedPeer
from interop.peers.processes import LOOPBACK, Daemon, free_port, wait_until
from interop.results import RecordedCase
from interop.traffic.tap import Tap
from interop.vrps import RpkiData

PAYLOAD = (IPV4, IPV6, ROUTER_KEY, ASPA)
PATIENCE = 45.0
"""Seconds at most for our router to be in step: it may have to come back first."""


@dataclass(frozen=True)
class CacheKind:
    """A cache of others: how it is started with a file on a port, and what it can."""

    peer: Peer
    start: Callable[[Path, Path, int], Daemon]
    write: Callable[[RpkiData, Path], None]
    version: int
    """The highest version that it serves."""
    missing: tuple[str, ...]
    """What it has no place for in its file."""
    told_by_signal: bool = False
    """Whether SIGHUP makes it read its file again; otherwise it looks every second."""

    def expected(self, data: RpkiData, version: int) -> RpkiData:
        """What of this it serves in a version."""
        since = {"router_keys": 1, "aspas": 2}
        return data.without(*(kind for kind in since if kind in self.missing or version < since[kind]))


def write_stayrtr(data: RpkiData, path: Path) -> None:
    """The export with router keys and ASPAs where StayRTR 0.5 looks for them, each customer once for each family."""
    beside = path.with_suffix(".new")
    data.write_rpki_client(beside)
    told: dict[str, Any] = json.loads(beside.read_text())
    aspas = [{"customer_asid": customer, "providers": list(own)} for customer, own in sorted(data.aspas.items())]
    told["provider_authorizations"] = {"ipv4": aspas, "ipv6": aspas}
    beside.write_text(json.dumps(told))
    beside.replace(path)


def write_export(data: RpkiData, path: Path) -> None:
    """The export that rtrtr reads, in place at once, since it may look at any moment."""
    beside = path.with_suffix(".new")
    data.write_routinator(beside)
    beside.replace(path)


def _stayrtr(peer: AptPeer | UnpackedPeer, version: int) -> Callable[[Path, Path, int], Daemon]:
    return lambda folder, file, port: stayrtr.start(folder, file, port, version, peer, retry=1)


def stayrtr_kind(peer: AptPeer | UnpackedPeer, given: int, serves: int) -> CacheKind:
    """StayRTR that is given one version, and serves another if it does not know that one."""
    missing = () if given == 2 and serves == 2 else ("aspas",)
    return CacheKind(peer, _stayrtr(peer, given), write_stayrtr, serves, missing, told_by_signal=True)


STAYRTR = stayrtr_kind(stayrtr.STAYRTR, 1, 1)
STAYRTR_ASPAS = stayrtr_kind(stayrtr.STAYRTR, 2, 2)
STAYRTR_06 = stayrtr_kind(stayrtr.STAYRTR_06, 1, 1)
ROUTINATOR = CacheKind(routinator.ROUTINATOR, routinator.start, routinator.write_exceptions, 2, ("aspas",))
RTRTR = CacheKind(
    rtrtr.RTRTR,
    lambda folder, file, port: rtrtr.start_from_file(folder, file, port, refresh=1),
    write_export,
    2,
    ("router_keys",),
)
KINDS = (STAYRTR, STAYRTR_06, ROUTINATOR, RTRTR)


class CacheCase(MeetingCase, RecordedCase):
    """A cache, a tap and our router."""

    def serve(self, kind: CacheKind, data: RpkiData, port: int | None = None) -> int:
        """Start the cache, or start it again on its port; where it is, once it serves this."""
        require(kind.peer, self)
        self.kind, port = kind, free_port() if port is None else port
        kind.write(data, self.file)
        self.cache = self.keep(kind.start(self.folder, self.file, port))
        self.served(port, kind.expected(data, 0))
        return port

    def served(self, port: int, data: RpkiData) -> None:
        """Wait until the cache serves these VRPs, seen in version 0, which all have in common."""
        probe.fetch_when(self.cache, port, 0, data.vrp_count)

    def change(self, data: RpkiData) -> None:
        """Write this to the cache's file, and see to it that it is read."""
        self.kind.write(data, self.file)
        if self.kind.told_by_signal:
            self.cache.process.send_signal(signal.SIGHUP)

    def tap(self, port: int) -> Tap:
        """A tap in front of that port."""
        tap = Tap(port)
        self.addCleanup(tap.close)
        return tap

    def start_router(self, port: int, settings: str = "", mode: str = "rtr", options: Sequence[str] = ()) -> Daemon:
        """Our router with that cache alone."""
        self.http = free_port()
        words = ["--cache", f"{LOOPBACK}:{port}{settings}", *options]
        self.router = self.keep(ours.start_router(self.folder, self.http, [], mode, words))
        self.router.expect_port(self.http, PATIENCE)
        return self.router

    def came_to(self, expected: RpkiData, seconds: float = PATIENCE) -> None:
        """Our router comes to hold exactly this."""
        last = ["no data"]

        def exact() -> bool | None:
            held = ours.router_data(self.http)
            last[:] = ["no data"] if held is None else expected.differences(held)
            return None if last else True

        if wait_until(exact, seconds, 0.1) is None:
            self.fail(f"{last} after {seconds:g} s\n" + "\n".join(_telling(self.router)[-15:]))

    def link(self) -> dict[str, Any]:
        """What our router says of its cache."""
        told: dict[str, Any] = ours.status(self.http)["links"][0]
        return told

    def link_says(self, key: str, value: object) -> dict[str, Any]:
        """The same, once it says this."""
        return self.router.expect(
            lambda: told if (told := self.link()).get(key) == value else None, f"{key} is {value}", PATIENCE
        )


class Line:
    """What has been said on a tapped line since this was asked last."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self._asked = self._answered = 0

    def news(self) -> tuple[list[Heard], list[Heard]]:
        """PDUs of our router, and of the cache."""
        asked, answered = self._tap.asked(), self._tap.answered()
        news = asked[self._asked :], answered[self._answered :]
        self._asked, self._answered = len(asked), len(answered)
        return news


def queries(asked: Sequence[Heard]) -> list[tuple[int, int]]:
    """Which queries there are among PDUs: (version, kind)."""
    return [(pdu.octets[0], pdu.number) for pdu in asked if pdu.number in (RESET_QUERY, SERIAL_QUERY)]


def errors(pdus: Sequence[Heard]) -> list[tuple[int, str]]:
    """Which Error Reports there are among PDUs: (code, text)."""
    return [(pdu.field, pdu.text.decode(errors="replace")) for pdu in pdus if pdu.number == ERROR_REPORT]


def payload(answered: Sequence[Heard]) -> tuple[int, int]:
    """How many records were announced and withdrawn."""
    records = [pdu for pdu in answered if pdu.number in PAYLOAD]
    announced = sum(pdu.announces for pdu in records)
    return announced, len(records) - announced


def ends(answered: Sequence[Heard]) -> list[Heard]:
    """Every End of Data."""
    return [pdu for pdu in answered if pdu.number == END_OF_DATA]


def _telling(daemon: Daemon) -> list[str]:
    """The log without the questions that were asked over HTTP."""
    return [line for line in daemon.lines() if "http.channel" not in line]
