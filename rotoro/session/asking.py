"""What a router keeps of a cache, and what it does of itself: ask, wait, use what has come, and give it up in time."""

from __future__ import annotations

from enum import Enum

from rotoro.session.base import Session, in_words
from rotoro.session.effects import Close, Effect, Flush, Note, Send, Update, WakeAt
from rotoro.session.held import Answer, Held
from rotoro.session.payload import DEFAULT_TIMERS, Timers
from rotoro.session.versions import Pause, Versions
from rotoro.table.serial import Position, serial_after
from rotoro.wire.decoder import Decoder
from rotoro.wire.errors import LimitExceeded, ProtocolError, TransportFailed
from rotoro.wire.lenient import Leniency
from rotoro.wire.pdu import RTR_LATEST, Pdu
from rotoro.wire.rtr import ResetQuery, SerialNotify, SerialQuery

ANSWER_SECONDS = 60.0
"""How long a cache may take to begin an answer."""

TRANSFER_SECONDS = 600.0
"""How long a whole answer may take, from Cache Response to End of Data (8210bis section 11.4)."""

NO_DATA_SECONDS = 60.0
"""When to ask again after a cache had no data."""

QUERY_SECONDS = 1.0
"""Notifies lead to no more than one query in this time."""


class State(Enum):
    """Where a router can be."""

    DISCONNECTED = "disconnected"
    ASKING = "asking"
    RECEIVING = "receiving"
    IDLE = "idle"


class Asking(Session):
    """A router without ears: what it keeps of a cache, and what it does of itself.

    One that is `tolerant` takes records that it has already, and withdrawals of others than it has, where it would end
    the session; `old_aspa` makes it read ASPAs of draft 10, and then always ask for everything: each of these speaks
    of one address family only, so that what is left of both after a change cannot be told.
    """

    closed = State.DISCONNECTED

    def __init__(
        self,
        table: str = "rpki",
        version: int = RTR_LATEST,
        held: Held | None = None,
        *,
        tolerant: bool = False,
        old_aspa: bool = False,
    ) -> None:
        self.state: Enum = State.DISCONNECTED
        self.table = table
        self.version = version
        self.held = held
        self.queries = 0
        self.updates = 0
        self.clamped = 0
        """How often a cache named timers that are not allowed."""
        self.tolerated = 0
        """Records that were there already or withdrawn and not there, and taken all the same."""
        self.pause = Pause()
        self._tolerant = tolerant
        self._lenient = Leniency(old_aspa, tolerant)
        self.versions = Versions(version)
        self.retry = DEFAULT_TIMERS.retry if held is None else held.timers.retry
        self.answer = Answer(None)
        self.deadline = 0.0
        self.asked = float("-inf")
        self.answered = False
        """Whether the cache has begun an answer on this connection: the version is agreed."""
        self._whole_only = False
        """Whether changes are of no use, because of ASPAs of draft 10."""
        self.serial_lost = False
        """Whether the cache cannot tell the changes since what is held."""
        self.called: SerialNotify | None = None
        """What the cache said while it was answering: there may be something newer than the answer."""
        self._told_tolerance = False
        self.heard_version = version

    # --- what happens to a session ---------------------------------------------------------------------------------

    def decoder(self) -> Decoder:
        """What reads the cache's octets."""
        return Decoder(self._lenient)

    def resume(self, held: Held, now: float) -> None:
        """Hold what the cache said in an earlier life of ours, and ask on from there."""
        self.held, self.retry = held, held.timers.retry
        if held.version < self.versions.highest:
            self.versions.lower(now, held.version)

    def start(self, now: float) -> list[Effect]:
        """Connected: ask, for changes if there is something that they could apply to."""
        self.answered = self._told_tolerance = False
        self.pause.over()
        self.versions.begin(now)
        return self.ask(now)

    def lost(self, now: float) -> list[Effect]:
        """The connection is gone; the data stays until it expires."""
        unanswered = self.state is State.ASKING and not self.answered
        if self.state in (State.ASKING, State.RECEIVING):
            self.pause.lost(self.retry)
        self.answer = Answer(None)
        self.state = State.DISCONNECTED
        if unanswered and (self.held is None or self.held.version != self.version):
            self.versions.unheard(now)
        said = [Note("the cache hung up without an answer", warning=True)] if unanswered else []
        return [*said, *self.sleep()]

    def forget(self, reason: str) -> list[Effect]:
        """Give up the data: the cache is no cache any more."""
        return self.flush(reason)

    def wake(self, now: float) -> list[Effect]:
        """A deadline has passed: ask again, give up on a mute cache, or give up data that has expired."""
        effects = self._give_up_expired(now)
        if self.state in (State.ASKING, State.RECEIVING) and now >= self.deadline:
            what = "began no answer" if self.state is State.ASKING else "did not finish its answer"
            return effects + self.fail(TransportFailed(f"the cache {what} in time"))
        if self.state is State.IDLE and now >= self.deadline:
            return effects + self.ask(now)
        return effects + self.sleep()

    def expire(self, now: float) -> list[Effect]:
        """Give up data that has expired."""
        effects = self._give_up_expired(now)
        return effects if self.held is None else [*effects, WakeAt(self.held.expires)]

    def fail(self, error: ProtocolError, pdu: Pdu | None = None, *, silent: bool = False) -> list[Effect]:
        """After a fatal error nothing that came from this cache may be used (8210bis section 12).

        What was whole before stays good, until it expires, if the cache only stopped or would not stop.
        """
        if self.state is State.DISCONNECTED:
            return []
        self.pause.failed(self.retry)
        said = super().fail(error, pdu, silent=silent)
        if isinstance(error, TransportFailed | LimitExceeded):
            return [Note(in_words(error), warning=True), *said, *self.sleep()]
        return [*(self.flush(in_words(error)) or [Note(in_words(error), warning=True)]), *said]

    # --- asking ------------------------------------------------------------------------------------------------------

    def ask(self, now: float) -> list[Effect]:
        """Send a query: for changes, if there is something that they apply to."""
        self.state = State.ASKING
        self.version = self.versions.current
        self.queries += 1
        self.asked, self.deadline = now, now + ANSWER_SECONDS
        self.called = None
        held = self.held
        if held is None or held.version != self.version or self.serial_lost or self._whole_only:
            self.answer = Answer(None, self._tolerant)
            return [Send(self.version, ResetQuery()), *self.sleep()]
        self.answer = Answer(held, self._tolerant)
        return [Send(self.version, SerialQuery(held.session, held.serial)), *self.sleep()]

    def rest(self, now: float, seconds: float) -> list[Effect]:
        """The answer brought nothing: what is held stays in use, and after this time everything is asked for."""
        self.answer = Answer(None)
        self.serial_lost = True
        self.state = State.IDLE
        self.deadline = now + seconds
        return self.sleep()

    def sleep(self) -> list[Effect]:
        """Wake for whatever comes first: the deadline of what goes on, or the expiry of the data."""
        times = [self.deadline] if self.state is not State.DISCONNECTED else []
        if self.held is not None:
            times.append(self.held.expires)
        return [WakeAt(min(times))] if times else []

    def _give_up_expired(self, now: float) -> list[Effect]:
        if self.held is None or now < self.held.expires:
            return []
        return self.flush(f"no news from the cache in {self.held.timers.expire} s")

    def flush(self, reason: str, code: int | None = None) -> list[Effect]:
        """Give up the data, because of the cache's error of this code, if it sent one."""
        if self.held is None:
            return []
        self.held = None
        return [Flush(reason, code)]

    def leave(self, why: str) -> list[Effect]:
        """Close without a word."""
        self.state = State.DISCONNECTED
        return [Close(why), *self.sleep()]

    # --- receiving --------------------------------------------------------------------------------------------------

    def commit(self, serial: int, timers: Timers, now: float) -> list[Effect]:
        """The answer is whole: from now on its data is used. Raises what `Answer.diff` raises."""
        answer, shown = self.answer, self.held
        self._whole_only = self._whole_only or answer.old_aspas > 0
        if answer.base is not None and (answer.base is not shown or answer.old_aspas):
            # What the changes apply to has expired while they came, or they do not tell what is left.
            return self.ask(now)
        diff = answer.diff(self.version)
        snapshot = diff.apply(answer.snapshot)
        self.answer = Answer(None)
        self.held = Held(self.version, answer.session, serial, timers, now, snapshot)
        self.retry = timers.retry
        self.pause.succeeded()
        self.updates += 1
        self.serial_lost = False
        self.deadline = now + timers.refresh
        called = self.called
        if called is not None and called.session == answer.session and serial_after(called.serial, serial):
            self.deadline = max(now, self.asked + QUERY_SECONDS)
        change = diff if shown is None or answer.base is shown else shown.snapshot.diff(snapshot)
        update = Update(self.table, Position(answer.session, serial), snapshot, change)
        return [update, *self.sleep(), *self._tell_tolerance(answer.tolerated), *_told_keys(answer.odd_keys)]

    def _tell_tolerance(self, more: int) -> list[Effect]:
        self.tolerated += more
        if not more or self._told_tolerance:
            return []
        self._told_tolerance = True
        told = f"{more} records that were there already, or were withdrawn and not there: taken, as this cache may"
        return [Note(told, warning=True)]


def _told_keys(count: int) -> list[Effect]:
    return [Note(f"{count} router keys are no DER, as a public key would be", warning=True)] if count else []
