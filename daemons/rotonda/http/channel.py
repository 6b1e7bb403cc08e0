"""What comes in: requests with bounds, and everything that is no request.

Here a client may be answered before its request is whole, which Twisted has no words for; so such answers are
written as octets, and the connection ends with them.
"""

from __future__ import annotations

from http import HTTPStatus
from io import BytesIO

from twisted.logger import Logger
from twisted.web.http import HTTPChannel
from twisted.web.http import Request as PlainRequest
from twisted.web.server import Request

from rotonda.http.answers import JSON
from rotonda.http.errors import Refused, excerpt

MOST_OCTETS = 16 << 20
"""A request body that is longer is not read to its end: 16 MiB are some 400,000 routes."""

_log = Logger()


class ApiChannel(HTTPChannel):
    """A connection on which what is no HTTP is refused like everything else."""

    def refuse(self, refused: Refused, method: str = "", uri: str = "") -> None:
        """Answer whatever is coming in, and have no more of it."""
        _note(getattr(self.getPeer(), "host", None), method, uri, refused)
        body = refused.body
        head = (
            f"HTTP/1.1 {refused.status} {HTTPStatus(refused.status).phrase}\r\nContent-Type: {JSON}\r\n"
            f"Content-Length: {len(body)}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
        )
        self.write(head.encode() + body)
        self.loseConnection()

    def lineLengthExceeded(self, line: bytes) -> None:
        """A request line or a header is too long."""
        self.refuse(Refused(400, f"a line of more than {self.MAX_LENGTH:,} octets"))

    def _respondToBadRequestAndDisconnect(self) -> None:
        # Twisted's own answer has no body; if it stops asking here, that one is given.
        self.refuse(Refused(400, "this is not a request of HTTP/1.1 that can be read"))


class ApiRequest(Request):
    """A request whose body has a limit."""

    defaultContentType = None
    refused = False
    """Whether the request was answered before its end."""

    def gotLength(self, length: int | None) -> None:
        """The length of the body is announced; None for a chunked one, and 0 for none."""
        self.content = BytesIO()
        if length is not None and length > MOST_OCTETS:
            self._refuse_body()

    def handleContentChunk(self, data: bytes) -> None:
        """Some of the body is here."""
        assert self.content is not None
        if not self.refused and self.content.tell() + len(data) > MOST_OCTETS:
            self._refuse_body()
        elif not self.refused:
            self.content.write(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The whole request is here."""
        if not self.refused:
            super().requestReceived(command, path, version)

    def _refuse_body(self) -> None:
        self.refused = True
        self.content = BytesIO()
        assert isinstance(self.channel, ApiChannel)
        self.channel.refuse(Refused(413, f"the body has more than {MOST_OCTETS:,} octets", "ask in several requests"))


def note_refusal(request: PlainRequest, refused: Refused) -> None:
    """The one line of the log about a refused request."""
    method = excerpt(request.method.decode("latin-1")).strip("'")
    _note(getattr(request.getClientAddress(), "host", None), method, shown_uri(request), refused)


def shown_uri(request: PlainRequest) -> str:
    """What was asked for, as it may stand in the log."""
    return excerpt(request.uri.decode("latin-1")).strip("'")


def _note(host: str | None, method: str, uri: str, refused: Refused) -> None:
    _log.info(
        "{client} {method} {uri}: {status} {what}",
        client=host or "a local client",
        method=method or "-",
        uri=uri or "-",
        status=refused.status,
        what=str(refused),
    )
