"""Routers that are broken in one way each: the case that has its name must notice."""

from __future__ import annotations

from collections.abc import Callable

from rotoro.session.asking import State
from rotoro.session.effects import Close, Effect, Send, Update, WakeAt
from rotoro.session.payload import Payload, Timers
from rotoro.session.router import TRANSITIONS, RouterSession
from rotoro.session.versions import Pause
from rotoro.table import Position
from rotoro.wire.bulk import Prefixes
from rotoro.wire.decoder import Decoder
from rotoro.wire.errors import CacheShutdown, ProtocolError, UnexpectedVersion
from rotoro.wire.pdu import Pdu
from rotoro.wire.rtr import CacheReset, CacheResponse, EndOfData, ErrorReport, SerialNotify


class AsksLow(RouterSession):
    def __init__(self, table: str) -> None:
        super().__init__(table, version=1)


class HearsEarlyNotifies(RouterSession):
    def refuse_version(self, version: int, pdu: Pdu) -> ProtocolError | None:
        return None if version == self.version else UnexpectedVersion("another version")


class TakesAnyVersion(RouterSession):
    def refuse_version(self, version: int, pdu: Pdu) -> ProtocolError | None:
        return None


class NeverExhausted(RouterSession):
    """After version 0 was refused it comes back at once."""

    def leave(self, why: str) -> list[Effect]:
        self.pause.over()
        return super().leave(why)


class KeepsAfterErrors(RouterSession):
    def flush(self, reason: str, code: int | None = None) -> list[Effect]:
        return []


class NeverExpires(RouterSession):
    def sleep(self) -> list[Effect]:
        return [WakeAt(self.deadline)] if self.state is not State.DISCONNECTED else []

    def _give_up_expired(self, now: float) -> list[Effect]:
        return []


class WaitsForEver(RouterSession):
    def wake(self, now: float) -> list[Effect]:
        return super().wake(now) if self.state is State.IDLE else self._give_up_expired(now)


class AsksSoon(RouterSession):
    def commit(self, serial: int, timers: Timers, now: float) -> list[Effect]:
        return super().commit(serial, Timers(60, timers.retry, timers.expire), now)


class Impatient(RouterSession):
    class _Pause(Pause):
        def failed(self, retry: int) -> None:
            pass

    def __init__(self, table: str) -> None:
        super().__init__(table)
        self.pause = self._Pause()


class Tolerant(RouterSession):
    def __init__(self, table: str) -> None:
        super().__init__(table, tolerant=True)


class ReadsDraft10(RouterSession):
    def __init__(self, table: str) -> None:
        super().__init__(table, old_aspa=True)


class AddsToWhatItHas(RouterSession):
    """The answer to a Reset Query does not replace."""

    def commit(self, serial: int, timers: Timers, now: float) -> list[Effect]:
        if self.answer.base is None:
            self.answer.base, self.answer._tolerant = self.held, True
        return super().commit(serial, timers, now)


class AnswersReports(RouterSession):
    def receive(self, version: int, pdu: Pdu, now: float) -> list[Effect]:
        said = [Send(self.version, ErrorReport(0, b"", "so there"))] if isinstance(pdu, ErrorReport) else []
        return [*said, *super().receive(version, pdu, now)]


class StaysOpen(RouterSession):
    """Reports, and goes on as if nothing had been."""

    def fail(self, error: ProtocolError, pdu: Pdu | None = None, *, silent: bool = False) -> list[Effect]:
        state = self.state
        effects = super().fail(error, pdu, silent=silent)
        self.state = state
        return [effect for effect in effects if not isinstance(effect, Close)]


class ShortReader(RouterSession):
    """Takes no PDU of more than 3,248 octets."""

    class _Decoder(Decoder):
        def _check(self, version: int, number: int, length: int) -> None:
            super()._check(version, number, min(length, 4) if length > 3248 else length)

    def decoder(self) -> Decoder:
        return self._Decoder()


def _with(*changes: tuple[State, type[Pdu], Callable[..., list[Effect]] | None, State]) -> type[RouterSession]:
    """A router that does this instead in these states; None where it does not know the PDU there."""
    table = dict(TRANSITIONS)
    for state, pdu, act, then in changes:
        table.pop((state, pdu), None)
        if act is not None:
            table[state, pdu] = act, then
    return type("Broken", (RouterSession,), {"transitions": table})


def _begin_any(router: RouterSession, pdu: CacheResponse, now: float) -> list[Effect]:
    router.answered = True
    router.answer.session = pdu.session
    return router.sleep()


def _end_any(router: RouterSession, pdu: EndOfData, now: float) -> list[Effect]:
    return router.commit(pdu.serial, Timers.clamped(pdu.refresh, pdu.retry, pdu.expire), now)


def _use_at_once(router: RouterSession, pdu: Payload, now: float) -> list[Effect]:
    router.answer.take(pdu)
    snapshot = router.answer.diff(router.version).apply(router.answer.snapshot)
    return [Update(router.table, Position(1, 1), snapshot, None)]


def _ask_anybody(router: RouterSession, pdu: SerialNotify, now: float) -> list[Effect]:
    return router.ask(now)


def _compare_plainly(router: RouterSession, pdu: SerialNotify, now: float) -> list[Effect]:
    return router.ask(now) if router.held is None or pdu.serial > router.held.serial else []


def _give_up_first(router: RouterSession, pdu: CacheReset, now: float) -> list[Effect]:
    return [*router.flush("Cache Reset"), *router.ask(now)]


def _ask_for_all_again(router: RouterSession, pdu: CacheReset, now: float) -> list[Effect]:
    router.serial_lost = True
    return router.ask(now)


def _give_up_for_any(router: RouterSession, pdu: ErrorReport, now: float) -> list[Effect]:
    return [*router.flush("an error"), *router.leave("an error")]


def _keep_at_shutdown(router: RouterSession, pdu: ErrorReport, now: float) -> list[Effect]:
    if pdu.code != CacheShutdown.code:
        return _give_up_for_any(router, pdu, now)
    return router.leave("it is gone")


IDLE, ASKING, RECEIVING = State.IDLE, State.ASKING, State.RECEIVING
MUTANTS: dict[str, tuple[type[RouterSession], ...]] = {
    "R-VN-01": (AsksLow,),
    "R-VN-04": (NeverExhausted,),
    "R-VN-07": (HearsEarlyNotifies,),
    "R-VN-08": (TakesAnyVersion,),
    "R-VN-09": (TakesAnyVersion,),
    "R-FR-12": (ShortReader,),
    "R-SS-01": (_with((ASKING, CacheResponse, _begin_any, RECEIVING)),),
    "R-SS-02": (_with((RECEIVING, EndOfData, _end_any, IDLE)),),
    "R-SS-03": (_with((IDLE, SerialNotify, _ask_anybody, IDLE)),),
    "R-SS-05": (KeepsAfterErrors,),
    "R-SS-07": (_with((ASKING, CacheReset, _give_up_first, ASKING)),),
    "R-SS-08": (AddsToWhatItHas,),
    "R-SS-09": (_with((ASKING, CacheReset, _ask_for_all_again, ASKING)),),
    "R-SS-10": (_with((IDLE, SerialNotify, _compare_plainly, IDLE)),),
    "R-SS-11": (_with((IDLE, SerialNotify, _ask_anybody, IDLE)),),
    "R-PL-01": (Tolerant,),
    "R-PL-02": (Tolerant,),
    "R-PL-03": (Tolerant,),
    "R-PL-10": (_with((RECEIVING, SerialNotify, None, RECEIVING)),),
    "R-PL-12": (WaitsForEver,),
    "R-PL-13": (_with((RECEIVING, Prefixes, _use_at_once, RECEIVING)),),
    "R-AS-06": (Tolerant,),
    "R-AS-08": (ReadsDraft10,),
    "R-ER-01": (_with((ASKING, ErrorReport, _give_up_for_any, ASKING)),),
    "R-ER-02": (KeepsAfterErrors, AnswersReports),
    "R-ER-03": (_with((IDLE, ErrorReport, _give_up_for_any, IDLE)),),
    "R-ER-04": (_with((IDLE, ErrorReport, _keep_at_shutdown, IDLE)),),
    "R-ER-10": (AnswersReports,),
    "R-ER-11": (StaysOpen,),
    "R-TM-01": (AsksSoon,),
    "R-TM-03": (Impatient,),
    "R-TM-04": (NeverExpires,),
}
"""What is broken, by the case that is to notice."""
