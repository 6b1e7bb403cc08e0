"""BMP sessions (RFC 7854, RFC 8671, RFC 9069) to batches of routes, from octets that come in slices of any size.

A message is used whole or not at all. A malformed one becomes a `Damage` and is skipped by its length; one whose length
or version cannot be believed ends the session, for nobody knows where the next begins. Of an UPDATE whose attributes
cannot be used the prefixes are withdrawn (RFC 7606 section 2). `Counts` says what became of every message.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby
from operator import itemgetter

from rotonda.bgp import loops
from rotonda.bgp.bmp_messages import (
    BGP_HEADER_OCTETS,
    MARKER,
    PEER_OCTETS,
    PER_PEER_OCTETS,
    MessageKind,
    PeerHeader,
    PeerKind,
    RouterInformation,
    Session,
    View,
    mirrored,
    peer_down,
    peer_header,
    router_information,
    session,
    statistics,
    termination,
    tlvs,
)
from rotonda.bgp.errors import Malformed, MalformedAttributes
from rotonda.bgp.peers import Peer
from rotonda.bgp.raw import Accepts, Protocol, RawMessage, accept_all
from rotonda.bgp.update import RouteBatch, end_of_rib

VERSION = 3
HEADER_OCTETS = 6
MESSAGE_LIMIT = 1 << 18
"""Octets: an UPDATE has up to 65,535 (RFC 8654); only Route Mirroring and an Initiation of many texts may be longer."""
PEER_LIMIT = 1 << 14
"""Sessions of one router that may be up at a time."""
SOURCE_LIMIT = 1 << 16
"""Peers in views that one session may speak of."""
BATCH_ROWS = 1 << 10
"""Rows that make a batch full; what less was gathered is given at the end of each `receive`."""

_HEADER = struct.Struct(">BIB").unpack_from
_UPDATE = 2
_UPDATE_AT = HEADER_OCTETS + PER_PEER_OCTETS + BGP_HEADER_OCTETS
_MONITORING = struct.Struct(f">BIB{PEER_OCTETS}sI4x16sHBH").unpack_from  # up to the length of the withdrawn routes
_SHORTEST = _UPDATE_AT + 4  # octets of Route Monitoring with an UPDATE
_MARKER_LIMIT = 11  # octets of an UPDATE; no End-of-RIB marker has more
_RUN = 1024  # messages between two looks at how many rows there are
_KEEPS_THE_BOOKS = {MessageKind.PEER_UP, MessageKind.PEER_DOWN, MessageKind.INITIATION, MessageKind.TERMINATION}
_ABOUT_THE_ROUTER = {MessageKind.INITIATION, MessageKind.TERMINATION}
_NO_KIND = -1  # of a message whose header is cut
_PEER_KINDS = set(PeerKind)


@dataclass(frozen=True, slots=True)
class Damage:
    """A message that could not be used as it is; nothing is read after one that `ends` the session."""

    offset: int  # of the message, in all that the session said
    message: int  # its number, from 0
    kind: int  # type of the message
    what: str
    octets: bytes  # at most 32, at the fault
    peer: PeerHeader | None = None
    ends: bool = False

    def __str__(self) -> str:
        about = f" about {self.peer}" if self.peer is not None else ""
        octets = f" [{self.octets.hex(' ', 4)}]" if self.octets else ""
        return f"message {self.message} at octet {self.offset}{about}: {self.what}{octets}"


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from: a peer of the router in one view, as its newest Peer Up describes it."""

    peer: PeerHeader
    view: View
    table: str = ""  # name of the VRF or table, if the router told it


@dataclass(frozen=True, slots=True)
class PeerUp:
    """A session of the router is established. The routes of the sources in `closed`, if any, are void: they are from
    an earlier life of the session, of whose end nothing was heard."""

    peer: PeerHeader
    time: int  # seconds since 1970
    session: Session
    closed: tuple[int, ...]
    octets: bytes  # the message
    accepted: bool  # by the filter


@dataclass(frozen=True, slots=True)
class PeerDown:
    """A session of the router has ended, and the routes of these sources with it."""

    peer: PeerHeader
    time: int
    reason: int
    what: str
    closed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EndOfRib:
    """A source has told all routes that it has of a family (RFC 4724 section 2)."""

    source: int
    family: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a router counted."""

    peer: PeerHeader
    time: int
    values: dict[int, int]  # by type


@dataclass(frozen=True, slots=True)
class Mirrored:
    """Messages as a peer sent them; they are not taken apart, as monitoring has their routes."""

    peer: PeerHeader
    messages: int
    lost: bool  # whether the router left some out


@dataclass(frozen=True, slots=True)
class Initiation:
    """The router says who it is."""

    router: RouterInformation
    octets: bytes  # the message
    accepted: bool  # by the filter


@dataclass(frozen=True, slots=True)
class Termination:
    """The router ends the session; nothing is read after it."""

    what: str


@dataclass(frozen=True, slots=True)
class HandedOn:
    """Whole messages, unchanged, for others: all of them accepted by the filter, or none."""

    octets: bytes
    messages: int
    accepted: bool = True


class HandOn(Enum):
    """Which messages are for others."""

    NONE = 0
    ACCEPTED = 1
    ALL = 2


Given = (
    RouteBatch
    | Damage
    | PeerUp
    | PeerDown
    | EndOfRib
    | Statistics
    | Mirrored
    | Initiation
    | Termination
    | HandedOn
)  # fmt: skip


@dataclass(slots=True)
class Counts:
    """What became of the messages, by type, and how many rows they gave."""

    read: Counter[int] = field(default_factory=Counter)
    skipped: Counter[int] = field(default_factory=Counter)  # of types, and of types of peers, that are not known here
    rejected: Counter[int] = field(default_factory=Counter)  # by the filter; not those that are read all the same
    damaged: Counter[int] = field(default_factory=Counter)
    other_families: Counter[tuple[int, int]] = field(default_factory=Counter)  # NLRI in UPDATEs, by (AFI, SAFI)
    withdrawn_instead: int = 0  # UPDATEs whose attributes could not be used
    announcements: int = 0
    withdrawals: int = 0
    octets: int = 0

    def add(self, other: Counts) -> None:
        """Count what another session had, too."""
        self.read.update(other.read)
        self.skipped.update(other.skipped)
        self.rejected.update(other.rejected)
        self.damaged.update(other.damaged)
        self.other_families.update(other.other_families)
        self.withdrawn_instead += other.withdrawn_instead
        self.announcements += other.announcements
        self.withdrawals += other.withdrawals
        self.octets += other.octets


@dataclass(slots=True)
class _Up:
    """A session that is up: its Peer Ups, which may come once for each view, and where its routes come from."""

    peer: PeerHeader
    session: Session
    views: set[View]
    sources: set[int] = field(default_factory=set)


_Way = tuple[int, bool, int]
"""The number of a source, whether AS numbers have four octets, and which families have path identifiers."""


class BmpReader:
    """Takes what one router says; gives batches of routes, and what else happened.

    Rows name their source by its number in `sources`. Messages are offered to `accepts` before they are taken apart;
    what it rejects gives no rows, but Peer Up, Peer Down, Initiation and Termination are heeded all the same: without
    them nobody knows what later messages mean, nor when routes are void. `hand_on` says which messages are given as
    `HandedOn`. `compiled` chooses the loops; all of them give the same.
    """

    def __init__(
        self,
        accepts: Accepts = accept_all,
        hand_on: HandOn = HandOn.NONE,
        *,
        message_limit: int = MESSAGE_LIMIT,
        source_limit: int = SOURCE_LIMIT,
        compiled: bool = loops.accelerated,
    ) -> None:
        self.counts = Counts()
        self.sources: list[Source] = []
        self.router = RouterInformation()
        self.ended = False
        """Whether nothing is read any more."""
        self._accepts: Accepts | None = None if accepts is accept_all else accepts
        self._hand_on = HandOn.ALL if hand_on is HandOn.ACCEPTED and self._accepts is None else hand_on
        self._limits = message_limit, source_limit
        self._compiled = compiled
        self._numbers: dict[tuple[object, ...], int] = {}  # identity, view, AS, BGP identifier -> source
        self._up: dict[tuple[object, ...], _Up] = {}
        self._ways: dict[bytes, _Way] = {}  # per-peer header -> how its messages are read
        self._peers: dict[bytes, tuple[Peer | None, bool]] = {}  # the same for the filter
        self._octets = b""
        self._position = 0  # of the message in hand, in these octets
        self._offset = 0  # of the same, in the session
        self._messages = 0  # in front of it
        self._pieces: list[bytes] = []  # what came since
        self._held = 0  # octets in the pieces
        self._wanted = HEADER_OCTETS  # octets that make the message in hand whole
        self._now = 0
        self._verdict: bool | None = None  # of the filter about the message in hand, if it was asked
        self._given: list[Given] = []
        self._spans: list[tuple[int, int, int, bool]] = []  # of these octets, for others: messages, and if accepted
        self.renew()

    def renew(self) -> None:
        """Number attribute sets anew: `sets` is another list then, for the batches that are given from here on.

        For sessions that last: every set that was ever met is kept otherwise.
        """
        self._sets = loops.attribute_sets(compiled=self._compiled)
        self._rows = loops.rows(self._sets, BATCH_ROWS, compiled=self._compiled)
        self._rows.other_families = self.counts.other_families
        self.renewed_at = self.counts.octets
        """How many octets had come then."""

    @property
    def sets(self) -> list[bytes]:
        """The attribute sets that rows mean by their numbers, in the normal form of `sets.py`."""
        return self._sets.sets

    @property
    def partial(self) -> int | None:
        """Where in the session the message begins that is not whole yet; None if there is none."""
        return self._offset if len(self._octets) > self._position or self._held else None

    @property
    def up(self) -> int:
        """How many sessions of the router are up."""
        return len(self._up)

    def receive(self, data: bytes, now: int) -> list[Given]:
        """Take the next octets; give what they complete. `now`, in seconds since 1970, is the time of routes for which
        the router tells none."""
        if self.ended:
            return []
        self._now = now
        self.counts.octets += len(data)
        self._pieces.append(data)
        self._held += len(data)
        if len(self._octets) - self._position + self._held >= self._wanted:
            self._octets = b"".join((self._octets[self._position :], *self._pieces))
            self._position, self._held = 0, 0
            self._pieces.clear()
            self._read()
        given, self._given = self._given, []
        return given

    def finish(self) -> list[Given]:
        """The session is over; a message that lacks its end is a `Damage`."""
        left = self._octets[self._position :] + b"".join(self._pieces)
        if left and not self.ended:
            part = "a message" if len(left) >= HEADER_OCTETS else "the header of a message"
            what = f"the session ends with {len(left)} of the {self._wanted} octets of {part}"
            self._lose(left[5] if len(left) >= HEADER_OCTETS else _NO_KIND, Malformed(what, left))
        self.ended = True
        given, self._given = self._given, []
        return given

    # --- messages ----------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        while self._whole():
            if self._verdict is not None or not self._monitor():
                self._next()
            if self._rows.full:
                self._flush()
        self._flush()
        if self._spans:
            for accepted, spans in groupby(self._spans, itemgetter(3)):
                together = list(spans)
                octets = b"".join([self._octets[start:stop] for start, stop, _, _ in together])
                self._given.append(HandedOn(octets, sum(messages for _, _, messages, _ in together), accepted))
            self._spans = []
        if self.ended:
            self._forget_octets()

    def _whole(self) -> bool:
        """Whether all of the message in hand is there, and may be."""
        if self.ended:
            return False
        left = len(self._octets) - self._position
        if left < HEADER_OCTETS:
            self._wanted = HEADER_OCTETS
            return False
        version, length, kind = _HEADER(self._octets, self._position)
        if version != VERSION or not HEADER_OCTETS <= length <= self._limits[0]:
            fault = f"version {version}" if version != VERSION else f"a message of {length} octets"
            header = self._octets[self._position : self._position + HEADER_OCTETS]
            self._lose(kind, Malformed(f"{fault}: the rest of the session is not read", header))
            return False
        self._wanted = length
        return left >= self._wanted

    def _monitor(self) -> bool:
        """Read a run of usual Route Monitoring messages of peers that are known; False if there is none here.

        One that is not for this loop, and that the filter was asked about, leaves its answer in `_verdict`.
        """
        octets, at, end, now = self._octets, self._position, len(self._octets), self._now
        way_of, update, messages = self._ways.get, self._rows.update, 0
        accepts, peers = self._accepts, self._peers.get
        try:
            while end - at >= _SHORTEST and messages < _RUN:
                version, length, kind, head, seconds, marker, size, bgp_kind, withdrawn = _MONITORING(octets, at)
                way, stop = way_of(head), at + length
                if (
                    way is None or kind or version != VERSION or bgp_kind != _UPDATE or marker != MARKER
                    or stop > end or size != length - HEADER_OCTETS - PER_PEER_OCTETS
                    or (length <= _UPDATE_AT + _MARKER_LIMIT and not withdrawn)
                ):  # fmt: skip
                    break
                if accepts is not None:
                    peer, wide = peers(head) or self._whom(head)
                    if not accepts(RawMessage(Protocol.BMP, octets[at:stop], peer, now, wide)):
                        self._verdict = False
                        break
                update(octets, at + _UPDATE_AT, stop, way[0], seconds or now, way[1], way[2])
                at = stop
                messages += 1
        except Malformed:
            self._verdict = True  # `_next` meets it again, and tells
        if messages:
            self.counts.read[MessageKind.ROUTE_MONITORING] += messages
            self._advance(at, messages, self._hand_on is not HandOn.NONE, True)
        return messages > 0

    def _next(self) -> None:
        """Read the message in hand."""
        _, length, kind = _HEADER(self._octets, self._position)
        start, stop = self._position + HEADER_OCTETS, self._position + length
        accepted, self._verdict = self._verdict, None
        if accepted is None:
            accepted = self._accepts is None or self._accepts(self._raw(kind, start, stop))
        handed = self._hand_on is HandOn.ALL or (accepted and self._hand_on is HandOn.ACCEPTED)
        if accepted or kind in _KEEPS_THE_BOOKS:
            self._take(kind, start, stop, accepted)
        else:
            self.counts.rejected[kind] += 1
        self._advance(stop, 1, handed, accepted)

    def _take(self, kind: int, start: int, stop: int, accepted: bool) -> None:
        counter = self.counts.read
        try:
            if (read := _READERS.get(kind)) is not None:
                counter = counter if read(self, start, stop, accepted) else self.counts.skipped
            else:
                counter = self.counts.skipped
        except Malformed as fault:
            counter = self.counts.damaged
            self._tell(
                Damage(self._offset, self._messages, kind, fault.what, fault.octets, self._about(kind, start, stop))
            )
        counter[kind] += 1

    def _about(self, kind: int, start: int, stop: int) -> PeerHeader | None:
        """Whom a message is about, if it tells."""
        try:
            return peer_header(self._head(kind, start, stop))
        except Malformed:
            return None

    def _raw(self, kind: int, start: int, stop: int) -> RawMessage:
        """The message in hand as filters see it."""
        head = self._head(kind, start, stop)
        peer, four_octet = self._peers.get(head) or self._whom(head)
        octets = self._octets[start - HEADER_OCTETS : stop]
        return RawMessage(Protocol.BMP, octets, peer, self._now, four_octet)

    def _head(self, kind: int, start: int, stop: int) -> bytes:
        """The per-peer header of a message; nothing if it has none."""
        if kind not in _READERS or kind in _ABOUT_THE_ROUTER or stop - start < PER_PEER_OCTETS:
            return b""
        return self._octets[start : start + PEER_OCTETS]

    def _whom(self, head: bytes) -> tuple[Peer | None, bool]:
        """Whom a per-peer header means, and whether AS numbers under it have four octets."""
        if len(self._peers) >= SOURCE_LIMIT:
            self._peers.clear()
        try:
            header = peer_header(head)
            known: tuple[Peer | None, bool] = header.peer(), header.four_octet
        except Malformed:
            known = None, True
        self._peers[head] = known
        return known

    def _advance(self, position: int, messages: int, handed: bool, accepted: bool) -> None:
        if handed:
            self._spans.append((self._position, position, messages, accepted))
        self._offset += position - self._position
        self._position = position
        self._messages += messages

    def _lose(self, kind: int, fault: Malformed) -> None:
        """Nobody knows any more where messages begin."""
        self.counts.damaged[kind] += 1
        self._tell(Damage(self._offset, self._messages, kind, fault.what, fault.octets, ends=True))
        self.ended = True

    def _forget_octets(self) -> None:
        self._octets, self._position, self._held = b"", 0, 0
        self._pieces.clear()

    def _tell(self, what: Given) -> None:
        if isinstance(what, PeerUp | PeerDown | EndOfRib | Termination):
            self._flush()  # what came before must be known before it
        self._given.append(what)

    def _flush(self) -> None:
        for batch in self._rows.take():
            announced = int(batch.announce.sum())
            self.counts.announcements += announced
            self.counts.withdrawals += len(batch) - announced
            self._given.append(batch)

    # --- what they say -----------------------------------------------------------------------------------------------

    def _peer(self, start: int, stop: int) -> tuple[PeerHeader, int, int] | None:
        """The per-peer header, its time, and where what follows it begins; None if the type of peer is unknown."""
        at = start + PER_PEER_OCTETS
        if at > stop:
            raise Malformed(f"a per-peer header in {stop - start} octets", self._octets[start:stop])
        octets = self._octets[start : start + PEER_OCTETS]
        if octets[0] not in _PEER_KINDS:
            return None
        time = int.from_bytes(self._octets[start + PEER_OCTETS : start + PEER_OCTETS + 4])
        return peer_header(octets), time or self._now, at

    def _route_monitoring(self, start: int, stop: int, accepted: bool) -> bool:
        found = self._peer(start, stop)
        if found is None:
            return False
        peer, time, at = found
        octets = self._octets
        header = octets[at : at + BGP_HEADER_OCTETS]
        end = at + int.from_bytes(header[16:18])
        if not at + BGP_HEADER_OCTETS <= end <= stop or header[:16] != MARKER:
            raise Malformed(f"Route Monitoring without a whole BGP message in its {stop - at} octets", octets[at:stop])
        if header[18] != _UPDATE:
            raise Malformed(f"Route Monitoring with a BGP message of type {header[18]}", header)
        for _ in tlvs(octets[end:stop]):
            pass  # some routers mark paths there (draft-ietf-grow-bmp-tlv)
        at, stop = at + BGP_HEADER_OCTETS, end
        source, four_octet, add_path = self._way(start, peer)
        if (family := end_of_rib(octets, at, stop) if stop - at <= _MARKER_LIMIT else None) is not None:
            self._tell(EndOfRib(source, family))
            return True
        try:
            self._rows.update(octets, at, stop, source, time, four_octet, add_path)
        except MalformedAttributes:
            self._rows.update(octets, at, stop, source, time, four_octet, add_path, withdraw=True)
            self.counts.withdrawn_instead += 1
            raise
        return True

    def _way(self, start: int, peer: PeerHeader) -> _Way:
        """How messages with this per-peer header are read. `Malformed` if its peer is not up."""
        head = self._octets[start : start + PEER_OCTETS]
        way = self._ways.get(head)
        if way is None:
            up = self._up.get(peer.identity)
            if up is None:
                raise Malformed("routes of a peer that is not up")
            number = self._source(up, peer.view)
            if len(self._ways) >= SOURCE_LIMIT:
                self._ways.clear()
            way = self._ways[head] = number, peer.four_octet, up.session.add_path(peer.view)
        return way

    def _source(self, up: _Up, view: View) -> int:
        """The number of a peer in a view; the same one if the session comes back."""
        identity = (*up.peer.identity, view, up.peer.asn, up.peer.bgp_id, up.session.table)
        number = self._numbers.get(identity)
        if number is None:
            if len(self.sources) >= self._limits[1]:
                raise Malformed(f"more than {self._limits[1]} peers and views of them")
            number = self._numbers[identity] = len(self.sources)
            self.sources.append(Source(up.peer, view, up.session.table))
        up.sources.add(number)
        return number

    def _peer_up(self, start: int, stop: int, accepted: bool) -> bool:
        found = self._peer(start, stop)
        if found is None:
            return False
        peer, time, at = found
        try:
            closed = self._establish(peer, session(self._octets[at:stop]))
        except Malformed as fault:  # whatever was before it is over all the same
            self._tell(PeerDown(peer, time, 0, f"a new session cannot be understood: {fault.what}", self._close(peer)))
            raise
        octets = self._octets[start - HEADER_OCTETS : stop]
        told = self._up[peer.identity].session
        self._tell(PeerUp(peer, time, told, closed, octets, accepted))
        return True

    def _establish(self, peer: PeerHeader, told: Session) -> tuple[int, ...]:
        """A session is up; returns the sources of the one before it. It may be told of once for each view."""
        up = self._up.get(peer.identity)
        if up is not None and peer.view not in up.views and up.session.alike(told):
            up.views.add(peer.view)
            return ()
        if up is None and len(self._up) >= PEER_LIMIT:
            raise Malformed(f"more than {PEER_LIMIT} peers at a time")
        closed = self._close(peer)
        self._up[peer.identity] = _Up(peer, told, {peer.view})
        return closed

    def _peer_down(self, start: int, stop: int, accepted: bool) -> bool:
        found = self._peer(start, stop)
        if found is None:
            return False
        peer, time, at = found
        reason, what = peer_down(self._octets[at:stop])
        self._tell(PeerDown(peer, time, reason, what, self._close(peer)))
        return True

    def _close(self, peer: PeerHeader) -> tuple[int, ...]:
        """Forget a session; returns the sources whose routes end with it."""
        gone = self._up.pop(peer.identity, None)
        self._ways.clear()
        return tuple(sorted(gone.sources)) if gone is not None else ()

    def _statistics(self, start: int, stop: int, accepted: bool) -> bool:
        found = self._peer(start, stop)
        if found is None:
            return False
        peer, time, at = found
        self._tell(Statistics(peer, time, statistics(self._octets[at:stop])))
        return True

    def _mirroring(self, start: int, stop: int, accepted: bool) -> bool:
        found = self._peer(start, stop)
        if found is None:
            return False
        self._tell(Mirrored(found[0], *mirrored(self._octets[found[2] : stop])))
        return True

    def _initiation(self, start: int, stop: int, accepted: bool) -> bool:
        self.router = router_information(self._octets[start:stop])
        self._tell(Initiation(self.router, self._octets[start - HEADER_OCTETS : stop], accepted))
        return True

    def _termination(self, start: int, stop: int, accepted: bool) -> bool:
        self._tell(Termination(termination(self._octets[start:stop])))
        self.ended = True
        return True


_Read = Callable[[BmpReader, int, int, bool], bool]
_READERS: dict[int, _Read] = {
    MessageKind.ROUTE_MONITORING: BmpReader._route_monitoring,
    MessageKind.STATISTICS_REPORT: BmpReader._statistics,
    MessageKind.PEER_DOWN: BmpReader._peer_down,
    MessageKind.PEER_UP: BmpReader._peer_up,
    MessageKind.INITIATION: BmpReader._initiation,
    MessageKind.TERMINATION: BmpReader._termination,
    MessageKind.ROUTE_MIRRORING: BmpReader._mirroring,
}
"""How each type of message is read: `octets[start:stop]` is what follows its common header. False: not known here."""
