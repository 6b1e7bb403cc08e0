"""How requests become answers, and how these go out: as slowly as they are read.

Nothing that goes wrong here reaches a client as anything but the JSON of a `Refused`; what is not the client's fault
is written into the log, whole, and told to the client as 500 and no more. What takes long is done aside, in threads, a
few at a time, so that everybody else is answered meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import blake2b
from http import HTTPStatus

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IPullProducer
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request as PlainRequest
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface import implementer

from rotonda.http.answers import Answer, Live, Work, gzipped
from rotonda.http.channel import ApiChannel, ApiRequest, note_refusal, shown_uri
from rotonda.http.errors import Refused
from rotonda.http.routing import Asked, Route, Router, parameters_of, text

_WORTH_GZIP = 1024
_INLINE = 256 << 10
_IDLE_SECONDS = 60
_ASIDE = 2

Aside = Callable[[Callable[[], Answer]], Deferred[Answer]]
"""Calls a function, in its own time, and gives what it returns."""

_log = Logger()


@implementer(IResource)
class Api:
    """All paths of a site."""

    isLeaf = True

    def __init__(self, routes: Sequence[Route], aside: Aside = deferToThread) -> None:
        self._router = Router(routes)
        self._aside = aside
        self._turns = DeferredSemaphore(_ASIDE)

    def getChildWithDefault(self, name: bytes, request: PlainRequest) -> IResource:
        """There are no other resources."""
        return self

    def putChild(self, path: bytes, child: IResource) -> None:
        """Not possible: the routes are all there is."""
        raise NotImplementedError(f"{path!r} is to be a route")

    def render(self, request: PlainRequest) -> int:
        """Answer a request, now or piece by piece."""
        try:
            answer = self._answer(request)
            if isinstance(answer, Live):
                answer.start(request)
                return NOT_DONE_YET
        except Exception:
            answer = _failed(request, Failure())
        if isinstance(answer, Work):
            self._work(request, answer)
        else:
            send(request, answer)
        return NOT_DONE_YET

    def _work(self, request: PlainRequest, work: Work) -> None:
        """Answer when the work is done, if the client is still there then."""
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)
        done = self._turns.run(self._aside, work.find)
        done.addErrback(partial(_failed, request))
        done.addCallback(lambda answer: None if gone else send(request, answer))

    def _answer(self, request: PlainRequest) -> Answer | Work | Live:
        method = text(request.method, "the method")
        route, named = self._router.find(method, request.path)
        parameters = parameters_of(route, request.args or {})
        content_type = request.getHeader("content-type") or ""
        body = b"" if request.content is None else request.content.read()
        kind, accept = content_type.partition(";")[0].strip().lower(), request.getHeader("accept") or ""
        return route.handler(Asked(named, parameters, body, kind, accept))


class ApiSite(Site):
    """A site that has no log of its own: only refusals are worth a line."""

    protocol = ApiChannel  # type: ignore[assignment]  # Twisted's own type is that of its wrapper for HTTP/2
    displayTracebacks = False
    noisy = False

    def log(self, request: PlainRequest) -> None:
        """Nothing."""


def api_site(routes: Sequence[Route], aside: Aside = deferToThread) -> Site:
    """A site of these routes, which forgets clients that say nothing for a minute; `aside` does what takes long."""
    return ApiSite(Api(routes, aside), requestFactory=ApiRequest, parsePOSTFormSubmission=False, timeout=_IDLE_SECONDS)


def _failed(request: PlainRequest, failure: Failure) -> Answer:
    """The answer to a request that is refused, or that could not be answered."""
    refused = failure.value
    if not isinstance(refused, Refused):
        what = "{method} {uri} could not be answered"
        _log.failure(what, failure, method=request.method, uri=shown_uri(request))
        return Answer(Refused(500, "this could not be answered; the log of the daemon says why").body, status=500)
    note_refusal(request, refused)
    for name, value in refused.headers.items():
        request.setHeader(name, value)
    return Answer(refused.body, status=refused.status)


def send(request: PlainRequest, answer: Answer) -> None:
    """Write an answer: nothing of it if the client has it, compressed if it may be, in pieces if it is long."""
    squeezed = _accepts_gzip(request) and not (isinstance(answer.body, bytes) and len(answer.body) < _WORTH_GZIP)
    request.setResponseCode(answer.status, _phrase(answer.status))
    request.setHeader("Content-Type", answer.content_type)
    request.setHeader("X-Content-Type-Options", "nosniff")
    request.setHeader("Cache-Control", "no-cache")
    request.setHeader("Vary", "Accept-Encoding")
    if answer.version is not None and _is_known(request, answer.version):
        request.finish()
        return
    if squeezed:
        request.setHeader("Content-Encoding", "gzip")
    body = answer.body
    if isinstance(body, bytes) and len(body) <= _INLINE:
        _write_whole(request, b"".join(gzipped([body])) if squeezed else body)
    elif request.method == b"HEAD":
        request.finish()
    else:
        pieces = _slices(body) if isinstance(body, bytes) else body
        request.registerProducer(_Pieces(request, gzipped(pieces) if squeezed else pieces), False)


def _write_whole(request: PlainRequest, body: bytes) -> None:
    request.setHeader("Content-Length", str(len(body)))
    request.write(body)
    request.finish()


def _is_known(request: PlainRequest, version: str) -> bool:
    """Give the answer its tag, and see whether the client has it: the tag is weak, as it may come compressed or not."""
    tag = b'W/"' + blake2b(version.encode(), digest_size=12).hexdigest().encode() + b'"'
    request.setHeader("ETag", tag)
    wanted = [own.strip() for own in (request.getHeader(b"if-none-match") or b"").split(b",")]
    if request.method not in (b"GET", b"HEAD") or not (
        tag in wanted or tag.removeprefix(b"W/") in wanted or b"*" in wanted
    ):
        return False
    request.setResponseCode(HTTPStatus.NOT_MODIFIED, b"Not Modified")
    request.responseHeaders.removeHeader("Content-Type")
    return True


def _accepts_gzip(request: PlainRequest) -> bool:
    for coding in (request.getHeader("accept-encoding") or "").lower().split(","):
        name, _, weight = coding.replace(" ", "").partition(";q=")
        if name in ("gzip", "*"):
            return weight.strip("0.") != "" or not weight
    return False


def _slices(body: bytes) -> Iterator[bytes]:
    return (body[start : start + _INLINE] for start in range(0, len(body), _INLINE))


def _phrase(status: int) -> bytes:
    return HTTPStatus(status).phrase.encode()


@implementer(IPullProducer)
class _Pieces:
    """Makes the next piece of a body when the client has taken the ones before."""

    def __init__(self, request: PlainRequest, pieces: Iterator[bytes]) -> None:
        self._request = request
        self._pieces: Iterator[bytes] = pieces
        self._wait()

    def resumeProducing(self) -> None:
        """Write the next piece, or the end."""
        try:
            piece = next(self._pieces, None)
        except Exception:
            _log.failure("{method} {uri} broke off", method=self._request.method, uri=shown_uri(self._request))
            self._request.unregisterProducer()
            self._request.channel.loseConnection()  # without the last chunk, the client knows that this is not all
            return
        if piece is None:
            self._request.unregisterProducer()
            self._request.finish()
        elif piece:
            self._wait()
            self._request.write(piece)

    def stopProducing(self) -> None:
        """The client is gone."""
        self._pieces = iter(())

    def _wait(self) -> None:
        """Twisted itself would wait for ever for a client that reads no more."""
        self._request.channel.setTimeout(_IDLE_SECONDS)
