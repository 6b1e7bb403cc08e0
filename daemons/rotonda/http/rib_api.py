"""The API of a daemon with RIBs: its routes, where they come from, and how it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, TypeVar

from twisted.web.server import Site

from rotonda.http import parameters as read
from rotonda.http.answers import Answer, json_answer, streamed_object
from rotonda.http.common import Clock, Table, health_routes, serving_routes, status_of, table_of
from rotonda.http.errors import Refused, excerpt, suggestion
from rotonda.http.gateway import Gateway
from rotonda.http.metrics import metrics_routes
from rotonda.http.rib_units import RibUnits
from rotonda.http.routing import Asked, Route
from rotonda.http.site import api_site
from rotonda.rib.derived import Derived
from rotonda.rib.display import FIELDS
from rotonda.rib.distinct import distinct_prefixes
from rotonda.rib.page import Page
from rotonda.rib.places import BadCursor
from rotonda.rib.prefixes import Prefix
from rotonda.rib.query import DEFAULT_LIMIT, MOST_ROUTES, Match, Query, answer
from rotonda.rib.rows import STATUS, Verified, shown
from rotonda.rib.validated import aspa_set, validated_set
from rotonda.rpki.aspas import AspaSet
from rotonda.rpki.validation import ValidatedSet
from rotonda.views.ingresses import ShownIngress, shown_ingress
from rotonda.views.shown import Place, Rib, RibView
from rotoro.table import Ingress, Snapshot

T = TypeVar("T")

PARAMETERS = (
    "prefix", "ip", "match", "itself", "family", "origin", "community", "ingress", "peer_as", "peer", "status",
    "history", "limit", "cursor", "fields", "direction",
)  # fmt: skip
_OF_PATH = tuple(name for name in PARAMETERS if name not in ("prefix", "ip"))
_FAMILIES = {"4": 4, "6": 6, "ipv4": 4, "ipv6": 6}
_STATES = {word: state for state, word in STATUS.items()}
_PIECE = 500


def rib_site(view: RibView, clock: Clock, reactor: Any = None) -> Site:
    """The site of a daemon with RIBs; `clock` tells seconds since 1970. Only with a reactor tables can be followed."""
    gateway = None if reactor is None else Gateway(reactor, RibUnits(view), clock)
    return api_site(rib_routes(view, clock, gateway))


def rib_routes(view: RibView, clock: Clock, gateway: Gateway | None = None) -> list[Route]:
    """What it answers, with the streams of a gateway."""
    api = _RibApi(view, clock)
    routes = [
        Route("GET", "/api/v1/status", api.status),
        Route("GET", "/api/v1/ingresses", api.ingresses),
        Route("GET", "/api/v1/ingresses/{number}", api.ingress),
        Route("GET", "/api/v1/ribs", api.ribs),
        Route("GET", "/api/v1/ribs/{name}/routes", api.routes, PARAMETERS),
        Route("GET", "/api/v1/ribs/{name}/routes/{address}/{length}", api.routes, _OF_PATH),
        Route("GET", "/api/v1/routes", api.routes, PARAMETERS),
        Route("GET", "/api/v1/routes/{address}/{length}", api.routes, _OF_PATH),
    ]
    streamed = None if gateway is None else gateway.streamed
    metrics = metrics_routes(view, clock, api.tables, streamed)
    streams = [] if gateway is None else gateway.routes()
    return [*routes, *streams, *serving_routes(view), *health_routes(view), *metrics]


class _RibApi:
    def __init__(self, view: RibView, clock: Clock) -> None:
        self._view = view
        self._clock = clock
        self._validated: dict[str, Derived[ValidatedSet]] = {}
        self._attested: dict[str, Derived[AspaSet]] = {}
        self._prefixes: dict[str, Derived[dict[str, int]]] = {}

    def status(self, asked: Asked) -> Answer:
        stores = {id(rib.index.store): rib.index.store for rib in self._view.ribs()}
        return json_answer(status_of(self._view, self._clock, self.tables(), sum(map(len, stores.values()))))

    def tables(self) -> list[Table]:
        """All tables of all RIBs."""
        return [table_of(rib.name, kind, history) for rib in self._view.ribs() for kind, history in rib.tables.items()]

    def ingresses(self, asked: Asked) -> Answer:
        registry = self._view.ingresses
        everything = (self._shown(ingress) for ingress in registry)
        return json_answer({"ingresses": list(everything)}, f"ingresses {registry.revision}")

    def ingress(self, asked: Asked) -> Answer:
        number = read.number("the number", asked.path["number"])
        ingress = self._view.ingresses.get(number)
        if ingress is None:
            raise Refused(404, f"there is no ingress {number}", "/api/v1/ingresses lists them")
        return json_answer(self._shown(ingress))

    def ribs(self, asked: Asked) -> Answer:
        ribs = [
            {
                "name": rib.name,
                "prefixes": self._prefixes_of(rib),
                "tables": [table_of(rib.name, kind, history) for kind, history in rib.tables.items()],
            }
            for rib in self._view.ribs()
        ]
        return json_answer({"ribs": ribs})

    def routes(self, asked: Asked) -> Answer:
        rib = self._rib(asked)
        query = read_query(asked)
        limit = read.optional(asked.parameters, "limit", _limit) or DEFAULT_LIMIT
        fields = read.optional(asked.parameters, "fields", read.choices(FIELDS))
        history, registry = rib.tables["rib"], self._view.ingresses
        results = answer(history.snapshot, query, rib.index, registry.get, rib.past)
        try:
            page = results.page(limit, asked.parameters.get("cursor"))
        except BadCursor as wrong:
            raise Refused(400, f"cursor: {wrong}", "ask again without it") from None
        validated = _derived(self._validated, rib, "rpki", validated_set)
        rows = shown(page, rib.index, registry.get, validated, fields, self._verified(rib, asked, fields))
        rpki = rib.tables["rpki"].position if validated is not None else None
        head = {
            "rib": rib.name,
            "position": Place.of(history.position),
            "rov": rpki and Place.of(rpki),
            "count": results.count,
            "cursor": page.cursor,
            "ingresses": [self._shown(ingress) for ingress in _of_page(page, registry.get)],
        }
        version = f"{rib.name} {history.position} {rpki} {registry.revision} {rib.past and rib.past.revision}"
        return Answer(_body(head, rows, len(page)), version=version)

    def _verified(self, rib: Rib, asked: Asked, fields: Collection[str] | None) -> Verified | None:
        """What verifies paths, if it is told where they come from: who sends what to a collector, it cannot know."""
        direction = read.optional(asked.parameters, "direction", read.direction)
        if direction is None and fields is not None and "aspa" in fields:
            raise Refused(400, "fields=aspa needs a direction", "add direction=upstream or direction=downstream")
        aspas = _derived(self._attested, rib, "rpki", aspa_set) if direction is not None else None
        return None if aspas is None or direction is None else (aspas, direction)

    def _rib(self, asked: Asked) -> Rib:
        ribs = {rib.name: rib for rib in self._view.ribs()}
        name = asked.path.get("name")
        if name is None and len(ribs) != 1:
            raise Refused(
                404, f"there are {len(ribs)} RIBs here, not one", f"use /api/v1/ribs/{{name}}/routes: {', '.join(ribs)}"
            )
        if name is not None and name not in ribs:
            raise Refused(404, f"there is no RIB {excerpt(name)}", suggestion(name, ribs))
        return next(iter(ribs.values())) if name is None else ribs[name]

    def _prefixes_of(self, rib: Rib) -> dict[str, int]:
        counts = _derived(self._prefixes, rib, "rib", distinct_prefixes)
        return counts or {}

    def _shown(self, ingress: Ingress) -> ShownIngress:
        return shown_ingress(ingress, self._view.ingresses.link(ingress.number))


def _derived(kept: dict[str, Derived[T]], rib: Rib, table: str, make: Callable[[Snapshot], T]) -> T | None:
    """What is made of one of a RIB's tables, for as long as the RIB has that table."""
    history = rib.tables[table]
    if rib.name not in kept or kept[rib.name].history is not history:
        kept[rib.name] = Derived(history, make)
    return kept[rib.name].current()


def read_query(asked: Asked) -> Query:
    """What a request asks for. Raises Refused."""
    given = asked.parameters
    prefix, match = _prefix(asked), read.optional(given, "match", read.choice([str(match) for match in Match]))
    if match is not None and prefix is None:
        raise Refused(400, f"match={match} needs a prefix", "give prefix= or ip=")
    by_address = "ip" in given
    peer = read.optional(given, "peer", read.address)
    itself = read.optional(given, "itself", read.choice(("true", "false")))
    family = read.optional(given, "family", read.choice(tuple(_FAMILIES)))
    status = read.optional(given, "status", read.choice(tuple(_STATES)))
    history = read.optional(given, "history", read.choice(("true", "false")))
    return Query(
        prefix=prefix,
        match=Match(match) if match else Match.LONGEST if by_address else Match.EXACT,
        itself=itself != "false",
        family=None if family is None else _FAMILIES[family],
        origin=read.optional(given, "origin", read.as_number),
        community=read.optional(given, "community", read.community),
        ingress=read.optional(given, "ingress", read.number),
        peer_as=read.optional(given, "peer_as", read.as_number),
        peer_address=peer,
        status=None if status is None else _STATES[status],
        history=history == "true",
    )


def _prefix(asked: Asked) -> Prefix | None:
    if "address" in asked.path:
        return read.prefix("the path", f"{asked.path['address']}/{asked.path['length']}")
    if "prefix" in asked.parameters and "ip" in asked.parameters:
        raise Refused(400, "prefix and ip are both given", "prefix= asks for itself, ip= for what covers it; give one")
    prefix = read.optional(asked.parameters, "prefix", read.prefix)
    return prefix or read.optional(asked.parameters, "ip", read.address_as_prefix)


def _limit(name: str, words: str) -> int:
    limit = read.number(name, words)
    if not 1 <= limit <= MOST_ROUTES:
        raise Refused(400, f"limit: {limit} is not between 1 and {MOST_ROUTES:,}", "the cursor of an answer leads on")
    return limit


def _of_page(page: Page, get: Callable[[int], Ingress | None]) -> Iterable[Ingress]:
    numbers = sorted({number for block in page.blocks for number in block.ingresses.tolist()})
    return [ingress for number in numbers if (ingress := get(number)) is not None]


def _body(head: dict[str, object], rows: Iterator[dict[str, object]], count: int) -> bytes | Iterator[bytes]:
    pieces = streamed_object(head, "routes", rows, _PIECE)
    return b"".join(pieces) if count < _PIECE else pieces
