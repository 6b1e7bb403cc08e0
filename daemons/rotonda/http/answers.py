"""What handlers answer, and how it becomes octets: all at once, or piece by piece where there is much of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from twisted.web.http import Request

JSON = "application/json"
_GZIP = 16 + zlib.MAX_WBITS
_LEVEL = 1
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Answer:
    """A body, or the pieces of one, which are only made when they are sent.

    `version` names the state that it tells of: as long as that is the same, so is the answer to the same request.
    """

    body: bytes | Iterator[bytes]
    content_type: str = JSON
    version: str | None = None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Work:
    """An answer that takes long to find. `find` looks only at what never changes, so that it may run anywhere."""

    find: Callable[[], Answer]


@dataclass(frozen=True, slots=True)
class Live:
    """An answer without an end, or the beginning of another protocol: `start` has the request from now on.

    It may raise `Refused` as long as it has written nothing.
    """

    start: Callable[[Request], None]


def json_answer(value: Any, version: str | None = None, status: int = 200) -> Answer:
    """An answer that says this."""
    return Answer(_encoder.encode(value), JSON, version, status)


def streamed_object(head: dict[str, object], name: str, items: Iterator[Any], piece: int = 500) -> Iterator[bytes]:
    """A JSON object whose last member is a list, of which some items make one piece."""
    yield _encoder.encode(head)[:-1] + (b"," if head else b"") + _encoder.encode(name) + b":["
    separator = b""
    while some := list(islice(items, piece)):
        yield separator + _encoder.encode(some)[1:-1]
        separator = b","
    yield b"]}"


def gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces of a body as those of its compressed form."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for piece in pieces:
        if compressed := compressor.compress(piece):
            yield compressed
    yield compressor.flush()
