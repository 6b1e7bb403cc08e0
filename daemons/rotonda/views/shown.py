"""Links, and what the API asks of a daemon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from rotonda.rib.attributes_index import AttributesIndex
from rotonda.rib.ingresses import IngressRegistry
from rotonda.rib.past import Past
from rotonda.views.served import ServingView
from rotoro.table import History, Position


class Place(msgspec.Struct, frozen=True):
    """A position in a table."""

    epoch: int
    serial: int

    @staticmethod
    def of(position: Position) -> Place:
        """The same as JSON has it."""
        return Place(position.epoch, position.serial)


class HeldPartition(msgspec.Struct, frozen=True):
    """A part of a topic that a member of a group has: `offset` is that of the next record, `lag` how many records are
    behind it, and `loaded` tells whether all is in the table that was there when the partition came."""

    number: int
    offset: int
    lag: int
    loaded: bool


class Link(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One session with a west: a RIB's neighbour, or a router's cache. What does not apply is left out.

    Times are in seconds; `age` counts from the last full set of data, `expires_in` to the end of its use. Of several
    caches those with the lowest `preference` come first; `in_use` tells whose `records` are. `clamped` counts timers
    that were out of range, `tolerated` records that a strict router would not have taken. `left_out` counts customers
    whose ASPAs are not used because all sources together name more providers than fit into one PDU.
    """

    name: str
    peer: str
    state: str
    mode: str | None = None
    version: int | None = None
    session: int | None = None
    serial: int | None = None
    position: Place | None = None
    refresh: float | None = None
    retry: float | None = None
    expire: float | None = None
    age: float | None = None
    expires_in: float | None = None
    preference: int | None = None
    in_use: bool | None = None
    records: int | None = None
    left_out: int | None = None
    clamped: int | None = None
    tolerated: int | None = None
    partitions: tuple[HeldPartition, ...] = ()
    last_error: str | None = None


class Filtered(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What a filter of a unit has done. `failures` are by their place in the file, `sent` by the output stream."""

    unit: str
    filter: str
    seen: int
    accepted: int
    rejected: int
    failures: Mapping[str, int] = {}
    sent: Mapping[str, int] = {}


class Sending(msgspec.Struct, omit_defaults=True, kw_only=True):
    """How an output stream fares, in records: what was sent has been written, was dropped, or waits.

    `dropped_by` are the dropped ones by the reason; `spilled` have ever waited on disk, and `spill_octets` are there
    now. With `blocking`, connectors read nothing until there is room.
    """

    name: str
    sent: int
    written: int
    dropped: int
    waiting: int
    dropped_by: Mapping[str, int] = {}
    spilled: int = 0
    spill_octets: int = 0
    blocking: bool = False
    problem: str | None = None


SourceState = Literal["LOADING", "CURRENT", "STALE", "BROKEN"]
"""CURRENT: what lies there is in use; STALE: what was good last is; BROKEN: nothing is."""


class Sourced(msgspec.Struct, omit_defaults=True, kw_only=True):
    """How a data source that is a file fares."""

    name: str
    state: SourceState
    mode: str
    records: int = 0
    age: float | None = None
    """Seconds since the file was last read and good."""
    changes: int = 0
    """Tables that took the place of others."""
    failures: int = 0
    """Readings that failed."""
    problem: str | None = None
    last_error: str | None = None
    """What was wrong the last time, be it over or not."""


class Rib(Protocol):
    """Routes that can be asked for; a `PhysicalRib` is one."""

    @property
    def name(self) -> str:
        """What it is called in the API."""

    @property
    def index(self) -> AttributesIndex:
        """The index of the store of its attribute sets."""

    @property
    def past(self) -> Past | None:
        """The past of its routes, if it keeps one."""

    @property
    def tables(self) -> Mapping[str, History]:
        """Its tables; the routes are in `rib`, RPKI data in `rpki`."""


class View(Protocol):
    """What every daemon shows."""

    @property
    def name(self) -> str:
        """The program."""

    @property
    def version(self) -> str:
        """Its version."""

    @property
    def started(self) -> float:
        """Since when it runs, by the clock of the site."""

    def links(self) -> Sequence[Link]:
        """Its sessions to the west."""

    def missing(self) -> Sequence[str]:
        """What it still waits for before it can be relied on, in words; nothing when it is ready."""


class RibView(View, ServingView, Protocol):
    """What a daemon with RIBs shows."""

    @property
    def ingresses(self) -> IngressRegistry:
        """Where its routes come from."""

    def ribs(self) -> Sequence[Rib]:
        """Its RIBs."""


class ConnectorView(View, ServingView, Protocol):
    """What a daemon shows that brings data in."""

    @property
    def tables(self) -> Mapping[str, History]:
        """Its tables, by the kind of their records."""


class RouterView(View, Protocol):
    """What a daemon with a validated set shows."""

    @property
    def history(self) -> History:
        """The table of RPKI data."""
