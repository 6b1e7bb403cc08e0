"""The answers that all daemons give about themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec

from rotonda.http.answers import Answer, json_answer
from rotonda.http.errors import Refused
from rotonda.http.routing import Asked, Route
from rotonda.views.served import ServingView
from rotonda.views.shown import Link, Place, View
from rotoro.table import History, RouteSlot

Clock = Callable[[], float]
"""Seconds since 1970."""


class Table(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One table: what it holds, and how far it is."""

    name: str
    kind: str
    ready: bool
    position: Place
    digest: str
    records: dict[str, int]
    ingresses: dict[str, int] = {}
    kept_diffs: int
    memory_octets: int


class Status(msgspec.Struct, omit_defaults=True, kw_only=True):
    """How a daemon is."""

    name: str
    version: str
    uptime: float
    ready: bool
    missing: list[str] = []
    tables: list[Table]
    attribute_sets: int | None = None
    links: list[Link]


def no_data() -> Refused:
    """What is answered as long as there is nothing to answer from."""
    return Refused(503, "there is no RPKI data yet", "/readyz says what is missing", {"Retry-After": "5"})


def table_of(name: str, kind: str, history: History) -> Table:
    """The state of a table; records are counted by family or kind, routes also by ingress."""
    records: Counter[str] = Counter()
    ingresses: Counter[str] = Counter()
    for slot, count in history.snapshot.counts.items():
        if isinstance(slot, RouteSlot):
            records[f"ipv{slot.family}"] += count
            ingresses[str(slot.number)] += count
        else:
            records[slot.name.replace(" ", "_")] += count
    return Table(
        name=name,
        kind=kind,
        ready=history.ready,
        position=Place.of(history.position),
        digest=f"{history.snapshot.digest:016x}",
        records=dict(records),
        ingresses=dict(ingresses),
        kept_diffs=history.reach,
        memory_octets=history.snapshot.nbytes,
    )


def status_of(view: View, clock: Clock, tables: list[Table], attribute_sets: int | None = None) -> Status:
    """The state of a daemon."""
    missing = list(view.missing())
    return Status(
        name=view.name,
        version=view.version,
        uptime=round(max(0.0, clock() - view.started), 3),
        ready=not missing,
        missing=missing,
        tables=tables,
        attribute_sets=attribute_sets,
        links=list(view.links()),
    )


def health_routes(view: View) -> list[Route]:
    """Whether it runs, and whether it can be relied on."""

    def ready(asked: Asked) -> Answer:
        missing = list(view.missing())
        if missing:
            raise Refused(503, "not ready", "; ".join(missing), {"Retry-After": "5"})
        return json_answer({"ready": True})

    return [
        Route("GET", "/healthz", lambda asked: json_answer({"alive": True})),
        Route("GET", "/readyz", ready),
    ]


def serving_routes(view: ServingView) -> list[Route]:
    """Who is served, and what the server has done."""
    return [Route("GET", "/api/v1/clients", lambda asked: json_answer(view.served()))]
