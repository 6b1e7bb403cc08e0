"""`twistd rotonda-router`: follows RTR caches or Rotoro peers, and answers origin validation."""

from __future__ import annotations

from time import time
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.python import usage

from rotonda.http import router_site
from rotonda.services.common import add_server, mode_of, place
from rotonda.units.router import RouterUnit
from rotoro.net.clock import count_steadily
from rotoro.net.listening import listening


class Options(usage.Options):
    """What the command line may say."""

    synopsis = "--cache HOST:PORT [--cache ...] [--mode auto|rtr|rotoro] [--http HOST:PORT]"
    optParameters = [
        ["http", None, "127.0.0.1:8081", "Where to answer queries; port 0 means any."],
        ["mode", None, "auto", "What the caches speak: auto, rotoro or rtr."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["cache"] = []

    def opt_cache(self, where: str) -> None:
        """An RTR cache or a Rotoro server to follow (HOST:PORT); may be given several times."""
        add_server(self, "cache", where)

    def postOptions(self) -> None:
        """Complain about what cannot be meant."""
        self["http"] = place("http", self["http"])
        self["mode"] = mode_of(self["mode"])
        if not self["cache"]:
            raise usage.UsageError("nothing to follow: give --cache HOST:PORT")


class Router(MultiService):
    """The daemon."""

    def __init__(self, reactor: Any, options: Options) -> None:
        super().__init__()
        self.unit = RouterUnit(reactor, options["cache"], options["mode"])
        self.unit.attach(self)
        site = router_site(self.unit, time)
        listening(reactor, options["http"], site, "http").setServiceParent(self)


def makeService(options: Options) -> IService:
    """The daemon, assembled but not started."""
    from twisted.internet import reactor

    count_steadily(reactor)
    return Router(reactor, options)
