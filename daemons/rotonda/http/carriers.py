"""How messages get to clients: over WebSocket, as server-sent events, or as lines of JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.python.failure import Failure
from twisted.web.http import Request as PlainRequest
from twisted.web.server import NOT_DONE_YET, Request
from twisted.web.websocket import WebSocketResource, WebSocketTransport

from rotonda.gateway.messages import Form
from rotonda.http.errors import Refused, excerpt

MOST_OCTETS = 64 << 10
"""A longer message of a client is not taken."""

BURST_OCTETS = 128 << 10
"""What a client may send at once ..."""

OCTETS_PER_SECOND = 16 << 10
"""... and how fast that comes back."""

_SLICE = 1 << 10
_TYPES = {Form.EVENTS: "text/event-stream; charset=utf-8", Form.LINES: "application/x-ndjson"}

TOO_BIG, POLICY, UNREADABLE = 1009, 1008, 1003


def must_be_of_this_site(request: PlainRequest) -> None:
    """Pages of other sites do not get to read along (RFC 6455 section 10.2). Raises Refused.

    Browsers send an Origin, programs none: what is there must be the host that is asked.
    """
    origin = request.getHeader("origin")
    if origin is None:
        return
    if origin.partition("://")[2].lower() != (request.getHeader("host") or "").lower():
        raise Refused(403, f"pages of {excerpt(origin)} may not follow tables here", "let the page's own server do it")


def must_be_websocket(request: PlainRequest) -> None:
    """Raises Refused for what is no opening handshake (RFC 6455 section 4.2.1)."""
    upgrade = (request.getHeader("upgrade") or "").lower()
    connection = {word.strip().lower() for word in (request.getHeader("connection") or "").split(",")}
    if upgrade != "websocket" or "upgrade" not in connection:
        raise Refused(426, "this is a WebSocket", "begin with Upgrade: websocket", {"Upgrade": "websocket"})
    if request.getHeader("sec-websocket-version") != "13":
        raise Refused(426, "only version 13 of WebSocket is spoken", None, {"Sec-WebSocket-Version": "13"})
    if request.method != b"GET" or not request.getHeader("sec-websocket-key"):
        raise Refused(400, "this is no opening handshake of a WebSocket")


class HttpCarrier:
    """An answer without an end."""

    def __init__(self, request: PlainRequest, form: Form, gone: Callable[[], None]) -> None:
        self.form = form
        self._request = request
        request.notifyFinish().addErrback(lambda lost: gone())
        request.setHeader("Content-Type", _TYPES[form])
        request.setHeader("Cache-Control", "no-store")
        request.setHeader("X-Content-Type-Options", "nosniff")
        request.setHeader("X-Accel-Buffering", "no")  # proxies would wait until there is much

    def start(self, producer: IPushProducer) -> None:
        """Begin the answer."""
        _keep_alive(self._request)
        self._request.registerProducer(producer, True)
        self.write(b"retry: 3000\n\n" if self.form is Form.EVENTS else b"")

    def write(self, octets: bytes) -> None:
        """Send this."""
        self._request.write(octets)

    def ping(self) -> None:
        """A comment, which keeps proxies from cutting the connection."""
        if self.form is Form.EVENTS:
            self._request.write(b": still there\n\n")

    def end(self, code: int, why: str) -> None:
        """Close when all is sent; without the last chunk, the client knows that this was not meant to be all."""
        self._request.unregisterProducer()
        self._request.channel.loseConnection()

    def abort(self) -> None:
        """Close at once."""
        _transport(self._request).abortConnection()


class SocketCarrier:
    """A WebSocket. Frames are the same for all clients, so they come ready and go out past what would frame them."""

    form = Form.WEBSOCKET

    def __init__(
        self,
        reactor: Any,
        heard: Callable[[str], None],
        alive: Callable[[], None],
        bad: Callable[[int, str], None],
        gone: Callable[[], None],
    ) -> None:
        """`heard` takes what the client says, `alive` that it is there, `bad` that it does what it must not (the code
        of RFC 6455 section 7.4, and words)."""
        self._heard, self._alive, self._bad, self._gone = heard, alive, bad, gone
        self._reactor = reactor
        self._wire: Any = None
        self._ended = self._lost = False
        self._feed: Callable[[bytes], None] = lambda data: None
        self._waiting = bytearray()
        self._call: IDelayedCall | None = None
        self._allowance, self._allowed_at = float(BURST_OCTETS), reactor.seconds()
        self._message_octets = 0

    # --- opening -----------------------------------------------------------------------------------------------------

    def accept(self, request: PlainRequest) -> None:
        """Answer the handshake. Raises Refused if it is none."""
        assert isinstance(request, Request)
        _keep_alive(request)
        if WebSocketResource(self).render_GET(request) is not NOT_DONE_YET:
            raise Refused(400, "this is no opening handshake of a WebSocket")
        channel: Any = request.channel
        self._feed = channel.dataReceived
        channel.dataReceived = self.dataReceived

    def buildProtocol(self, request: Request) -> SocketCarrier:
        """This speaks it."""
        return self

    def start(self, producer: IPushProducer) -> None:
        """Be told when there is room: until now, that was the HTTP channel's to know."""
        self._wire.transport.unregisterProducer()
        self._wire.attachProducer(producer)

    # --- what clients send: bounded before it is read ----------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Octets of the client. Read a little at a time: each may be a frame of its own."""
        self._alive()
        now = self._reactor.seconds()
        self._allowance = min(BURST_OCTETS, self._allowance + (now - self._allowed_at) * OCTETS_PER_SECOND) - len(data)
        self._allowed_at = now
        if self._ended:
            return
        if self._allowance < 0:
            self._bad(POLICY, "too much is sent")
            return
        self._waiting += data
        if self._call is None:
            self._read()

    def _read(self) -> None:
        self._call = None
        some = bytes(self._waiting[:_SLICE])
        del self._waiting[:_SLICE]
        self._message_octets += len(some)
        try:
            self._feed(some)
        except Exception:  # whatever the library makes of what cannot be read
            self.abort()
            return
        if self._message_octets > MOST_OCTETS:
            self._bad(TOO_BIG, f"a message of more than {MOST_OCTETS:,} octets")
        if self._waiting and not self._ended:
            self._call = self._reactor.callLater(0, self._read)

    # --- what twisted.web.websocket calls -----------------------------------------------------------------------------

    def negotiationStarted(self, transport: WebSocketTransport) -> None:
        """There is a connection."""
        self._wire = transport

    def negotiationFinished(self) -> None:
        """It is a WebSocket now."""

    def pongReceived(self, payload: bytes) -> None:
        """It is alive."""
        self._message_octets = 0

    def textMessageReceived(self, message: str) -> None:
        """The client has said something."""
        self._message_octets = 0
        if not self._ended:
            self._heard(message)

    def bytesMessageReceived(self, data: bytes | bytearray) -> None:
        """Nobody says anything in octets here."""
        self._message_octets = 0
        self._bad(UNREADABLE, "messages are text")

    def connectionLost(self, reason: Failure) -> None:
        """It is over."""
        self._ended = self._lost = True
        self._stop_reading()
        self._gone()

    # --- what is sent -------------------------------------------------------------------------------------------------

    def write(self, octets: bytes) -> None:
        """Send these frames."""
        if not self._ended:
            self._wire.transport.write(octets)

    def ping(self) -> None:
        """Ask whether the client is there."""
        if not self._ended:
            self._wire.ping()

    def end(self, code: int, why: str) -> None:
        """Close when all is sent."""
        if self._ended:
            return
        self._ended = True
        self._stop_reading()
        transport = self._wire.transport
        transport.unregisterProducer()
        try:
            self._wire.loseConnection(code, why[:120])
        except Exception:  # the other side has closed already, and the library sends nothing any more
            transport.loseConnection()

    def abort(self) -> None:
        """Close at once."""
        self._ended = True
        self._stop_reading()
        if not self._lost:
            self._wire.transport.abortConnection()

    def _stop_reading(self) -> None:
        self._waiting.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None


def _transport(request: PlainRequest) -> Any:
    return request.channel.transport


def _keep_alive(request: PlainRequest) -> None:
    """A client that vanished without a word is found out by TCP."""
    keep = getattr(_transport(request), "setTcpKeepAlive", None)
    if keep is not None:
        keep(1)
