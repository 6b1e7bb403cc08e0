"""Which protocol is spoken on a connection: one port for RTR and Rotoro, and clients that find out what a server is.

A server decides by the first octet. A client that does not know asks with HELLO, which a plain RTR cache can only
refuse; then a fresh connection speaks plain RTR, and the verdict is kept for an hour so that later ones begin with
plain RTR. With TLS nobody has to ask: the handshake settles it (ALPN, RFC 7301), and what was agreed on holds.
"""

from __future__ import annotations

from enum import Enum

from rotoro.session.base import Session, clean, in_words
from rotoro.session.cache import MAX_WAITING, CacheData, CacheSession
from rotoro.session.effects import Close, Effect, Note, Send, WakeAt
from rotoro.session.follower import FollowingPeer
from rotoro.session.held import Held
from rotoro.session.parameters import DEFAULT_PARAMETERS, Parameters
from rotoro.session.peer import ServingPeer
from rotoro.session.router import RouterSession
from rotoro.session.tables import ServedTables
from rotoro.wire.decoder import Decoder
from rotoro.wire.errors import ProtocolError
from rotoro.wire.pdu import ROTORO, Pdu
from rotoro.wire.rotoro import Hello, HelloAck

PROBE_SECONDS = 3.0
"""How long an answer to HELLO may take."""

VERDICT_SECONDS = 3600.0
"""How long a server is known to be a plain cache."""

TLS_HANDSHAKE = 0x16

ALPN_ROTORO = b"rotoro/1"
ALPN_RTR = b"rpki-rtr"
"""What the protocols are called in handshakes of TLS; servers prefer them in this order."""

ALPN = (ALPN_ROTORO, ALPN_RTR)

_AFRESH = Close("to begin afresh, knowing what it speaks or asking for it")


class Mode(Enum):
    """What a client expects a server to be."""

    AUTO = "auto"
    RTR = "rtr"
    ROTORO = "rotoro"


class Refused(Exception):
    """The first octet begins no protocol that is spoken here."""


def serve(
    first: int,
    tables: ServedTables,
    cache: CacheData,
    parameters: Parameters = DEFAULT_PARAMETERS,
    max_waiting: int = MAX_WAITING,
) -> CacheSession | ServingPeer:
    """The session for a connection that begins with this octet; Refused, saying why, if there is none."""
    if first == TLS_HANDSHAKE:
        raise Refused("a TLS handshake on a port without TLS")
    if first >= ROTORO:
        return ServingPeer(tables, parameters)
    return CacheSession(cache, max_waiting=max_waiting)


def keep_to(agreed: bytes | None, first: int) -> None:
    """What was agreed on in the handshake of TLS, if anything, is what must be spoken; Refused if it is not."""
    rotoro = first >= ROTORO
    if (agreed == ALPN_RTR and rotoro) or (agreed == ALPN_ROTORO and not rotoro):
        spoken = "Rotoro" if rotoro else "RTR"
        raise Refused(f"agreed on {agreed.decode()} by ALPN, but speaks {spoken} (first octet {first:#04x})")


class ClientSession(Session):
    """All our conversations with one server, whatever it turns out to speak."""

    class State(Enum):
        """Where a client is before the protocol is known."""

        PROBING = "probing"
        DECIDED = "decided"

    def __init__(self, mode: Mode, follower: FollowingPeer, router: RouterSession) -> None:
        self.follower = follower
        self.router = router
        self.mode = mode
        self.verdict: Mode | None = None
        """What the server was found to be, until an hour after that; of a Rotoro server, after it was last heard."""
        self.max_pdu = follower.max_pdu
        self._verdict_until = self._deadline = 0.0
        self._known: Held | None = None
        """What the router held when it was last looked at."""
        self._inner: RouterSession | FollowingPeer = router if mode is Mode.RTR else follower
        self._phase = self.State.DECIDED
        self._settled: Mode | None = None
        """What the handshake of TLS said that is spoken."""

    @property
    def offers(self) -> tuple[bytes, ...]:
        """What we offer to speak in a handshake of TLS."""
        return {Mode.AUTO: ALPN, Mode.RTR: (ALPN_RTR,), Mode.ROTORO: (ALPN_ROTORO,)}[self.mode]

    def settle(self, agreed: bytes | None) -> None:
        """The handshake of TLS is done; before `start`. A server that agrees on nothing is a plain cache."""
        if self.mode is Mode.AUTO:
            self._settled = Mode.ROTORO if agreed == ALPN_ROTORO else Mode.RTR

    @property
    def current(self) -> Session:
        """The session that has, or had last, the connection."""
        return self._inner

    @property
    def retry_seconds(self) -> int:
        """In how many seconds the server wants us back, as it said; 0 if it said nothing."""
        return self.follower.retry_seconds if self._inner is self.follower else self.router.pause.seconds

    @property
    def speaks(self) -> str:
        """What is spoken, for people."""
        if self._phase is self.State.PROBING:
            return "?"
        return "rotoro" if self._inner is self.follower else f"rtr {self.router.version}"

    def decoder(self) -> Decoder:
        """What reads the server's octets, whatever it speaks."""
        decoder = self.router.decoder()
        decoder.rotoro_limit = self.max_pdu
        return decoder

    def resume(self, held: Held, now: float) -> bool:
        """Hold what a plain cache said in an earlier life; before `start`. False if the server may be none."""
        if self.mode is Mode.ROTORO:
            return False
        self._known = held
        self.router.resume(held, now)
        self._inner = self.router
        if self.mode is Mode.AUTO:
            self.verdict, self._verdict_until = Mode.RTR, now + VERDICT_SECONDS
        return True

    def start(self, now: float) -> list[Effect]:
        """Connected: go on as known, or ask."""
        self.router.pause.over()
        self.follower.peer = self.router.peer = self.peer
        if now >= self._verdict_until:
            self.verdict = None
        if self._settled is not None:
            gone = self._decide(self._settled, now)
            return [*gone, *(self.follower.start(now) if self._inner is self.follower else self.router.start(now))]
        if self.mode is Mode.AUTO and self.verdict is not Mode.RTR:
            self._phase = self.State.PROBING
            # One write and nothing behind it: a cache that refuses it may drop what follows in the same segment.
            self._deadline = now + PROBE_SECONDS
            return [Send(ROTORO, Hello(0)), *self._wait(now)]
        self._phase = self.State.DECIDED
        return self.follower.start(now) if self._inner is self.follower else self.router.start(now)

    def receive(self, version: int, pdu: Pdu, now: float) -> list[Effect]:
        """The answer to HELLO decides; anything but HELLO-ACK is a plain cache's."""
        if self._phase is self.State.DECIDED:
            return [*self._inner.receive(version, pdu, now), *self._another_life()]
        if version != ROTORO or not isinstance(pdu, HelloAck):
            return [*self._plain(f"answers HELLO with a {pdu.title} of version {version}", now), _AFRESH]
        note = Note(f"{self.peer} speaks Rotoro")
        gone = self._decide(Mode.ROTORO, now)
        self.follower.start(now)
        return [note, *gone, *self.follower.receive(version, pdu, now)]

    def _another_life(self) -> list[Effect]:
        """A cache whose data began anew may be another program: ask again what it speaks, the data being held."""
        held, known = self.router.held, self._known
        if held is None or held is known:
            return []
        self._known = held
        if self.verdict is not Mode.RTR or known is None or known.version != held.version:
            return []
        if self._settled is not None:
            return []  # each handshake asks anyway
        if known.session == held.session:
            return []
        self.verdict = None
        return [Note(f"{self.peer} has a new session: asking again what it speaks"), _AFRESH]

    def broken(self, error: ProtocolError, now: float) -> list[Effect]:
        """Octets that are no PDU; in answer to HELLO they too mean that the server is not ours."""
        if self._phase is self.State.DECIDED:
            return self._inner.broken(error, now)
        return [*self._plain(f"answers HELLO with what is no PDU: {clean(str(error))}", now), _AFRESH]

    def wake(self, now: float) -> list[Effect]:
        """No answer to HELLO is an answer, too."""
        if self._phase is self.State.DECIDED:
            return self._inner.wake(now)
        if now < self._deadline:
            return self._wait(now)
        return [*self._unanswered(f"has not answered HELLO in {PROBE_SECONDS:.0f} s", now), _AFRESH]

    def expire(self, now: float) -> list[Effect]:
        """Give up what has expired."""
        return self._inner.expire(now)

    def lost(self, now: float) -> list[Effect]:
        """A server that closes on HELLO is a plain cache."""
        if self._phase is self.State.DECIDED:
            return self._inner.lost(now)
        return [*self._unanswered("closes on HELLO", now), *self._inner.lost(now)]

    def drained(self, now: float) -> list[Effect]:
        """What was to be sent is out."""
        return self._inner.drained(now) if self._phase is self.State.DECIDED else []

    def heard(self, now: float) -> None:
        """The server is there; as long as it speaks Rotoro it is known to."""
        self._inner.heard(now)
        if self._phase is self.State.DECIDED and self.verdict is Mode.ROTORO:
            self._verdict_until = now + VERDICT_SECONDS

    def progressed(self, now: float) -> None:
        """The transport took octets."""
        self._inner.progressed(now)

    def fail(self, error: ProtocolError, pdu: Pdu | None = None, *, silent: bool = False) -> list[Effect]:
        """Tell the server what is wrong, and close."""
        if self._phase is self.State.PROBING:
            return [Close(in_words(error))]
        return self._inner.fail(error, pdu, silent=silent)

    def _wait(self, now: float) -> list[Effect]:
        """For the answer to HELLO, or for what the server said before to expire."""
        effects = [*self.router.expire(now), *self.follower.expire(now)]
        times = [effect.when for effect in effects if isinstance(effect, WakeAt)]
        flushed = [effect for effect in effects if not isinstance(effect, WakeAt)]
        return [*flushed, WakeAt(min([self._deadline, *times]))]

    def _decide(self, verdict: Mode, now: float) -> list[Effect]:
        """This is what the server speaks, for an hour; what came in the other protocol is not kept up any more."""
        other: RouterSession | FollowingPeer = self.follower if verdict is Mode.RTR else self.router
        self._phase, self.verdict, self._verdict_until = self.State.DECIDED, verdict, now + VERDICT_SECONDS
        self._inner = self.router if verdict is Mode.RTR else self.follower
        return other.forget(f"{self.peer} speaks {verdict.value} now")

    def _plain(self, why: str, now: float) -> list[Effect]:
        """From now on, and on a fresh connection, plain RTR: what a refusal says of versions is not to be trusted."""
        return [Note(f"{self.peer} {why}: plain RTR"), *self._decide(Mode.RTR, now)]

    def _unanswered(self, why: str, now: float) -> list[Effect]:
        """A server that says nothing is a plain cache, unless it is known better: Rotoro servers fail, too."""
        if self.verdict is not Mode.ROTORO:
            return self._plain(why, now)
        self._phase = self.State.DECIDED
        return [Note(f"{self.peer} {why}", warning=True)]
