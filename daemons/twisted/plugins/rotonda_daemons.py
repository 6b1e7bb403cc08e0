"""Tells twistd which daemons there are. Imports nothing of ours: twistd loads it for every command."""

from twisted.application.service import ServiceMaker

connector = ServiceMaker(
    "Rotonda connector",
    "rotonda.services.connector",
    "Bring in routes and RPKI data, and serve them.",
    "rotonda-connector",
)
rib = ServiceMaker(
    "Rotonda RIB", "rotonda.services.rib", "Keep routes and RPKI data, answer queries, serve routers.", "rotonda-rib"
)
router = ServiceMaker(
    "Rotonda router", "rotonda.services.router", "Follow caches, validate origins and paths.", "rotonda-router"
)
