"""Caches that break one rule each, to see that the case about it notices: no case may pass whatever a cache does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from interop.conformance.memory import Memory
from rotoro.net.protocol import SessionProtocol
from rotoro.session.base import report
from rotoro.session.cache import CacheSession, State
from rotoro.session.effects import Close, Effect, Send, Stream
from rotoro.session.payload import RtrEncoder
from rotoro.table.diff import Diff
from rotoro.table.history import State as TableState
from rotoro.table.serial import Position
from rotoro.wire.decoder import Foreign
from rotoro.wire.errors import InvalidRequest, ProtocolError
from rotoro.wire.pdu import RTR_LATEST, Pdu
from rotoro.wire.rtr import CacheReset, ErrorReport, ResetQuery, SerialNotify, SerialQuery

HEADER = 8
NOTIFY = bytes.fromhex("01000000 0000000c 00000007")

Edit = Callable[[list[bytes]], list[bytes]]


def _pdus(octets: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(octets):
        length = int.from_bytes(octets[at + 4 : at + 8])
        yield octets[at : at + length]
        at += length


def rewriting(edit: Edit, full: bool = True) -> type[RtrEncoder]:
    """An encoder whose answers, PDU by PDU, are edited: all of them, or only those that are not full."""

    class Rewriting(RtrEncoder):
        def snapshot(self, state: TableState) -> Iterator[bytes]:
            pdus = list(_pdus(b"".join(super().snapshot(state))))
            yield from edit(pdus) if full else pdus

        def diff(self, diff: Diff, start: Position, state: TableState) -> Iterator[bytes]:
            yield from edit(list(_pdus(b"".join(super().diff(diff, start, state)))))

    return Rewriting


def _payload(pdus: list[bytes], order: Edit) -> list[bytes]:
    return [pdus[0], *order(pdus[1:-1]), pdus[-1]]


def _flipped(pdus: list[bytes], number: int, at: int, bits: int) -> list[bytes]:
    """One octet of each PDU of a type is another."""
    return [pdu[:at] + bytes([pdu[at] ^ bits]) + pdu[at + 1 :] if pdu[1] == number else pdu for pdu in pdus]


class AnswersAnyVersion(CacheSession):
    """Takes every version for its highest."""

    def receive(self, version: int, pdu: Pdu, now: float) -> list[Effect]:
        if isinstance(pdu, Foreign):
            return super().receive(RTR_LATEST, ResetQuery(), now)
        return super().receive(version, pdu, now)


class ChangesVersion(CacheSession):
    """Follows a router to another version."""

    def refuse_version(self, version: int, pdu: Pdu) -> ProtocolError | None:
        self._negotiated = False
        return super().refuse_version(version, pdu)


class StaysOpen(CacheSession):
    """Reports errors and goes on."""

    def fail(self, error: ProtocolError, pdu: Pdu | None = None, *, silent: bool = False) -> list[Effect]:
        effects = super().fail(error, pdu, silent=silent)
        self.state = State.READY
        return [effect for effect in effects if not isinstance(effect, Close)]


class AnswersReports(CacheSession):
    """Has a word for every Error Report."""

    def receive(self, version: int, pdu: Pdu, now: float) -> list[Effect]:
        effects = super().receive(version, pdu, now)
        if isinstance(pdu, ErrorReport):
            return [Send(self.version, report(InvalidRequest("and you"), self.version)), *effects]
        return effects


class OneCode(CacheSession):
    """Knows one error only, and no version without it."""

    def fail(self, error: ProtocolError, pdu: Pdu | None = None, *, silent: bool = False) -> list[Effect]:
        return [_recoded(effect) for effect in super().fail(error, pdu, silent=silent)]


def _recoded(effect: Effect) -> Effect:
    if isinstance(effect, Send) and isinstance(effect.pdu, ErrorReport):
        return Send(effect.version, replace(effect.pdu, code=8))
    return effect


class ShowsTooMuch(CacheSession):
    """Encapsulates more than there was."""

    def fail(self, error: ProtocolError, pdu: Pdu | None = None, *, silent: bool = False) -> list[Effect]:
        error.offending += bytes(4)
        return super().fail(error, pdu, silent=silent)


class NotifiesAlways(CacheSession):
    """Notifies of every change at once."""

    def changed(self, now: float) -> list[Effect]:
        return [Send(self.version, SerialNotify(self._data.sessions[self.version], self._data.history.serial))]


class NotifiesOften(CacheSession):
    """Has no minute to wait."""

    def _notify(self, now: float) -> list[Effect]:
        self._notified = float("-inf")
        return super()._notify(now)


class ForgetsToNotify(CacheSession):
    """Loses what had to wait for its minute."""

    def changed(self, now: float) -> list[Effect]:
        effects = super().changed(now)
        self._owes_notify = False
        return effects


class NeverNotifies(CacheSession):
    """Lets routers ask."""

    def changed(self, now: float) -> list[Effect]:
        return []


class AnySession(CacheSession):
    """Does not look at session ids."""

    def receive(self, version: int, pdu: Pdu, now: float) -> list[Effect]:
        if isinstance(pdu, SerialQuery):
            pdu = SerialQuery(self._data.sessions[version], pdu.serial)
        return super().receive(version, pdu, now)


class StrictSession(CacheSession):
    """Takes a foreign session id in the first query for an error."""

    def receive(self, version: int, pdu: Pdu, now: float) -> list[Effect]:
        self._established = True
        return super().receive(version, pdu, now)


class NothingNew(CacheSession):
    """Takes every serial that it does not know for the current one."""

    def receive(self, version: int, pdu: Pdu, now: float) -> list[Effect]:
        if isinstance(pdu, SerialQuery) and self._data.history.since(pdu.serial) is None:
            pdu = SerialQuery(pdu.session, self._data.history.serial)
        return super().receive(version, pdu, now)


class AlwaysAfresh(CacheSession):
    """Keeps no changes."""

    def receive(self, version: int, pdu: Pdu, now: float) -> list[Effect]:
        effects = super().receive(version, pdu, now)
        if isinstance(pdu, SerialQuery) and any(isinstance(effect, Stream) for effect in effects):
            self.state = State.READY
            return [Send(self.version, CacheReset())]
        return effects


class GivesUpWithoutData(CacheSession):
    """Closes when there is nothing to answer with."""

    def receive(self, version: int, pdu: Pdu, now: float) -> list[Effect]:
        effects = super().receive(version, pdu, now)
        return effects if self._data.history.ready else [*effects, Close("no data")]


class OneQueryAtATime(CacheSession):
    """Forgets queries that come while it answers."""

    def receive(self, version: int, pdu: Pdu, now: float) -> list[Effect]:
        return [] if self.state is State.ANSWERING else super().receive(version, pdu, now)


class OneGoodbye(CacheSession):
    """Takes every end for a restart."""

    def goodbye(self, reason: int, retry: int, text: str) -> list[Effect]:
        return super().goodbye(1, retry, text)


class LoudGoodbye(CacheSession):
    """Says goodbye to everybody."""

    def goodbye(self, reason: int, retry: int, text: str) -> list[Effect]:
        return [Send(self.version, ErrorReport(12, b"", text)), Close(text)]


class Patient(CacheSession):
    """Waits for those who do not read."""

    def wake(self, now: float) -> list[Effect]:
        self._progress = now
        return super().wake(now)


class WholePdusOnly(SessionProtocol):
    """Takes what one read brings for whole PDUs."""

    __slots__ = ()

    def dataReceived(self, data: bytes) -> None:
        if len(data) >= HEADER:
            super().dataReceived(data)


class ClosesWithItsPeer(SessionProtocol):
    """Takes the end of the queries for the end of interest."""

    __slots__ = ()

    def readConnectionLost(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()


def _mutant(**broken: Any) -> Callable[[], Memory]:
    return lambda: Memory(**broken)


MUTANTS: dict[str, Callable[[], Memory]] = {
    "C-VN-01": _mutant(encoder=rewriting(lambda pdus: [b"\x02" + pdu[1:] for pdu in pdus])),
    "C-VN-04": _mutant(session=AnswersAnyVersion),
    "C-VN-09": _mutant(session=ChangesVersion),
    "C-VN-10": _mutant(session=StaysOpen),
    "C-VN-11": _mutant(session=AnswersReports),
    "C-VN-12": _mutant(session=OneCode),
    "C-FR-01": _mutant(protocol=WholePdusOnly),
    "C-FR-02": _mutant(protocol=WholePdusOnly),
    "C-FR-03": _mutant(session=OneQueryAtATime),
    "C-FR-04": _mutant(session=OneQueryAtATime),
    "C-FR-05": _mutant(session=OneCode),
    "C-FR-06": _mutant(session=StaysOpen),
    "C-FR-10": _mutant(session=OneCode),
    "C-FR-12": _mutant(session=StaysOpen),
    "C-FR-14": _mutant(protocol=ClosesWithItsPeer),
    "C-SS-02": _mutant(encoder=rewriting(lambda pdus: _payload(pdus, lambda payload: payload[1:]))),
    "C-SS-03": _mutant(encoder=rewriting(lambda pdus: _payload(pdus, lambda payload: payload * 2), full=False)),
    "C-SS-05": _mutant(session=NothingNew),
    "C-SS-06": _mutant(session=NothingNew),
    "C-SS-08": _mutant(session=NothingNew),
    "C-SS-09": _mutant(session=AnySession),
    "C-SS-10": _mutant(session=StrictSession),
    "C-SS-11": _mutant(session=AlwaysAfresh),
    "C-SS-12": _mutant(session=AnySession),
    "C-SS-16": _mutant(encoder=rewriting(lambda pdus: _flipped(pdus, 7, 3, 1), full=False)),
    "C-QR-01": _mutant(encoder=rewriting(lambda pdus: _flipped(pdus, 4, 8, 1))),
    "C-QR-05": _mutant(encoder=rewriting(lambda pdus: _flipped(pdus, 6, 11, 1))),
    "C-QR-06": _mutant(session=GivesUpWithoutData),
    "C-RK-01": _mutant(encoder=rewriting(lambda pdus: _flipped(pdus, 9, 27, 1))),
    "C-AS-06": _mutant(encoder=rewriting(lambda pdus: _flipped(pdus, 11, 3, 1))),
    "C-OR-01": _mutant(encoder=rewriting(lambda pdus: _payload(pdus, lambda payload: payload[::-1]))),
    "C-OR-02": _mutant(encoder=rewriting(lambda pdus: _payload(pdus, lambda p: sorted(p, key=lambda x: x[8])))),
    "C-OR-03": _mutant(encoder=rewriting(lambda pdus: _payload(pdus, sorted))),
    "C-OR-04": _mutant(encoder=rewriting(lambda pdus: _payload(pdus, lambda payload: payload[::-1]))),
    "C-OR-05": _mutant(encoder=rewriting(lambda pdus: _payload(pdus, lambda payload: payload[::-1]))),
    "C-OR-06": _mutant(encoder=rewriting(lambda pdus: _payload(pdus, lambda payload: payload[::-1]))),
    "C-OR-07": _mutant(encoder=rewriting(lambda pdus: _payload(pdus, lambda payload: payload[::-1]))),
    "C-SN-01": _mutant(session=NotifiesAlways),
    "C-SN-02": _mutant(session=NotifiesOften),
    "C-SN-03": _mutant(session=NeverNotifies),
    "C-SN-04": _mutant(session=ForgetsToNotify),
    "C-SN-06": _mutant(encoder=rewriting(lambda pdus: [*pdus[:2], NOTIFY, *pdus[2:]])),
    "C-ER-01": _mutant(session=AnswersReports),
    "C-ER-04": _mutant(session=StaysOpen),
    "C-ER-06": _mutant(session=ShowsTooMuch),
    "C-ER-09": _mutant(session=StaysOpen),
    "C-TM-01": _mutant(encoder=rewriting(lambda pdus: _flipped(pdus, 7, 12, 1))),
    "C-TM-02": _mutant(encoder=rewriting(lambda pdus: _flipped(pdus, 7, 22, 0x1C))),
    "C-RS-02": _mutant(session=OneGoodbye),
    "C-RS-03": _mutant(session=LoudGoodbye),
    "C-TP-02": _mutant(session=Patient),
}
"""A cache for each of these cases that must not pass it."""
