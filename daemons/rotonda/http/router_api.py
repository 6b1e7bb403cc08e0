"""The API of a daemon with a validated set: verdicts, the set itself, and how it is."""

from __future__ import annotations

from twisted.web.server import Site

from rotonda.http.answers import Answer, json_answer
from rotonda.http.common import Clock, Table, health_routes, status_of, table_of
from rotonda.http.exports import export_routes
from rotonda.http.metrics import metrics_routes
from rotonda.http.path_validity import path_routes
from rotonda.http.routing import Asked, Route
from rotonda.http.site import api_site
from rotonda.http.validity import validity_routes
from rotonda.rib.derived import Derived
from rotonda.rib.validated import latest_aspa_set, validated_set
from rotonda.views.shown import RouterView


def router_site(view: RouterView, clock: Clock) -> Site:
    """The site of a daemon with a validated set; `clock` tells seconds since 1970."""

    def tables() -> list[Table]:
        return [table_of(view.name, "rpki", view.history)]

    def status(asked: Asked) -> Answer:
        return json_answer(status_of(view, clock, tables()))

    validated, attested = Derived(view.history, validated_set), Derived(view.history, latest_aspa_set())
    routes = [
        Route("GET", "/api/v1/status", status),
        *validity_routes(validated),
        *path_routes(validated, attested),
        *export_routes(view.history),
        *health_routes(view),
        *metrics_routes(view, clock, tables),
    ]
    return api_site(routes)
