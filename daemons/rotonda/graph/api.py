"""The API of a daemon that runs a graph: what a RIB answers and what a router answers, of all its units, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from twisted.web.server import Site

from rotonda.blocks.types import ROUTE, RecordType
from rotonda.blocks.values import Prefix as PrefixValue
from rotonda.filters import explain as explaining
from rotonda.filters.records import from_wire, wire_type
from rotonda.filters.route_record import RouteRecord
from rotonda.filters.world import Record
from rotonda.graph.flows import Flow
from rotonda.graph.gateway_units import GraphUnits
from rotonda.graph.stages import Stage
from rotonda.http import parameters as read
from rotonda.http.answers import Answer, json_answer
from rotonda.http.common import Clock
from rotonda.http.errors import Refused, excerpt, suggestion
from rotonda.http.exports import export_routes
from rotonda.http.gateway import Gateway
from rotonda.http.live import Limits
from rotonda.http.path_validity import path_routes
from rotonda.http.rib_api import rib_routes
from rotonda.http.routing import Asked, Route
from rotonda.http.site import api_site
from rotonda.http.validity import validity_routes
from rotonda.rib.derived import Derived
from rotonda.rib.prefixes import Prefix, address_text
from rotonda.rib.validated import latest_aspa_set, validated_set
from rotoro.table import IngressState, RouteSlot

if TYPE_CHECKING:
    from rotonda.graph.filtering import Bound
    from rotonda.graph.instance import Instance

TEXT = "text/plain; charset=utf-8"

MOST_EXPLAINED = 100
"""Routes of one prefix that are explained in one answer."""


class Explained(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What the filter of a unit does with one route that stands west of it, and why."""

    unit: str
    west: str
    prefix: str
    path_id: int = 0
    peer: str = ""
    peer_as: int = 0
    peer_name: str = ""
    explanation: explaining.Explanation


class ShownUnit(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One unit of the graph."""

    name: str
    type: str
    wests: list[str] = []
    gives: str = ""
    records: int = 0
    complete: bool
    problem: str | None = None


def graph_site(instance: Instance, clock: Clock) -> Site:
    """The site of a daemon that runs a graph; `clock` tells seconds since 1970."""
    api = _GraphApi(instance)
    validated = Derived(instance.history, validated_set)
    attested = Derived(instance.history, latest_aspa_set())
    gateway = Gateway(instance.around.reactor, GraphUnits(instance), clock, lambda: gateway_limits(instance))
    routes = [
        Route("GET", "/api/v1/graph", api.graph),
        Route("GET", "/api/v1/filters", api.filters),
        Route("GET", "/api/v1/explain", api.explain, ("prefix", "unit", "peer", "format")),
        *rib_routes(instance, clock, gateway),
        *validity_routes(validated),
        *path_routes(validated, attested),
        *export_routes(instance.history),
    ]
    return api_site(routes)


def gateway_limits(instance: Instance) -> Limits:
    """How many clients may follow tables."""
    own = instance.plan.daemon.limits
    return Limits(own.gateway_clients, own.gateway_clients_per_address)


class _GraphApi:
    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def graph(self, asked: Asked) -> Answer:
        instance = self._instance
        units = [
            ShownUnit(
                name=name,
                type=planned.block.config.WORD,
                wests=[west.name for west in planned.wests],
                gives="" if planned.block.gives is None else planned.block.gives.name,
                records=_records(instance.stages[name]),
                complete=instance.stages[name].complete,
                problem=instance.stages[name].problem,
            )
            for name, planned in instance.plan.units.items()
        ]
        return json_answer({"instance": instance.plan.name, "units": units})

    def filters(self, asked: Asked) -> Answer:
        own = self._instance
        return json_answer({"filters": own.filtered(), "streams": own.sending(), "sources": own.sourced()})

    def explain(self, asked: Asked) -> Answer:
        prefix = read.optional(asked.parameters, "prefix", read.prefix)
        if prefix is None:
            raise Refused(400, "which route is to be explained?", "add prefix=192.0.2.0/24")
        peer = read.optional(asked.parameters, "peer", read.address)
        form = read.optional(asked.parameters, "format", read.choice(("json", "text"))) or "json"
        found = list(self._explained(asked.parameters.get("unit"), prefix, peer))
        if form == "json":
            return json_answer({"prefix": prefix.text, "routes": found})
        return Answer("\n".join(map(_in_words, found) if found else ["no unit has a filter for it\n"]).encode(), TEXT)

    def _explained(self, unit: str | None, prefix: Prefix, peer: bytes | None) -> Iterator[Explained]:
        bound = self._instance.filters.bound
        if unit is not None and unit not in self._instance.stages:
            raise Refused(404, f"there is no unit {excerpt(unit)}", suggestion(unit, self._instance.stages))
        left = MOST_EXPLAINED
        for name in self._instance.plan.units:
            for each in bound.get(name, ()) if unit in (None, name) else ():
                wests = [self._instance.stages[west.name] for west in self._instance.plan.units[name].wests]
                for found in self._of_unit(each, wests, prefix, peer):
                    if not left:
                        return
                    left -= 1
                    yield found

    def _of_unit(self, bound: Bound, wests: Sequence[Stage], prefix: Prefix, peer: bytes | None) -> Iterator[Explained]:
        takes = bound.filter.takes
        for west in wests:
            if west.flow is None or west.flow.record != takes or not isinstance(takes, RecordType):
                continue
            for slot, record, path_id in _records_of(west.flow, takes, prefix):
                if peer is not None and slot.ingress.address != peer:
                    continue
                _, explanation = explaining.explain(
                    bound.filter,
                    self._instance.program.source,
                    dict(bound.use.arguments),
                    bound.world(),
                    record,
                    bound.on_failure == "ACCEPT",
                )
                yield Explained(
                    unit=bound.unit,
                    west=west.title,
                    prefix=prefix.text,
                    path_id=path_id,
                    peer=address_text(slot.ingress.address),
                    peer_as=slot.ingress.asn,
                    peer_name=slot.ingress.name,
                    explanation=explanation,
                )


def _records_of(flow: Flow, type: RecordType, prefix: Prefix) -> Iterator[tuple[RouteSlot, Record, int]]:
    """All records of a prefix in a table, with their slots and path identifiers."""
    decode = None if type == ROUTE else wire_type(type).decode
    bounds = np.array([prefix.low, prefix.high], f"S{len(prefix.low)}")
    for slot, records in flow.history.snapshot.narrowed(bounds).items():
        if not isinstance(slot, RouteSlot) or slot.family != prefix.family:
            continue
        own = records.between(prefix.low, prefix.high)
        assert own.values is not None
        assert own.times is not None
        for row in range(len(own)):
            key, octets = own.key(row), slot.attributes.octets[int(own.values[row])]
            path_id = int.from_bytes(key[-4:])
            if decode is not None:
                yield slot, from_wire(type, decode(octets), PrefixValue(key[:-5], key[-5])), path_id
            else:
                status = "ACTIVE" if slot.ingress.state is IngressState.UP else "STALE"
                yield slot, RouteRecord(slot.family, key, slot.ingress, octets, int(own.times[row]), status), path_id


def _in_words(found: Explained) -> str:
    who = f"{found.prefix} from {found.peer or found.peer_name or 'an ingress'}"
    if found.peer_as:
        who += f" AS{found.peer_as}"
    return f"{found.unit}, of {who} by way of {found.west}:\n{explaining.text(found.explanation)}\n"


def _records(stage: Stage) -> int:
    flow: Any = stage.flow
    return 0 if flow is None else flow.history.snapshot.count
