"""The API of a daemon that brings data in: how it is, and whom it serves."""

from __future__ import annotations

from twisted.web.server import Site

from rotonda.http.answers import Answer, json_answer
from rotonda.http.common import Clock, Table, health_routes, serving_routes, status_of, table_of
from rotonda.http.exports import export_routes
from rotonda.http.metrics import metrics_routes
from rotonda.http.routing import Asked, Route
from rotonda.http.site import api_site
from rotonda.views.shown import ConnectorView


def connector_site(view: ConnectorView, clock: Clock) -> Site:
    """The site of a daemon that brings data in; `clock` tells seconds since 1970."""

    def tables() -> list[Table]:
        return [table_of(view.name, kind, history) for kind, history in view.tables.items()]

    def status(asked: Asked) -> Answer:
        return json_answer(status_of(view, clock, tables()))

    routes = [
        Route("GET", "/api/v1/status", status),
        *serving_routes(view),
        *export_routes(view.tables["rpki"]),
        *health_routes(view),
        *metrics_routes(view, clock, tables),
    ]
    return api_site(routes)
