"""Asks the daemons over HTTP, as anybody could."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import ProxyHandler, Request, build_opener

from .errors import DemoFailed

_SECONDS = 60.0
_NO_PROXY = build_opener(ProxyHandler({}))  # the daemons are on this machine, whatever the environment says


class Client:
    """The API of one daemon on loopback. `check` is called when there is no answer, to raise whatever says more."""

    def __init__(self, name: str, port: int, check: Callable[[], None] = lambda: None) -> None:
        self._name = name
        self._check = check
        self.base = f"http://127.0.0.1:{port}"

    def url(self, path: str, **parameters: str | int) -> str:
        """The URL of a question.

        >>> Client("rib", 8080).url("/api/v1/routes", prefix="192.0.2.0/24", limit=2)
        'http://127.0.0.1:8080/api/v1/routes?prefix=192.0.2.0/24&limit=2'
        """
        words = urlencode(parameters, safe="/:,", quote_via=quote)
        return f"{self.base}{path}" + (f"?{words}" if words else "")

    def get(self, path: str, **parameters: str | int) -> dict[str, Any]:
        """The answer to a question. Raises DemoFailed."""
        return self._ask(Request(self.url(path, **parameters)))

    def judge(self, routes: Sequence[Mapping[str, object]]) -> dict[str, Any]:
        """The router's verdicts about these routes, which have `asn` and `prefix`. Raises DemoFailed."""
        body = json.dumps({"routes": list(routes)}).encode()
        url = self.url("/api/v1/validity")
        return self._ask(Request(url, body, {"Content-Type": "application/json"}))

    def _ask(self, request: Request) -> dict[str, Any]:
        try:
            with _NO_PROXY.open(request, timeout=_SECONDS) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except HTTPError as refused:
            with refused:
                raise DemoFailed(f"{self._name} refuses {request.full_url}: {refused.read(2_000)!r}") from None
        except (URLError, HTTPException, OSError, ValueError) as wrong:
            self._check()
            raise DemoFailed(f"{self._name} does not answer {request.full_url}: {wrong}") from None


def curl(url: str) -> str:
    """The command that asks the same question.

    >>> curl("http://127.0.0.1:8080/api/v1/routes?ip=192.0.2.1")
    "curl -s 'http://127.0.0.1:8080/api/v1/routes?ip=192.0.2.1' | python3 -m json.tool"
    """
    return f"curl -s '{url}' | python3 -m json.tool"
