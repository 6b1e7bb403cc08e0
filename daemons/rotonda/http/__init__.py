"""What the daemons tell over HTTP: routes, verdicts, exports and their state, as JSON.

`rib_site` and `router_site` make sites of what a daemon shows of itself (`rotonda.views`). Handlers are functions from
`Asked` to `Answer` and never see Twisted; `site` alone talks to clients. May import twisted, msgspec, rotonda.views,
rotonda.rib, rotonda.rpki and rotoro.table.
"""

from rotonda.http.rib_api import rib_site
from rotonda.http.router_api import router_site

__all__ = ["rib_site", "router_site"]
