"""Exports from the web, over http and https only, asked for again and again and fetched only when they have changed.

What a server sends is hostile: redirects, octets and time have limits, also for what comes out of a decompressor. The
validators of a body (RFC 9110 section 8.8) are kept only when the body was of use: else a server that once sent
rubbish would say for ever that nothing has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from time import time
from typing import Any
from urllib.parse import urljoin, urlsplit

from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http_headers import Headers

from rotonda.rpki.exports import MAX_OCTETS
from rotonda.units.export_source import INTERVAL_SECONDS, CannotFetch, Fetched, is_url
from rotonda.units.files import DamagedFile, decompressed_octets
from rotonda.units.timer import Timer

MAX_SECONDS = 300.0
"""How long one answer may take in all, redirects included: a limit on each read alone would let a server drip."""

MAX_REDIRECTS = 5
MAX_GROWTH = 100
"""A compressed export is no longer than so many times its compressed form; JSON of VRPs comes to about 20."""

CONNECT_SECONDS = 10.0
_REDIRECTS = {301, 302, 303, 307, 308}
_OK, _NOT_MODIFIED = 200, 304
_FAILURES = (
    ValueError,  # of a redirect that leads to no address
    CancelledError,
    ConnectError,
    DNSLookupError,
    ResponseFailed,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    OSError,
)


class WebFetch:
    """One URL. `trust` is whom to trust instead of the system's authorities, for https."""

    def __init__(
        self,
        reactor: Any,
        url: str,
        interval: float = INTERVAL_SECONDS,
        max_seconds: float = MAX_SECONDS,
        max_octets: int = MAX_OCTETS,
        trust: Any = None,
    ) -> None:
        self.name = url
        self.interval = interval
        self._reactor = reactor
        self._max_seconds = max_seconds
        self._max_octets = max_octets
        self._validators: dict[str, str] = {}
        """What is sent along to be told that nothing has changed."""
        policy = BrowserLikePolicyForHTTPS() if trust is None else BrowserLikePolicyForHTTPS(trust)
        self._agent: Any = Agent(reactor, policy, connectTimeout=CONNECT_SECONDS)

    async def fetch(self) -> Fetched | None:
        """What lies there now, or None if it has not changed. Raises CannotFetch."""
        asking = ensureDeferred(self._get())
        end = self._reactor.callLater(self._max_seconds, asking.cancel)
        try:
            return await asking
        except _FAILURES as wrong:
            late = not end.active()
            why = f"not complete in {self._max_seconds:g} s" if late else _reason(wrong)
            raise self._cannot(why) from wrong
        finally:
            if end.active():
                end.cancel()

    def watch(self, parent: MultiService, reactor: Any, changed: Callable[[], object]) -> None:
        """Every so many seconds."""
        Timer(changed, reactor, self.interval).setServiceParent(parent)

    async def _get(self) -> Fetched | None:
        url = self.name
        for _ in range(MAX_REDIRECTS + 1):
            asked = Headers({"user-agent": ["rotonda"], "accept-encoding": ["gzip"]})
            for name, value in self._validators.items():
                asked.addRawHeader(name, value)
            response = await self._agent.request(b"GET", url.encode("ascii"), asked)
            if response.code not in _REDIRECTS:
                return await self._answer(response)
            body = _Body(0)
            response.deliverBody(body)
            body.give_up()
            url = self._target(url, response)
        raise self._cannot(f"more than {MAX_REDIRECTS} redirects")

    async def _answer(self, response: Any) -> Fetched | None:
        body = _Body(self._max_octets)
        response.deliverBody(body)
        if response.code == _NOT_MODIFIED and self._validators:
            return None
        if response.code != _OK:
            body.give_up()
            raise self._cannot(f"answered {response.code} {response.phrase.decode('latin-1')[:80]}")
        if isinstance(response.length, int) and response.length > self._max_octets:
            body.give_up()
            raise self._cannot(f"{response.length:,} octets, where {self._max_octets:,} are the most")
        octets = await body.whole()
        most = min(self._max_octets, MAX_GROWTH * len(octets))
        try:
            plain = await deferToThread(decompressed_octets, octets, self.name, most)
        except DamagedFile as wrong:
            raise CannotFetch(str(wrong)) from wrong
        validators = {
            condition: value
            for header, condition in (("etag", "if-none-match"), ("last-modified", "if-modified-since"))
            if (value := _header(response, header))
        }
        return Fetched(plain, _modified(response), lambda: self._keep(validators))

    def _keep(self, validators: dict[str, str]) -> None:
        self._validators = validators

    def _target(self, url: str, response: Any) -> str:
        target = urljoin(url, _header(response, "location"))
        if not is_url(target) or (urlsplit(url).scheme == "https" != urlsplit(target).scheme):
            raise self._cannot(f"redirects to {target[:200]!r}, where it must not lead")
        return target

    def _cannot(self, why: str) -> CannotFetch:
        return CannotFetch(f"{self.name}: {why}")


class _Body(Protocol):
    """Gathers a body of a limited length."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._pieces: list[bytes] = []
        self._size = 0
        self._done: Deferred[bytes] = Deferred(lambda _: self.give_up())
        self._why: str | None = None

    def whole(self) -> Deferred[bytes]:
        """All of it, once it has come."""
        return self._done

    def give_up(self, why: str = "") -> None:
        """Want no more of it."""
        self._why = why
        transport: Any = self.transport
        if transport is not None:
            transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """More of it."""
        self._size += len(data)
        if self._size > self._most:
            self._pieces.clear()
            self.give_up(f"more than {self._most:,} octets")
        elif self._why is None:
            self._pieces.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end: of the body, or before it."""
        if self._done.called:
            return
        if self._why is None and reason.check(ResponseDone):
            self._done.callback(b"".join(self._pieces))
        elif self._why != "":
            why = self._why or f"the answer ended after {self._size:,} octets, and did not say that this is all"
            self._done.errback(OSError(why))
        self._pieces.clear()


def _header(response: Any, name: str) -> str:
    values = response.headers.getRawHeaders(name, [""])
    return str(values[-1])[:1000]


def _modified(response: Any) -> float:
    """When the body was written, as far as the server tells; a time to come is none."""
    now = time()
    try:
        return min(now, parsedate_to_datetime(_header(response, "last-modified")).timestamp())
    except (ValueError, OverflowError):
        return now


def _reason(wrong: Exception) -> str:
    """What happened, in words; the web's failures hide their reasons in a list."""
    reasons = getattr(wrong, "reasons", None)
    if reasons:
        return "; ".join(reason.getErrorMessage() or reason.type.__name__ for reason in reasons)
    return str(wrong) or type(wrong).__name__
