"""What all sessions share: a transition table runs them, and what it does not list is the peer's error.

A session is given PDUs and the time, and answers with effects. The table says what may come when; the functions that it
names say what is done on the way. An action may move the state on from the one that its row names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, ClassVar, TypeVar

from rotoro.session.effects import Close, Effect, Send, Stream
from rotoro.wire.bulk import PREFIX_FORMS, Prefixes, encode_prefixes
from rotoro.wire.codec import encode
from rotoro.wire.decoder import Decoder, Foreign
from rotoro.wire.errors import InvalidRequest, ProtocolError, code_in
from rotoro.wire.lenient import OldAspa
from rotoro.wire.pdu import ROTORO_MAX_LENGTH, Pdu
from rotoro.wire.rtr import ErrorReport

TEXT_LIMIT = 256
"""How much of an error's text goes to a peer, in octets: with the offending PDU it stays under 400 octets."""

S = TypeVar("S", bound="Session")
P = TypeVar("P", bound=Pdu)
Act = Callable[[Any, Any, float], list[Effect]]
Transitions = Mapping[tuple[Enum, type[Pdu]], tuple[Act, Enum]]


def on(
    state: Enum, pdu: type[P], act: Callable[[S, P, float], list[Effect]], then: Enum
) -> tuple[tuple[Enum, type[Pdu]], tuple[Act, Enum]]:
    """One row of a transition table; mypy sees to it that `act` takes the PDU that the row is about."""
    return (state, pdu), (act, then)


class Session:
    """One side of one conversation."""

    transitions: ClassVar[Transitions]
    closed: ClassVar[Enum]
    state: Enum
    version: int
    """The version that this side's PDUs carry."""
    peer: str = "the peer"
    """Who is on the other side, for the log; a server's lines begin with it anyway."""
    max_pdu: int = ROTORO_MAX_LENGTH
    """The longest Rotoro PDU that this side takes, in octets."""

    @property
    def met(self) -> bool:
        """Whether the peer has shown that it speaks our protocol: one that has not makes room first."""
        return True

    @property
    def resting(self) -> bool:
        """Whether nothing is due at any time: the last `WakeAt` may be forgotten."""
        return False

    def come_to_rest(self) -> bool:
        """All is written: come to rest if nothing else follows from that; whether it did."""
        return self.resting

    def decoder(self) -> Decoder:
        """What reads the peer's octets."""
        decoder = Decoder()
        decoder.rotoro_limit = self.max_pdu
        return decoder

    def receive(self, version: int, pdu: Pdu, now: float) -> list[Effect]:
        """The peer sent this PDU in this version at this time."""
        if self.state is self.closed:
            return []
        refused = self.refuse_version(version, pdu)
        if refused is not None:
            return self.fail(_showing(refused, pdu, version), pdu)
        row = self.transitions.get((self.state, type(pdu)))
        if row is None:
            return self.fail(_showing(InvalidRequest(f"{pdu.title} while {self.state.value}"), pdu, version), pdu)
        act, self.state = row
        try:
            return act(self, pdu, now)
        except ProtocolError as broken:
            return self.fail(_showing(broken, pdu, version), pdu)

    def answer_at_once(self, version: int, pdu: Pdu, now: float) -> tuple[Stream, float] | None:
        """For a PDU after which only a stream is to be sent: that, and when to wake then. None for any other.

        After a change, thousands ask for the same in one moment.
        """
        return None

    def broken(self, error: ProtocolError, now: float) -> list[Effect]:
        """The octets that the peer sent do not make a PDU."""
        # RFC 8210 section 5.11: an Error Report is never answered with one, however broken it is.
        about_report = len(error.offending) > 1 and error.offending[1] == ErrorReport.number
        return self.fail(error, silent=about_report)

    def wake(self, now: float) -> list[Effect]:
        """The time of the last `WakeAt` has come."""
        return []

    def expire(self, now: float) -> list[Effect]:
        """The same for a connection that is being closed: nothing but what is held can become due."""
        return []

    def drained(self, now: float) -> list[Effect]:
        """All that was to be sent has been handed to the transport."""
        return []

    def heard(self, now: float) -> None:
        """Octets arrived, whatever they are."""

    def delayed(self, until: float) -> None:
        """What the peer has said is not heard before that time, so that its silence means nothing."""
        self.heard(until)

    def progressed(self, now: float) -> None:
        """The transport took octets."""

    def lost(self, now: float) -> list[Effect]:
        """The connection is gone."""
        self.state = self.closed
        return []

    def refuse_version(self, version: int, pdu: Pdu) -> ProtocolError | None:
        """What is wrong with a PDU of this version at this moment, if anything."""
        return None

    def fail(self, error: ProtocolError, pdu: Pdu | None = None, *, silent: bool = False) -> list[Effect]:
        """Tell the peer what is wrong, once, and close."""
        if self.state is self.closed:
            return []
        self.state = self.closed
        close = Close(f"{in_words(error)}{_shown(error.offending)}")
        if silent or _is_report(pdu):
            return [close]
        return [Send(self.version, report(error, self.version)), close]

    def hang_up(self, report: ErrorReport, now: float) -> list[Effect]:
        """The peer gave up: so do we, without a word (RFC 8210 section 5.11)."""
        self.state = self.closed
        return [Close(f"{self.peer} reports error {report.code}: {clean(report.text)}")]


def report(error: ProtocolError, version: int) -> ErrorReport:
    """The Error Report that tells a peer of an error, in the codes of its version and under 400 octets."""
    text = str(error).encode()[:TEXT_LIMIT].decode(errors="ignore")
    return ErrorReport(code_in(version, error.code), error.offending, text)


def in_words(error: ProtocolError) -> str:
    """An error as it may stand in a log: what a peer calls things may be part of it."""
    return f"{error.title}: {clean(str(error))}"


def clean(text: str, limit: int = 256) -> str:
    """Text of a peer as it may stand in a log: no control characters, no lines of its own, not too long."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[:limit])


def _is_report(pdu: Pdu | None) -> bool:
    return isinstance(pdu, ErrorReport) or (isinstance(pdu, Foreign) and pdu.type_number == ErrorReport.number)


def _showing(error: ProtocolError, pdu: Pdu, version: int) -> ProtocolError:
    """The error with the PDU that led to it, unless it shows something better or is about a report."""
    return error if error.offending or _is_report(pdu) else type(error)(str(error), octets(pdu, version))


def octets(pdu: Pdu, version: int) -> bytes:
    """A PDU as it came; of a run of prefixes the first."""
    if isinstance(pdu, Foreign | OldAspa):
        return pdu.octets
    if isinstance(pdu, Prefixes):
        return encode_prefixes(PREFIX_FORMS[pdu.family], pdu.keys[:1], bool(pdu.announced[0]), version)
    return encode(pdu, version)


def _shown(offending: bytes) -> str:
    return f" [{offending[:32].hex(' ', -4)}]" if offending else ""
