"""Brings files from the web, over http and https only, with limits on octets and on time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from email.message import Message
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import IO, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from .errors import DemoFailed

MAX_OCTETS = 4 << 30
"""More than any table dump that is published today."""
MAX_SECONDS = 1_800.0
SILENT_SECONDS = 30.0
"""How long a server may say nothing."""
_CHUNK = 1 << 18
_MEGA = 1_000_000


class _Response(Protocol):
    headers: Message

    def read(self, amount: int) -> bytes: ...


def is_url(text: str) -> bool:
    """Whether somebody means something on the web and not a file.

    >>> is_url("https://example.net/table.gz"), is_url("tables/ftp.gz"), is_url("ftp://example.net/x")
    (True, False, True)
    """
    return re.match(r"[a-z][a-z0-9+.-]*://", text, re.IGNORECASE) is not None


def file_name(url: str) -> str:
    """What the file is called at home: harmless, whatever the URL says.

    >>> file_name("https://example.net/rrc00/latest-bview.gz?x=1"), file_name("https://example.net/%2e%2e/")
    ('latest-bview.gz', 'download')
    """
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")[-100:] or "download"


def download(
    url: str,
    folder: Path,
    told: Callable[[str], None],
    max_octets: int = MAX_OCTETS,
    max_seconds: float = MAX_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Path:
    """Bring one file into the folder, telling how far it is. Raises DemoFailed, and leaves nothing half done."""
    if urlsplit(url).scheme.lower() not in ("http", "https"):
        raise DemoFailed(f"{url}: only http and https are fetched")
    target = _unused(folder, file_name(url))
    try:
        asked = Request(url, headers={"User-Agent": "rotonda-demo"})
        with _opener().open(asked, timeout=SILENT_SECONDS) as response, target.open("wb") as file:
            _copy(response, file, url, told, max_octets, clock() + max_seconds, clock)
    except BaseException as wrong:
        target.unlink(missing_ok=True)
        if isinstance(wrong, HTTPError):
            wrong.close()
        if isinstance(wrong, URLError | HTTPException | OSError | ValueError):
            raise DemoFailed(f"{url}: {wrong}") from None
        raise
    return target


def _opener() -> OpenerDirector:
    """One that, unlike urllib's usual one, opens nothing but http and https, also when it is redirected."""
    opener = OpenerDirector()
    handlers = (
        ProxyHandler, HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler, HTTPRedirectHandler, HTTPErrorProcessor,
    )  # fmt: skip
    for handler in handlers:
        opener.add_handler(handler())
    return opener


def _unused(folder: Path, name: str) -> Path:
    names = (name, *(f"{number}-{name}" for number in range(2, 1_000)))
    return next(folder / each for each in names if not (folder / each).exists())


def _copy(
    response: _Response,
    file: IO[bytes],
    url: str,
    told: Callable[[str], None],
    max_octets: int,
    end: float,
    clock: Callable[[], float],
) -> None:
    announced = response.headers.get("Content-Length", "")
    total = int(announced) if announced.isdigit() and len(announced) < 20 else None
    _bounded(url, total or 0, max_octets)
    size = 0
    while chunk := response.read(_CHUNK):
        size += len(chunk)
        _bounded(url, size, max_octets)
        if clock() > end:
            raise DemoFailed(f"{url}: too slow, after {size / _MEGA:,.0f} MB the time is over")
        file.write(chunk)
        told(f"{size / _MEGA:,.1f} MB" + (f" of {total / _MEGA:,.1f} MB" if total else "") + f" of {url}")
    if total is not None and size != total:
        raise DemoFailed(f"{url}: ended after {size:,} of {total:,} octets")


def _bounded(url: str, octets: int, most: int) -> None:
    if octets > most:
        raise DemoFailed(f"{url}: more than {most:,} octets are not fetched")
