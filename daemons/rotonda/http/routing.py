"""Which handler answers which path, and what a handler is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import unquote_to_bytes

from rotonda.http.answers import Answer, Live, Work
from rotonda.http.errors import Refused, excerpt, suggestion


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as handlers see it: named parts of its path, parameters, body, and what kinds of answers it takes."""

    path: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content_type: str = ""
    accept: str = ""


Handler = Callable[[Asked], Answer | Work | Live]


@dataclass(frozen=True)
class Route:
    """One path, like `/api/v1/ribs/{name}/routes`, and who answers there; `parameters` are those that are known."""

    method: str
    path: str
    handler: Handler
    parameters: tuple[str, ...] = ()

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The parts between slashes."""
        return tuple(self.path[1:].split("/"))

    def match(self, segments: Sequence[str]) -> dict[str, str] | None:
        """The named parts of a path, if it is this one."""
        found: dict[str, str] = {}
        own = self.segments
        if len(own) != len(segments):
            return None
        for pattern, segment in zip(own, segments, strict=True):
            if pattern.startswith("{"):
                found[pattern[1:-1]] = segment
            elif pattern != segment:
                return None
        return found


class Router:
    """All routes of a site."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._by_length: dict[int, list[Route]] = {}
        for route in routes:
            self._by_length.setdefault(len(route.segments), []).append(route)
        self._paths = [route.path for route in routes]

    def find(self, method: str, path: bytes) -> tuple[Route, dict[str, str]]:
        """The route for a method and a path, and the named parts of the path. Raises Refused: 400, 404 or 405."""
        segments = [text(part, "the path") for part in path.removeprefix(b"/").split(b"/")]
        if len(segments) > 1 and not segments[-1]:
            segments.pop()
        found = [
            (route, named)
            for route in self._by_length.get(len(segments), ())
            for named in [route.match(segments)]
            if named is not None
        ]
        if not found:
            shown = "/" + "/".join(segments)
            raise Refused(404, f"there is nothing at {excerpt(shown)}", suggestion(shown, self._paths))
        for route, named in found:
            if method == route.method or (method == "HEAD" and route.method == "GET"):
                return route, named
        allowed = ", ".join(sorted({own for route, _ in found for own in _methods(route)}))
        raise Refused(405, f"{excerpt(method)} is not possible here", f"use {allowed}", {"Allow": allowed})


def parameters_of(route: Route, arguments: Mapping[bytes, Sequence[bytes]]) -> dict[str, str]:
    """The parameters of a request. Raises Refused for unknown ones, doubled ones, and what is not UTF-8."""
    given: dict[str, str] = {}
    for octets, values in arguments.items():
        name = text(octets, "the name of a parameter", quoted=False)
        if name not in route.parameters:
            raise Refused(400, f"there is no parameter {excerpt(name)} here", suggestion(name, route.parameters))
        if len(values) > 1:
            raise Refused(400, f"the parameter {name} is given {len(values)} times", "give it once")
        given[name] = text(values[0], f"the parameter {name}", quoted=False)
    return given


def text(octets: bytes, what: str, quoted: bool = True) -> str:
    """Words of a client. Raises Refused if they are not UTF-8."""
    try:
        return (unquote_to_bytes(octets) if quoted and b"%" in octets else octets).decode()
    except UnicodeDecodeError:
        raise Refused(400, f"{what} is not UTF-8") from None


def _methods(route: Route) -> tuple[str, ...]:
    return ("GET", "HEAD") if route.method == "GET" else (route.method,)
