"""A cache that is asked, whoever drives it: its data goes in as an export, everything else is octets on connections.

Drivers differ in what they are able to do; a case names what it needs beyond connecting and loading:

clock       `advance` the time that the cache sees
restart     begin a new process: new limits, versions or timers, without data or without memory of an earlier life
goodbye     make the cache announce its end
updates     change the data as often as it takes, in no time
places      listen in several places (`elsewhere`)
"""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from interop.conformance.octets import ASPA, IPV4, IPV6, ROUTER_KEY

CLOCK, RESTART, GOODBYE, UPDATES, PLACES = "clock", "restart", "goodbye", "updates", "places"

Vrp = tuple[str, int, int]
"""Prefix, longest length, AS number."""
Key = tuple[bytes, int, bytes]
"""Subject key identifier, AS number, public key as DER."""
Records = dict[tuple[int, bytes], bytes]
"""What a router holds: type and key of each record; the value is an ASPA's providers, and nothing for all others."""

SINCE = {IPV4: 0, IPV6: 0, ROUTER_KEY: 1, ASPA: 2}
"""The version that brought each type of record."""


@dataclass(frozen=True)
class Data:
    """What a cache is to serve."""

    vrps: tuple[Vrp, ...] = ()
    keys: tuple[Key, ...] = ()
    aspas: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def records(self, version: int) -> Records:
        """All that a router of this version has to get."""
        found: Records = {}
        for text, longest, asn in self.vrps:
            network = ip_network(text)
            octets = bytes((network.prefixlen, longest)) + network.network_address.packed + asn.to_bytes(4)
            found[IPV4 if network.version == 4 else IPV6, octets] = b""
        for ski, asn, spki in self.keys:
            found[ROUTER_KEY, ski + asn.to_bytes(4) + spki] = b""
        for customer, providers in self.aspas.items():
            found[ASPA, customer.to_bytes(4)] = b"".join(each.to_bytes(4) for each in sorted(providers))
        return {key: value for key, value in found.items() if SINCE[key[0]] <= version}

    def export(self) -> bytes:
        """As JSON of the kind that validators write; what is in it twice stays so."""
        told = {
            "metadata": {"generated": 1767225600},
            "roas": [{"asn": f"AS{asn}", "prefix": text, "maxLength": longest} for text, longest, asn in self.vrps],
            "routerKeys": [
                {"asn": f"AS{asn}", "SKI": ski.hex(), "routerPublicKey": base64.b64encode(spki).decode()}
                for ski, asn, spki in self.keys
            ],
            "aspas": [
                {"customer": f"AS{customer}", "providers": [f"AS{each}" for each in providers]}
                for customer, providers in self.aspas.items()
            ],
        }
        return json.dumps(told).encode()


class Line(ABC):
    """One connection to a subject."""

    closed = False
    """Whether the subject said that it will say no more."""

    @property
    @abstractmethod
    def kept_alive(self) -> bool:
        """Whether the subject has TCP look after the connection."""

    @abstractmethod
    def say(self, octets: bytes) -> None:
        """Send these in one write; nobody minds if the subject has closed."""

    @abstractmethod
    def hear(self, seconds: float) -> bytes:
        """Some octets that came, waiting so long for them; none at all when nothing came or the line is closed."""

    @abstractmethod
    def finish(self) -> None:
        """Say that nothing more will be said, and go on listening."""

    @abstractmethod
    def reset(self) -> None:
        """Be gone without a word (RST)."""


class Subject(ABC):
    """A cache."""

    able: frozenset[str] = frozenset()
    versions: tuple[int, ...] = (0, 1, 2)
    data = Data()
    """What it was given last."""
    patience = 0.0
    """Seconds for which something is waited for, at most."""
    quiet = 0.0
    """Seconds after which nothing is said to have come."""

    @abstractmethod
    def connect(self) -> Line:
        """A new connection."""

    @abstractmethod
    def feed(self, export: bytes, expected: Data) -> None:
        """Give it an export, of which it is to serve what is expected; come back when it does."""

    def load(self, data: Data) -> None:
        """Have it serve this."""
        self.feed(data.export(), data)

    @abstractmethod
    def tidy(self) -> None:
        """Let go of all lines."""

    def elsewhere(self) -> list[Subject]:
        """The same cache at the other places where it listens."""
        raise NotImplementedError

    def advance(self, seconds: float) -> None:
        """So much time goes by."""
        raise NotImplementedError

    def restart(self, **how: Any) -> None:
        """Begin anew, forgetting everything; without data until it is loaded."""
        raise NotImplementedError

    def goodbye(self, *, restart: bool) -> None:
        """The cache ends, to be back soon or not."""
        raise NotImplementedError
