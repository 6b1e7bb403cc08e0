"""Tells twistd which daemons there are. Imports nothing of ours: twistd loads it for every command."""

from twisted.application.service import ServiceMaker

connector = ServiceMaker(
    "Rotonda connector", "rotonda.services.connector", "Bring routes and RPKI data in from files.", "rotonda-connector"
)
rib = ServiceMaker(
    "Rotonda RIB", "rotonda.services.rib", "Keep routes and RPKI data, answer queries, serve routers.", "rotonda-rib"
)
router = ServiceMaker(
    "Rotonda router", "rotonda.services.router", "Follow caches and validate route origins.", "rotonda-router"
)
